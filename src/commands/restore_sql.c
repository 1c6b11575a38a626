/* restore_sql - the SQL objects of a dump, read and run statement by statement (restore.h). */
#include <stdio.h>
#include <string.h>

#include "commands/restore.h"
#include "commands/script.h"
#include "pg/settings.h"

bool
restore_statements(struct restore *restore, const struct manifest_object *object,
                   struct sql_guard *guard, sql_statement_fn *statement, void *argument,
                   struct fault *fault)
{
    struct crew crew = {.env = restore->env, .memory = &restore->memory, .stop = restore->stop};
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
    const struct sql_promise promise = {.guard = guard, .name = path,
                                        .bytes_wanted = object->plain_bytes};
    flow_add(&clerk.flow, sql_target_init(&target, promise, statement, argument));
    bool done = flow_run(&clerk.flow, fault);
    worker_close(&clerk);
    return done;
}

static bool
connect_helper(void *restore, struct pg_session *conn, struct fault *fault)
{
    return restore_connect(restore, conn, fault);
}

struct script *
restore_script(struct restore *restore, bool parallel, const struct sql_guard *guard,
               struct fault *fault)
{
    const struct script_config config = {
        .conn = &restore->conn,
        .helpers = parallel ? restore->workers : 0,
        .connect = connect_helper,
        .argument = restore,
        .owners = restore->env->owners,
        .privileges = restore->env->privileges,
        .secrets = restore->env->secrets,
        .last = &restore->last,
        .guard = guard,
        .dialect = &restore->dialect,
    };
    return script_begin(&config, fault);
}

/* What walks through an SQL object, and what the server said to the statement that it refused. */
struct hearing {
    struct restore *restore;
    struct script *script;
    struct fault refusal;
};

/* A damaged byte may make the server refuse a statement long before the checksum is known.  So the
 * rest is read all the same, and damage found there is the failure.  Nothing more is run. */
static bool
statement_hear(void *argument, const char *sql, struct fault *fault)
{
    struct hearing *hearing = argument;
    struct pg_session *conn = &hearing->restore->conn;

    if (hearing->refusal.err != ERR_NONE)
        return true;
    if (script_statement(hearing->script, sql, fault))
        return true;
    if (fault->err != conn->side || conn->sqlstate[0] == '\0' ||
        PQstatus(conn->pq) != CONNECTION_OK)
        return false;
    hearing->refusal = *fault;
    *fault = (struct fault){0};
    return true;
}

bool
restore_sql(struct restore *restore, const struct manifest_object *object, bool parallel,
            struct sql_guard *guard, struct fault *fault)
{
    struct fault walked = {0};
    struct script *script = restore_script(restore, parallel, guard, fault);
    bool done = script != NULL;

    if (done) {
        struct hearing hearing = {.restore = restore, .script = script};
        restore_statements(restore, object, guard, statement_hear, &hearing, &walked);
        fault_hand_over(&walked, &hearing.refusal);
        done = script_end(script, &walked, fault);
    }
    return done ||
           fault_because(fault, "while restoring %s/%s", restore->manifest.name, object->name);
}

bool
restore_last(struct restore *restore, struct fault *fault)
{
    return script_last(&restore->conn, &restore->last, fault) ||
           fault_because(fault, "while restoring the event triggers");
}

bool
restore_sql_end(struct restore *restore, const struct sql_guard *guard, struct fault *fault)
{
    return sql_guard_end(guard, fault) &&
           pg_run(&restore->conn, "end a script",
                  "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL", fault) &&
           settings_apply(&restore->conn, NULL, fault) &&
           restore_encoding(restore, &restore->conn, fault);
}
