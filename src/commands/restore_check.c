/* restore_check - the proof: rows counted against the manifest; and ANALYZE (restore.h). */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "commands/restore.h"

/* Count what one name holds, ONLY itself or with its partitions. */
static bool
rows_count(struct pg_session *conn, const char *schema, const char *name, bool only,
           uint64_t wanted, struct fault *fault)
{
    struct text sql = {0}, doing = {0};

    text_add(&doing, "count ");
    text_add_name_pair(&doing, schema, name);
    text_addf(&sql, "SELECT count(*) FROM %s", only ? "ONLY " : "");
    text_add_name_pair(&sql, schema, name);
    PGresult *result = pg_query(conn, text_of(&doing), text_of(&sql), fault);
    if (result != NULL) {
        uint64_t rows = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        if (rows != wanted)
            fault_set(fault, ERR_INTEGRITY, "%s.%s holds %llu rows, the manifest says %llu",
                      schema, name, (unsigned long long) rows, (unsigned long long) wanted);
    }
    PQclear(result);
    text_free(&sql);
    text_free(&doing);
    return fault->err == ERR_NONE;
}

static bool
same_root(const struct manifest_table *one, const struct manifest_table *other)
{
    return one->into_name != NULL && other->into_name != NULL &&
           strcmp(one->into_name, other->into_name) == 0 &&
           strcmp(one->into_schema, other->into_schema) == 0;
}

/* Rows that were loaded through a root may lie in any of its partitions: the first of them counts
 * for the family. */
static bool
table_count(struct pg_session *conn, const struct manifest *manifest,
            const struct manifest_table *table, struct fault *fault)
{
    uint64_t rows = 0;

    if (table->into_name == NULL)
        return rows_count(conn, table->schema, table->name, true, table->rows, fault);
    for (const struct manifest_table *other = manifest->tables;
         other < manifest->tables + manifest->tables_count; other++) {
        if (!same_root(table, other))
            continue;
        if (other < table)
            return true;
        rows += other->rows;
    }
    return rows_count(conn, table->into_schema, table->into_name, false, rows, fault);
}

static bool
table_analyze(struct pg_session *conn, const struct manifest_table *table, struct fault *fault)
{
    struct text sql = {0};

    text_add(&sql, "ANALYZE ");
    text_add_name_pair(&sql, table->schema, table->name);
    bool done = pg_run(conn, "analyze a table", text_of(&sql), fault);
    text_free(&sql);
    return done;
}

/* An extension's table holds rows of its own beside the user's; rows can be counted only where no
 * policy hides them, as one forced on its owner does.  Elsewhere COPY's count has to do.  It is
 * asked of the name that is counted: a root's policies hold for its partitions' rows, too, and
 * theirs do not. */
static bool
table_is_countable(struct pg_session *conn, const struct manifest_table *table, bool *countable,
                   struct fault *fault)
{
    struct text sql = {0}, name = {0};

    if (table->into_name != NULL)
        text_add_name_pair(&name, table->into_schema, table->into_name);
    else
        text_add_name_pair(&name, table->schema, table->name);
    text_add(&sql,
             "SELECT NOT row_security_active(c) AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend"
             " WHERE classid = 'pg_catalog.pg_class'::regclass AND objid = c AND deptype = 'e')"
             " FROM (SELECT ");
    text_add_literal(&sql, text_of(&name));
    text_add(&sql, "::regclass::oid) AS t(c)");
    PGresult *result = pg_query(conn, "look at a table", text_of(&sql), fault);
    *countable = result != NULL && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    text_free(&name);
    text_free(&sql);
    return result != NULL;
}

static bool
worker_connect(struct worker *worker, struct fault *fault)
{
    return restore_connect(worker->crew->command, &worker->conn, fault);
}

static bool
check_job(struct worker *worker, size_t index, struct fault *fault)
{
    struct restore *restore = worker->crew->command;
    const struct manifest_table *table = &restore->manifest.tables[index];
    bool countable;

    if (!table_is_countable(&worker->conn, table, &countable, fault))
        return false;
    if (!countable)
        log_info("%s.%s: its own rows can't be counted here; the destination took %llu by COPY",
                 table->schema, table->name, (unsigned long long) table->rows);
    /* In this order: statistics that know of frozen pages let count(*) be answered by an index. */
    return table_analyze(&worker->conn, table, fault) &&
           (!countable || table_count(&worker->conn, &restore->manifest, table, fault));
}

bool
restore_check(struct restore *restore, struct fault *fault)
{
    struct crew crew = {.env = restore->env, .memory = &restore->memory, .stop = restore->stop,
                        .command = restore, .jobs_count = restore->manifest.tables_count,
                        .begin = worker_connect, .job = check_job};

    log_info("counting the rows of %zu tables", restore->manifest.tables_count);
    return crew_run(&crew, restore->workers, fault);
}
