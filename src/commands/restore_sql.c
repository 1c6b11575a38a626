/* restore_sql - the statements of an SQL object, in their order where it matters (restore.h).
 *
 *     SET …            every connection
 *     CREATE INDEX     ┐
 *     ADD … PRIMARY KEY├─ beside each other, on helpers' connections
 *     CREATE INDEX     ┘
 *     COMMENT ON …     waits until all of them are done, then alone
 *
 * pg_dump orders its statements so that each finds what it needs before it; a run of neighbours
 * that only build indexes needs nothing of each other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "commands/restore.h"
#include "pg/sql_kind.h"

enum {
    HELPERS_MAX = 64,
    SHOWN_BYTES = 160,       /* of a failed statement */
    DEADLOCK_TRIES = 5,
    DEADLOCK_PAUSE_MS = 200,
};

struct helper {
    struct script *script;
    struct pg_session conn;
    pthread_t thread;
};

/* One hand-over place: the reader of the script waits until a helper has taken the last statement.
 * The first failure ends it all: what is offered is dropped, and the stop switch ends what other
 * helpers are at, which may take hours. */
struct script {
    struct restore *restore;
    struct helper helpers[HELPERS_MAX];
    unsigned helpers_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *offered;           /* owned by whoever takes it */
    unsigned busy;
    bool ended;
    struct fault fault;      /* of the first helper that failed */
};

bool
statement_wanted(const struct env *env, const char *sql)
{
    enum sql_kind kind = sql_kind(sql);
    return (kind != SQL_OWNER || env->owners) && (kind != SQL_PRIVILEGE || env->privileges);
}

/* How much of a statement may be shown: these hold passwords behind their first quote. */
static size_t
statement_open_bytes(const char *sql)
{
    static const char *const secretive[] = {"CREATE USER MAPPING ", "CREATE SERVER ",
                                            "CREATE SUBSCRIPTION ", "CREATE FOREIGN "};

    for (size_t i = 0; i < sizeof secretive / sizeof *secretive; i++)
        if (strncmp(sql, secretive[i], strlen(secretive[i])) == 0)
            return strcspn(sql, "'");
    return strlen(sql);
}

/* The beginning of a statement, in one line, for the sentence that says which one failed. */
static void
statement_show(char *shown, const char *sql)
{
    const char *end = sql + statement_open_bytes(sql);
    size_t used = 0;

    for (; sql < end && used < SHOWN_BYTES - 4; sql++) {
        bool blank = *sql == '\n' || *sql == '\t' || *sql == ' ';
        if (!blank || (used > 0 && shown[used - 1] != ' '))
            shown[used++] = blank ? ' ' : *sql;
    }
    snprintf(shown + used, 4, "%s", *sql == '\0' ? "" : "...");
}

static bool
statement_run(struct pg_session *conn, const char *sql, struct fault *fault)
{
    char doing[SHOWN_BYTES + 16] = "run «";
    statement_show(doing + strlen(doing), sql);
    strcat(doing, "»"); /* lint: room for it is in the array's size */

    for (int tried = 1;; tried++) {
        struct fault failed = {0};
        if (pg_run(conn, doing, sql, &failed))
            return true;
        /* Two ALTER TABLEs of a partitioned family may want each other's locks; the server picks
         * the one to end. */
        if (strcmp(conn->sqlstate, "40P01") != 0 || tried == DEADLOCK_TRIES) {
            fault_hand_over(fault, &failed);
            return false;
        }
        if (stop_wait(conn->stop, -1, 0, DEADLOCK_PAUSE_MS * tried, fault) < 0)
            return false;
    }
}

/* A helper has failed; the lock is held. */
static void
script_fail(struct script *script, const struct fault *fault)
{
    fault_hand_over(&script->fault, fault);
    free(script->offered);
    script->offered = NULL;
    stop_request(script->restore->stop, 0);
}

/* The connection is closed here, so that of many statements under way all are cancelled at once. */
static void *
helper_run(void *argument)
{
    struct helper *helper = argument;
    struct script *script = helper->script;

    pthread_mutex_lock(&script->lock);
    for (;;) {
        while (script->offered == NULL && !script->ended)
            pthread_cond_wait(&script->changed, &script->lock);
        if (script->offered == NULL)
            break;
        char *sql = script->offered;
        script->offered = NULL;
        script->busy++;
        pthread_cond_broadcast(&script->changed);
        pthread_mutex_unlock(&script->lock);

        struct fault fault = {0};
        bool done = statement_run(&helper->conn, sql, &fault);
        free(sql);

        pthread_mutex_lock(&script->lock);
        script->busy--;
        if (!done)
            script_fail(script, &fault);
        pthread_cond_broadcast(&script->changed);
    }
    pthread_mutex_unlock(&script->lock);
    pg_close(&helper->conn);
    return NULL;
}

/* Wait until no helper works; the first failure of any is the script's. */
static bool
script_settle(struct script *script, struct fault *fault)
{
    pthread_mutex_lock(&script->lock);
    while (script->busy > 0 || script->offered != NULL)
        pthread_cond_wait(&script->changed, &script->lock);
    fault_hand_over(fault, &script->fault);
    pthread_mutex_unlock(&script->lock);
    return fault->err == ERR_NONE;
}

static bool
script_offer(struct script *script, const char *sql, struct fault *fault)
{
    char *copy = strdup(sql);
    if (copy == NULL)
        memory_exhausted(strlen(sql));

    pthread_mutex_lock(&script->lock);
    while (script->offered != NULL && script->fault.err == ERR_NONE)
        pthread_cond_wait(&script->changed, &script->lock);
    fault_hand_over(fault, &script->fault);
    if (fault->err == ERR_NONE)
        script->offered = copy;
    else
        free(copy);
    pthread_cond_broadcast(&script->changed);
    pthread_mutex_unlock(&script->lock);
    return fault->err == ERR_NONE;
}

static bool
script_everywhere(struct script *script, const char *sql, struct fault *fault)
{
    if (!statement_run(&script->restore->conn, sql, fault))
        return false;
    for (unsigned i = 0; i < script->helpers_count; i++)
        if (!statement_run(&script->helpers[i].conn, sql, fault))
            return false;
    return true;
}

static bool
script_statement(void *argument, const char *sql, struct fault *fault)
{
    struct script *script = argument;
    enum sql_kind kind = sql_kind(sql);

    if (!statement_wanted(script->restore->env, sql))
        return true;
    if (kind == SQL_PARALLEL && script->helpers_count > 1)
        return script_offer(script, sql, fault);
    if (!script_settle(script, fault))
        return false;
    return kind == SQL_SESSION ? script_everywhere(script, sql, fault)
                               : statement_run(&script->restore->conn, sql, fault);
}

static bool
helpers_start(struct script *script, unsigned wanted, struct fault *fault)
{
    pthread_attr_t attributes;
    bool done = true;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, FLOW_STACK_BYTES);
    while (done && script->helpers_count < wanted && script->helpers_count < HELPERS_MAX) {
        struct helper *helper = &script->helpers[script->helpers_count];
        helper->script = script;
        done = restore_connect(script->restore, &helper->conn, fault);
        if (done && pthread_create(&helper->thread, &attributes, helper_run, helper) != 0)
            done = fault_set(fault, ERR_INTERNAL, "unable to start a thread");
        if (done)
            script->helpers_count++;
        else
            pg_close(&helper->conn);
    }
    pthread_attr_destroy(&attributes);
    return done;
}

/* Let the helpers do what is left, and go. */
static void
helpers_end(struct script *script)
{
    pthread_mutex_lock(&script->lock);
    script->ended = true;
    pthread_cond_broadcast(&script->changed);
    pthread_mutex_unlock(&script->lock);
    for (unsigned i = 0; i < script->helpers_count; i++)
        pthread_join(script->helpers[i].thread, NULL);
}

bool
restore_statements(struct restore *restore, const struct manifest_object *object,
                   sql_statement_fn *statement, void *argument, struct fault *fault)
{
    struct crew crew = {.env = restore->env, .stop = restore->stop};
    struct worker clerk;
    struct sql_target target;
    char path[STORE_NAME_MAX];

    snprintf(path, sizeof path, "%s/%s", restore->manifest.name, object->name);
    worker_open(&clerk, &crew);
    flow_begin(&clerk.flow);
    flow_add(&clerk.flow, store_get_init(&clerk.get, restore->store, path, object->stored_bytes,
                                         object->sha256));
    if (strcmp(restore->manifest.compression, "none") != 0)
        flow_add(&clerk.flow, decompress_init(&clerk.decompress));
    flow_seam(&clerk.flow);
    flow_add(&clerk.flow, sql_target_init(&target, statement, argument));
    bool done = flow_run(&clerk.flow, fault);
    worker_close(&clerk);
    return done;
}

bool
restore_sql(struct restore *restore, const struct manifest_object *object, bool parallel,
            struct fault *fault)
{
    struct script *script = calloc(1, sizeof *script);
    if (script == NULL)
        memory_exhausted(sizeof *script);

    script->restore = restore;
    pthread_mutex_init(&script->lock, NULL);
    pthread_cond_init(&script->changed, NULL);
    struct fault walked = {0};
    bool done = (!parallel || restore->workers < 2 ||
                 helpers_start(script, restore->workers, &walked)) &&
                restore_statements(restore, object, script_statement, script, &walked);
    helpers_end(script);
    done = done && script->fault.err == ERR_NONE;
    /* The walk may only have been woken by the switch that a helper threw. */
    if (walked.err == ERR_NONE || walked.err == ERR_STOPPED)
        fault_hand_over(fault, &script->fault);
    fault_hand_over(fault, &walked);
    if (!done)
        fault_because(fault, "while restoring %s/%s", restore->manifest.name, object->name);
    pthread_cond_destroy(&script->changed);
    pthread_mutex_destroy(&script->lock);
    free(script);
    return done;
}
