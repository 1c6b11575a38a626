/* script - see script.h. */
#include "commands/script.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "commands/families.h"
#include "commands/rights.h"
#include "commands/script_queue.h"
#include "commands/sort_memory.h"
#include "flow/flow.h"
#include "pg/sql_kind.h"
#include "pg/sql_run.h"
#include "pg/sql_secrets.h"
#include "pg/sql_target.h"

enum {
    SHOWN_BYTES = 160,       /* of a failed statement */
    DEADLOCK_TRIES = 5,
    DEADLOCK_PAUSE_MS = 200,
};

struct helper {
    struct script *script;
    struct pg_session conn;
    pthread_t thread;
    uint64_t memory_kib; /* what its connection is set to */
};

/* The first failure ends it all: what waits is dropped, and the stop switch ends what other helpers
 * are at, which may take hours. */
struct script {
    struct script_config config;
    struct helper helpers[SCRIPT_HELPERS_MAX];
    unsigned helpers_count;  /* that run; theirs to read is config.helpers */
    struct families families;
    bool families_known;
    struct sort_memory memory;
    bool foreign;            /* what is in the queue is foreign keys, else none of it is */
    struct sql_state state;  /* of every session behind a statement; changes while no helper runs */
    pthread_mutex_t lock;    /* of all that follows */
    pthread_cond_t changed;
    struct script_queue queue;
    bool settling;           /* what is in the queue is all there is for now */
    bool ended;
    struct fault fault;      /* of the first helper that failed */
};

bool
script_wants(bool owners, bool privileges, const char *sql)
{
    enum sql_kind kind = sql_facts(sql).kind;
    return (kind != SQL_OWNER || owners) && (kind != SQL_PRIVILEGE || privileges);
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
statement_run(struct pg_session *conn, const char *sql, const struct sql_state *state, enum err err,
              struct fault *fault)
{
    char doing[SHOWN_BYTES + 16] = "run «";
    statement_show(doing + strlen(doing), sql);
    strcat(doing, "»"); /* lint: room for it is in the array's size */

    for (int tried = 1;; tried++) {
        struct fault failed = {0};
        if (sql_run(conn, doing, sql, state, err, &failed))
            return true;
        /* The second net: locks that the queue does not know of. */
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
    queue_clear(&script->queue);
    stop_request(script->config.conn->stop, 0);
}

/* Is there not work for all helpers?  The lock is held. */
static bool
helpers_idle(const struct script *script)
{
    return script->queue.running + script->queue.waiting < script->config.helpers;
}

static bool
helper_work(struct helper *helper, const char *sql, uint64_t memory_kib, struct fault *fault)
{
    if (helper->memory_kib != memory_kib &&
        !sort_memory_set(&helper->conn, memory_kib, fault))
        return false;
    helper->memory_kib = memory_kib;
    const struct script *script = helper->script;
    return statement_run(&helper->conn, sql, &script->state, script->config.guard->err, fault);
}

/* None is begun as if it were alone while others may still come: more memory would slow it. */
static struct script_task *
helper_pick(struct script *script)
{
    return helpers_idle(script) && !script->settling ? NULL : queue_pick(&script->queue);
}

/* The connection is closed here, so that of many statements under way all are cancelled at once. */
static void *
helper_run(void *argument)
{
    struct helper *helper = argument;
    struct script *script = helper->script;
    struct script_task *task;

    pthread_mutex_lock(&script->lock);
    for (;;) {
        while ((task = helper_pick(script)) == NULL && !script->ended)
            pthread_cond_wait(&script->changed, &script->lock);
        if (task == NULL)
            break;
        uint64_t memory_kib = helpers_idle(script) || script->foreign ? script->memory.idle_kib
                                                                      : script->memory.busy_kib;
        pthread_cond_broadcast(&script->changed);
        pthread_mutex_unlock(&script->lock);

        struct fault fault = {0};
        bool done = helper_work(helper, task->sql, memory_kib, &fault);

        pthread_mutex_lock(&script->lock);
        queue_done(&script->queue, task, done && script->fault.err == ERR_NONE);
        if (!done)
            script_fail(script, &fault);
        pthread_cond_broadcast(&script->changed);
    }
    pthread_mutex_unlock(&script->lock);
    pg_close(&helper->conn);
    return NULL;
}

/* Wait until no helper works and nothing waits; the first failure of any is the script's. */
static bool
script_settle(struct script *script, struct fault *fault)
{
    pthread_mutex_lock(&script->lock);
    script->settling = true;
    pthread_cond_broadcast(&script->changed);
    while (script->queue.running + script->queue.waiting > 0)
        pthread_cond_wait(&script->changed, &script->lock);
    script->settling = false;
    fault_hand_over(fault, &script->fault);
    pthread_mutex_unlock(&script->lock);
    return fault->err == ERR_NONE;
}

static bool
script_everywhere(struct script *script, const char *sql, struct fault *fault)
{
    enum err err = script->config.guard->err;

    if (!statement_run(script->config.conn, sql, &script->state, err, fault))
        return false;
    for (unsigned i = 0; i < script->helpers_count; i++)
        if (!statement_run(&script->helpers[i].conn, sql, &script->state, err, fault))
            return false;
    return true;
}

/* Give a statement to the helpers. */
static bool
script_offer(struct script *script, const char *sql, const char *then,
             const char *const tables[static TASK_TABLES], bool exclusive, struct fault *fault)
{
    pthread_mutex_lock(&script->lock);
    while (script->queue.waiting >= SCRIPT_WAITING_MAX && script->fault.err == ERR_NONE)
        pthread_cond_wait(&script->changed, &script->lock);
    fault_hand_over(fault, &script->fault);
    if (fault->err == ERR_NONE)
        queue_add(&script->queue, sql, then, tables, exclusive);
    pthread_cond_broadcast(&script->changed);
    pthread_mutex_unlock(&script->lock);
    return fault->err == ERR_NONE;
}

/* Whether a key must be added as it is: PostgreSQL refuses USING INDEX for a partitioned table; and
 * since 18 it notes of a column that is NOT NULL by inheritance that it is so by itself, which a
 * primary key without USING INDEX does not. */
static bool
key_is_whole(const struct script *script, const struct sql_facts *facts,
             const struct family_member *member)
{
    return member != NULL &&
           (member->partitioned || (facts->primary && member->heir &&
                                    script->config.conn->server_version >= 180000));
}

/* Which tables a statement locks, and how; a key whose index can be built beside others is cut. */
static bool
script_plan(struct script *script, const char *sql, const struct sql_facts *facts,
            struct fault *fault)
{
    struct text names[TASK_TABLES] = {0}, index = {0}, constraint = {0};
    const char *tables[TASK_TABLES] = {0};
    bool whole = facts->kind != SQL_KEY;

    for (size_t i = 0; i < TASK_TABLES && facts->tables[i].size > 0; i++) {
        sql_name_add(&names[i], &facts->tables[i]);
        const struct family_member *member = families_find(&script->families, text_of(&names[i]));
        tables[i] = member == NULL ? text_of(&names[i]) : member->root;
        whole = whole || key_is_whole(script, facts, member);
    }
    bool cut = !whole && sql_key_split(sql, &index, &constraint);
    bool done = cut ? script_offer(script, text_of(&index), text_of(&constraint), tables, false,
                                   fault)
                    : script_offer(script, sql, NULL, tables, facts->kind != SQL_INDEX, fault);
    text_free(&index);
    text_free(&constraint);
    for (size_t i = 0; i < TASK_TABLES; i++)
        text_free(&names[i]);
    return done;
}

/* Foreign keys need the keys that they refer to, and nothing needs them. */
static bool
script_beside(struct script *script, const char *sql, const struct sql_facts *facts,
              struct fault *fault)
{
    bool foreign = facts->kind == SQL_FOREIGN_KEY;

    if (foreign != script->foreign) {
        if (!script_settle(script, fault))
            return false;
        script->foreign = foreign;
    }
    if (!script->families_known &&
        !families_read(&script->families, script->config.conn, fault))
        return false;
    script->families_known = true;
    return script_plan(script, sql, facts, fault);
}

static bool
script_run(struct script *script, const char *sql, struct fault *fault)
{
    const struct script_config *config = &script->config;

    if (!rights_instead(config->conn, sql, &sql, fault))
        return false;
    if (sql == NULL)
        return true;
    struct sql_facts facts = sql_facts(sql);
    if (sql_is_event_trigger(sql))
        return sql_last_add(config->last, sql, '\0', fault);
    if (script->helpers_count > 0 && (facts.kind == SQL_INDEX || facts.kind == SQL_KEY ||
                                      facts.kind == SQL_FOREIGN_KEY))
        return script_beside(script, sql, &facts, fault);
    if (!script_settle(script, fault))
        return false;
    script->state = config->guard->state;
    return facts.kind == SQL_SESSION ? script_everywhere(script, sql, fault)
                                     : statement_run(config->conn, sql, &script->state,
                                                     config->guard->err, fault);
}

/* In the words of the destination. */
static bool
script_translate(struct script *script, const char *sql, struct fault *fault)
{
    const struct script_config *config = &script->config;
    struct text rewritten = {0}, said = {0};
    bool done = true;
    enum sql_fate fate = sql_dialect_statement(config->dialect, sql, &rewritten, &said);
    if (fate == SQL_REFUSED)
        done = fault_set(fault, ERR_TARGET, "unable to make in PostgreSQL %d: %s",
                         config->dialect->major, text_of(&said));
    else if (said.size > 0)
        log_warning("%s", text_of(&said));
    if (fate == SQL_KEPT)
        done = script_run(script, sql, fault);
    if (fate == SQL_REWRITTEN)
        done = script_run(script, text_of(&rewritten), fault) &&
               (config->dialect->then.size == 0 ||
                script_run(script, text_of(&config->dialect->then), fault));
    text_free(&rewritten);
    text_free(&said);
    return done;
}

bool
script_statement(void *argument, const char *sql, struct fault *fault)
{
    struct script *script = argument;
    const struct script_config *config = &script->config;
    struct text cut = {0}, said = {0};

    if (!script_wants(config->owners, config->privileges, sql))
        return true;
    if (!config->secrets &&
        sql_secrets_cut(sql, config->dialect->standard_strings, &cut, &said)) {
        log_info("%s", text_of(&said));
        sql = text_of(&cut);
    }
    bool done = script_translate(script, sql, fault);
    text_free(&cut);
    text_free(&said);
    return done;
}

static bool
helpers_start(struct script *script, struct fault *fault)
{
    const struct script_config *config = &script->config;
    unsigned wanted = config->helpers;
    pthread_attr_t attributes;
    bool done = true;

    if (wanted == 0)
        return true;
    if (!sort_memory_plan(config->conn, wanted, &script->memory, fault) ||
        !sort_memory_set(config->conn, script->memory.idle_kib, fault))
        return false;
    if (wanted == 1)
        return true;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, FLOW_STACK_BYTES);
    while (done && script->helpers_count < wanted) {
        struct helper *helper = &script->helpers[script->helpers_count];
        helper->script = script;
        done = config->connect(config->argument, &helper->conn, fault);
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

struct script *
script_begin(const struct script_config *config, struct fault *fault)
{
    struct script *script = calloc(1, sizeof *script);

    if (script == NULL)
        memory_exhausted(sizeof *script);
    script->config = *config;
    script->state = config->guard->state;
    if (config->helpers > SCRIPT_HELPERS_MAX)
        script->config.helpers = SCRIPT_HELPERS_MAX;
    pthread_mutex_init(&script->lock, NULL);
    pthread_cond_init(&script->changed, NULL);
    if (helpers_start(script, fault))
        return script;
    script_end(script, fault, &(struct fault){0});
    return NULL;
}

bool
script_end(struct script *script, const struct fault *walked, struct fault *fault)
{
    struct fault settled = {0};

    if (walked->err == ERR_NONE)
        script_settle(script, &settled);
    pthread_mutex_lock(&script->lock);
    queue_clear(&script->queue);
    script->ended = true;
    pthread_cond_broadcast(&script->changed);
    pthread_mutex_unlock(&script->lock);
    for (unsigned i = 0; i < script->helpers_count; i++)
        pthread_join(script->helpers[i].thread, NULL);

    if (walked->err == ERR_NONE || walked->err == ERR_STOPPED)
        fault_hand_over(fault, &script->fault);
    fault_hand_over(fault, walked);
    families_free(&script->families);
    pthread_cond_destroy(&script->changed);
    pthread_mutex_destroy(&script->lock);
    free(script);
    return fault->err == ERR_NONE;
}

bool
script_last(struct pg_session *conn, struct text *last, struct fault *fault)
{
    const char *sql = text_of(last), *end = sql + last->size;
    const struct sql_state any = {.encoding = -1};
    bool done = true;

    for (; done && sql < end; sql += strlen(sql) + 1)
        done = statement_run(conn, sql, &any, ERR_INTEGRITY, fault);
    text_free(last);
    return done;
}
