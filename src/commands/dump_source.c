/* dump_source - the source's end of a dump, or of a copy (dump.h). */
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "commands/dump.h"
#include "pg/recode.h"
#include "pg/sql_source.h"

bool
dump_takes_large_objects(const struct env *env)
{
    return env->large_objects == ENV_LARGE_YES ||
           (env->large_objects == ENV_LARGE_AUTO && env->tables[0] == '\0');
}

bool
dump_wishes_read(struct dump *dump, struct wishes *wishes, struct pg_session *conn,
                 struct fault *fault)
{
    const struct {
        const char *variable, *text;
        struct patterns *patterns;
    } lists[] = {
        {"REPLICA_TABLES", dump->env->tables, &wishes->selection.tables},
        {"REPLICA_SKIP_TABLES", dump->env->skip_tables, &wishes->selection.skip_tables},
        {"REPLICA_SKIP_DATA", dump->env->skip_data, &wishes->selection.skip_data},
    };
    const char *text;

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        text = lists[i].text;
        if (conn != NULL)
            text = pg_recode(conn, &dump->arena, lists[i].variable, text, fault);
        if (text == NULL ||
            !patterns_read(&dump->arena, lists[i].variable, text, lists[i].patterns, fault))
            return false;
    }
    wishes->selection.large_objects = dump_takes_large_objects(dump->env);
    text = dump->env->transform;
    if (conn != NULL)
        text = pg_recode(conn, &dump->arena, "REPLICA_TRANSFORM", text, fault);
    wishes->rules = text == NULL ? NULL : rules_read(&dump->arena, text, fault);
    return wishes->rules != NULL;
}

bool
dump_bind(struct dump *dump, const struct wishes *wishes, struct rules_report *report,
          struct fault *fault)
{
    const struct catalog *catalog = &dump->catalog;

    if (!rules_bind(wishes->rules, catalog, &dump->arena, &dump->masks, fault) ||
        !dump_routes_check(dump, fault) ||
        !constraints_judge(&dump->leader, catalog, dump->masks, &dump->arena, report, fault))
        return false;
    for (size_t i = 0; i < catalog->tables_count; i++)
        dump->masked = dump->masked || dump->masks[i].ruled_count > 0;
    if (rules_count(wishes->rules) > 0 && catalog->large_objects &&
        catalog->large_objects_count > 0)
        rules_report_warn(report, &dump->arena, arena_print(&dump->arena,
            "no rule reaches into large objects: %llu are dumped as they are; "
            "REPLICA_LARGE_OBJECTS=no leaves them out",
            (unsigned long long) catalog->large_objects_count));
    return true;
}

bool
dump_prepare(struct dump *dump, struct wishes *wishes, struct fault *fault)
{
    struct pg_session *leader = &dump->leader;
    struct rules_report report = {0};
    bool done = dump_wishes_read(dump, wishes, NULL, fault) &&
                pg_open(leader, dump->env->from, ERR_SOURCE, dump->stop, fault) &&
                dump_wishes_read(dump, wishes, leader, fault) &&
                snapshot_export(leader, &dump->snapshot, fault) &&
                memory_for_dump(dump->env, leader, &dump->memory, fault) &&
                catalog_read(leader, dump->env->from, &wishes->selection, &dump->arena,
                             &dump->snapshot, &dump->catalog, fault) &&
                dump_bind(dump, wishes, &report, fault);

    for (size_t i = 0; i < report.warnings_count; i++)
        log_warning("%s", report.warnings[i]);
    if (done && report.held > 0)
        log_info("constraints that took a hundred results of the rules: %zu", report.held);
    return done;
}

void
dump_describe(struct dump *dump)
{
    struct manifest *manifest = &dump->manifest;

    manifest->replica_version = REPLICA_VERSION;
    manifest->server_version = arena_text(&dump->arena, pg_version_text(&dump->leader));
    manifest->database = arena_text(&dump->arena, PQdb(dump->leader.pq));
    manifest->encoding = arena_text(&dump->arena, pg_encoding(&dump->leader));
    manifest->lc_monetary = "C"; /* settings.def */
    manifest->lsn = dump->snapshot.lsn;
    manifest->snapshot = dump->snapshot.id;
}

bool
dump_join(struct dump *dump, struct worker *worker, struct fault *fault)
{
    worker->copy_out.moved = &dump->progress.rows;
    return pg_open_beside(&worker->conn, dump->env->from, &dump->leader, fault) &&
           snapshot_import(&worker->conn, &dump->snapshot, fault);
}

/* Every column that is not generated. */
static void
add_columns(struct text *sql, const struct table *table)
{
    const char *comma = "";

    for (size_t i = 0; i < table->columns_count; i++) {
        if (table->columns[i].generated)
            continue;
        text_add(sql, comma);
        text_add_name(sql, table->columns[i].name);
        comma = ", ";
    }
}

/* COPY with every column named.  A query where only some rows are wanted: those that the condition
 * of an extension's configuration table calls the user's, or those in some blocks, which PostgreSQL
 * finds by a TID range scan. */
static void
copy_statement(struct text *sql, const struct dump_piece *piece, bool binary)
{
    const struct table *table = piece->table;
    struct text columns = {0};

    add_columns(&columns, table);
    if (piece->whole && table->condition == NULL) {
        text_add(sql, "COPY ");
        text_add_name_pair(sql, table->schema, table->name);
        if (columns.size > 0)
            text_addf(sql, " (%s)", text_of(&columns));
    } else {
        text_addf(sql, "COPY (SELECT %s FROM ONLY ", text_of(&columns));
        text_add_name_pair(sql, table->schema, table->name);
        if (table->condition != NULL)
            text_addf(sql, " %s", table->condition);
        else
            text_addf(sql, " WHERE ctid >= '(%llu,0)'", (unsigned long long) piece->begin);
        if (table->condition == NULL && piece->end > 0)
            text_addf(sql, " AND ctid < '(%llu,0)'", (unsigned long long) piece->end);
        text_add(sql, ")");
    }
    text_add(sql, binary ? " TO STDOUT WITH (FORMAT binary)" : " TO STDOUT");
    text_free(&columns);
}

static void
lock_statement(struct text *sql, const struct table *table)
{
    text_add(sql, "LOCK TABLE ONLY ");
    text_add_name_pair(sql, table->schema, table->name);
    text_add(sql, " IN ACCESS SHARE MODE; ");
}

bool
dump_check_names(struct dump *dump, enum hold_moment moment, struct fault *fault)
{
    pthread_mutex_lock(&dump->asking);
    bool held = hold_check(&dump->leader, dump->env->from, &dump->catalog, moment, fault);
    pthread_mutex_unlock(&dump->asking);
    return held;
}

/* COPY has its table open now, and no schema was renamed before: so it is the table of the catalog,
 * and the rules are its own.  What no rule hides may as well be found out in the end, before the
 * manifest; it spares small tables a question each. */
bool
dump_piece_begin(struct dump *dump, struct worker *worker, const struct dump_piece *piece,
                 bool binary, struct text *doing, struct fault *fault)
{
    const struct table *table = piece->table;
    struct text sql = {0};

    text_add(doing, "copy ");
    text_add_name_pair(doing, table->schema, table->name);
    lock_statement(&sql, table);
    copy_statement(&sql, piece, binary);
    bool done = copy_out_begin(&worker->copy_out, &worker->conn, text_of(doing), text_of(&sql),
                               binary, fault);
    text_free(&sql);
    if (!done && strcmp(worker->conn.sqlstate, "55P03") == 0) /* lock_not_available */
        fault_because(fault, "after %d s behind somebody who waits to have it for himself alone",
                      SNAPSHOT_LOCK_SECONDS);
    return done && (!dump->masked || dump_check_names(dump, HOLD_NAMES, fault));
}

void
dump_piece_end(struct dump *dump, struct dump_piece *piece)
{
    const struct table *table = piece->table;

    log_debug("copied %s.%s from block %llu: %llu rows", table->schema, table->name,
              (unsigned long long) piece->begin, (unsigned long long) piece->rows);
    if (atomic_fetch_sub(piece->left, 1) == 1)
        progress_add_table(&dump->progress);
}

/* Not wanted: statements that a selection has made impossible, and a setting that servers before 17
 * do not know. */
bool
dump_keep_statement(const void *argument, const char *sql)
{
    const struct catalog *catalog = argument;

    for (size_t i = 0; i < catalog->lost_count; i++) {
        size_t size = strlen(catalog->lost[i]);
        if (strncmp(sql, catalog->lost[i], size) == 0 && strchr(" (;\n", sql[size]) != NULL)
            return false;
    }
    return strcmp(sql, "SET transaction_timeout = 0;") != 0;
}

static bool
section_hand_over(struct dump *dump, sql_statement_fn *statement, void *argument,
                  struct fault *fault)
{
    static const _Atomic uint64_t uncut = 0;
    struct sql_target target;
    struct sql_source source;
    struct flow flow;

    flow_init(&flow, dump->stop, FLOW_RING_BYTES_MIN);
    flow_begin(&flow);
    sql_source_open(&source, pg_dump_section(&dump->pg_dump), NULL, dump_keep_statement,
                    &dump->catalog);
    flow_add(&flow, sql_source_init(&source, &uncut, UINT64_MAX));
    flow_seam(&flow);
    flow_add(&flow, sql_target_init(&target, (struct sql_promise){0}, statement, argument));
    bool done = flow_run(&flow, fault);
    sql_source_close(&source);
    flow_free(&flow);
    return done;
}

bool
dump_schema(struct dump *dump, sql_statement_fn *statement, void *argument, struct fault *fault)
{
    struct catalog catalog = dump->catalog;
    bool done = true;

    catalog.large_objects = false;
    pg_dump_open(&dump->pg_dump, &dump->leader, &dump->snapshot, &catalog);
    for (unsigned i = 0; i < PG_DUMP_SECTIONS && done; i++)
        done = section_hand_over(dump, statement, argument, fault);
    pg_dump_close(&dump->pg_dump);
    return done || fault_because(fault, "while looking through the schema");
}
