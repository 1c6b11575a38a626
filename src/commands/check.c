/* check - the preflight: all that can be asked is asked, also after the first failure (check.h). */
#include "commands/check.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/json.h"
#include "commands/commands.h"
#include "commands/output.h"

/* Which way the bytes would go, for a question to make sense. */
enum way { ALWAYS, FROM_DATABASE, FROM_STORE, TO_DATABASE, TO_STORE, STORE_TO_DATABASE };

enum answer { NOT_ASKED, OK, WARNING, FAILED, SKIPPED };

enum { NEEDS_MAX = 2 };

struct question {
    const char *name;
    enum way way;
    const char *needs[NEEDS_MAX]; /* questions that must have gone well before */
    check_question_fn *ask;
};

struct line {
    enum answer answer;
    enum err kind; /* of the failure */
    struct text said;
};

static check_question_fn check_memory;

/* In the order they are asked.  The last four move bytes through a flow, whose failure throws the
 * stop switch, so nothing can come after it; schema is not asked of a store, nor what follows it of
 * a database. */
static const struct question questions[] = {
    {"settings", FROM_DATABASE, {NULL}, check_settings},
    {"store", TO_STORE, {NULL}, check_store},
    {"dump", FROM_STORE, {NULL}, check_dump},
    {"volumes", FROM_STORE, {"dump"}, check_volumes},
    {"destination", TO_DATABASE, {NULL}, check_destination},
    {"rights", TO_DATABASE, {"destination"}, check_rights},
    {"empty", TO_DATABASE, {"destination"}, check_empty},
    {"source", FROM_DATABASE, {NULL}, check_source},
    {"snapshot", FROM_DATABASE, {"source"}, check_snapshot},
    {"tables", FROM_DATABASE, {"settings", "snapshot"}, check_tables},
    {"rules", FROM_DATABASE, {"tables"}, check_rules},
    {"memory", ALWAYS, {NULL}, check_memory},
    {"schema", FROM_DATABASE, {"tables"}, check_schema},
    {"statements", STORE_TO_DATABASE, {"dump", "destination"}, check_statements},
    {"permissions", STORE_TO_DATABASE, {"statements", "rights"}, check_permissions},
    {"extensions", STORE_TO_DATABASE, {"destination", "permissions"}, check_extensions},
};

enum { QUESTIONS_COUNT = sizeof questions / sizeof *questions };

/* Asked once it is known how much there is to hold: the catalog, or the manifest. */
static bool
check_memory(struct check *check, struct text *said, struct fault *fault)
{
    enum place from = env_place(check->env->from), to = env_place(check->env->to);
    const struct manifest *manifest = &check->restore.manifest;
    struct pg_session *leader = &check->dump.leader;
    bool usable = leader->pq != NULL && PQtransactionStatus(leader->pq) == PQTRANS_INTRANS;
    struct memory_plan plan;
    bool ok;

    if (from == PLACE_POSTGRES || env_place_is_store(to))
        ok = memory_for_dump(check->env, usable ? leader : NULL, &plan, fault);
    else
        ok = memory_for_manifest(check->env,
                                 to == PLACE_POSTGRES ? MEMORY_RESTORE : MEMORY_EXPORT,
                                 manifest->held_bytes == 0 ? NULL : manifest, &plan, fault);
    if (!ok)
        return false;
    check->restore.memory = plan;
    memory_describe(&plan, said);
    return true;
}

void
check_describe(struct text *said, const struct pg_session *conn)
{
    const char *protocol = PQsslAttribute(conn->pq, "protocol");
    const char *host = PQhost(conn->pq);

    text_addf(said, "PostgreSQL %s, database %s as %s, %s, ", pg_version_text(conn),
              PQdb(conn->pq), PQuser(conn->pq), pg_encoding(conn));
    if (PQsslInUse(conn->pq))
        text_add(said, protocol == NULL ? "TLS" : protocol);
    else
        text_add(said, host != NULL && host[0] == '/' ? "by a Unix socket" : "without TLS");
    if (conn->pooled)
        text_add(said, ", through a pooler in session mode");
}

static bool
way_is(enum way way, const struct env *env)
{
    enum place from = env_place(env->from), to = env_place(env->to);

    switch (way) {
    case ALWAYS:
        return true;
    case FROM_DATABASE:
        return from == PLACE_POSTGRES;
    case FROM_STORE:
        return env_place_is_store(from);
    case TO_DATABASE:
        return to == PLACE_POSTGRES;
    case TO_STORE:
        return env_place_is_store(to);
    case STORE_TO_DATABASE:
        return env_place_is_store(from) && to == PLACE_POSTGRES;
    }
    return false;
}

/* The first of the needed answers that is missing, or NULL. */
static const char *
need_missing(const struct question *question, const struct line *lines)
{
    for (size_t i = 0; i < NEEDS_MAX && question->needs[i] != NULL; i++) {
        size_t at = 0;
        while (strcmp(questions[at].name, question->needs[i]) != 0) {
            at++;
            assert(at < QUESTIONS_COUNT);
        }
        if (lines[at].answer != OK && lines[at].answer != WARNING)
            return question->needs[i];
    }
    return NULL;
}

static void
question_ask(struct check *check, const struct question *question, struct line *lines,
             struct fault *fault)
{
    struct line *line = &lines[question - questions];
    const char *missing = need_missing(question, lines);

    check->warns = false;
    if (missing != NULL) {
        line->answer = SKIPPED;
        text_addf(&line->said, "needs %s", missing);
    } else if (question->ask(check, &line->said, fault)) {
        line->answer = check->warns ? WARNING : OK;
    } else {
        line->answer = FAILED;
        line->kind = fault->err;
        text_clear(&line->said);
        text_add(&line->said, fault->text);
    }
}

/* Ask whatever makes sense.  Only a signal ends it early.  first receives the failure that gives
 * the exit status, with the name of its question. */
static bool
questions_ask(struct check *check, struct line *lines, struct fault *first, struct fault *fault)
{
    size_t asked = 0, failed = 0;
    const char *name = "";

    for (size_t i = 0; i < QUESTIONS_COUNT; i++) {
        if (!way_is(questions[i].way, check->env))
            continue;
        struct fault failure = {0};
        question_ask(check, &questions[i], lines, &failure);
        if (failure.err == ERR_STOPPED || atomic_load(&check->stop->signal) != 0)
            return fault_set(fault, ERR_STOPPED, "stopped");
        asked++;
        if (lines[i].answer != FAILED)
            continue;
        if (failed++ == 0)
            name = questions[i].name;
        fault_hand_over(first, &failure);
    }
    if (failed > 0) {
        struct fault summed = {0};
        fault_set(&summed, first->err, "%zu of %zu checks failed; %s%s: %s", failed, asked,
                  failed > 1 ? "first " : "", name, first->text);
        *first = summed;
    }
    return true;
}

/* A failure may have a line for each of several mistakes. */
static const char *
in_one_line(struct text *text)
{
    for (size_t i = 0; i < text->size; i++)
        if (text->data[i] == '\n')
            text->data[i] = i + 1 < text->size ? ';' : ' ';
    return text_of(text);
}

static void
report_add(struct text *report, struct line *lines)
{
    static const char *const words[] = {"", "ok", "warn", "FAIL", "skip"};
    struct output table;

    output_begin(&table, "lll");
    for (size_t i = 0; i < QUESTIONS_COUNT; i++)
        if (lines[i].answer != NOT_ASKED)
            output_cells(&table, words[lines[i].answer], questions[i].name,
                         in_one_line(&lines[i].said));
    output_end(&table, report);
}

static void
report_add_json(struct text *report, const struct line *lines, bool ok)
{
    static const char *const words[] = {"", "ok", "warning", "failed", "skipped"};
    bool more = false;

    text_addf(report, "{\"ok\":%s,\"checks\":[", ok ? "true" : "false");
    for (size_t i = 0; i < QUESTIONS_COUNT; i++) {
        if (lines[i].answer == NOT_ASKED)
            continue;
        text_addf(report, "%s\n{\"check\":\"%s\",\"state\":\"%s\",", more ? "," : "",
                  questions[i].name, words[lines[i].answer]);
        if (lines[i].answer == FAILED)
            text_addf(report, "\"kind\":\"%s\",", err_name(lines[i].kind));
        text_add(report, "\"text\":");
        json_add_string(report, text_of(&lines[i].said));
        text_add(report, "}");
        more = true;
    }
    text_add(report, "\n]}\n");
}

static bool
ends_are_known(const struct env *env, struct fault *fault)
{
    for (size_t i = 0; i < QUESTIONS_COUNT; i++)
        if (questions[i].way != ALWAYS && way_is(questions[i].way, env))
            return true;
    return fault_set(fault, ERR_CONFIG, "nothing to check: set REPLICA_FROM, REPLICA_TO, or both, "
                                        "to a database or a store");
}

static bool
check_command(struct check *check, struct line *lines, struct fault *fault)
{
    struct fault first = {0};
    struct text report = {0};

    if (!ends_are_known(check->env, fault) || !questions_ask(check, lines, &first, fault))
        return false;
    if (check->env->log_format == LOG_JSON)
        report_add_json(&report, lines, first.err == ERR_NONE);
    else
        report_add(&report, lines);

    /* A flow that failed has thrown the switch; the report is written all the same. */
    struct stop unmoved;
    bool ok = stop_init(&unmoved, fault);
    if (ok) {
        ok = output_write(&report, &unmoved, fault);
        stop_free(&unmoved);
    }
    text_free(&report);
    if (!ok)
        return false;
    fault_hand_over(fault, &first);
    return fault->err == ERR_NONE;
}

bool
check_run(const struct env *env, struct stop *stop, struct fault *fault)
{
    struct line lines[QUESTIONS_COUNT] = {0};
    struct check check = {.env = env, .stop = stop, .dump = {.env = env, .stop = stop},
                          .restore = {.env = env, .stop = stop, .workers = 1}};
    bool ok = check_command(&check, lines, fault);

    pg_close(&check.dump.leader);
    pg_close(&check.restore.conn);
    sql_dialect_free(&check.restore.dialect);
    store_close(check.store);
    store_close(check.restore.store);
    arena_free(&check.dump.arena);
    arena_free(&check.restore.arena);
    for (size_t i = 0; i < QUESTIONS_COUNT; i++)
        text_free(&lines[i].said);
    return ok;
}
