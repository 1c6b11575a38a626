/* restore_check - the proof: rows counted against the manifest; and ANALYZE (restore.h). */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "commands/restore.h"

enum { ANALYZE_ONLY_SINCE = 180000 };

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

/* What the destination says of a table that was loaded, or of the root that it was loaded through:
 * a root is counted with all of its partitions, and those of other servers are not ours to ask. */
struct loaded {
    bool countable;
    bool foreign_heirs; /* tables of other servers inherit from it */
};

/* Only what was loaded is analyzed.  ANALYZE of a parent takes a sample of its heirs, too, and asks
 * a foreign one's server, which may be away, or belong to a wrapper that can't read; no version has
 * words for a parent's own rows alone.  Since 18 it goes on to each heir without ONLY. */
static bool
table_analyze(struct pg_session *conn, const struct manifest_table *table,
              const struct loaded *loaded, struct fault *fault)
{
    struct text sql = {0};

    if (loaded->foreign_heirs && table->into_name == NULL) {
        log_warning("%s.%s is not analyzed, because foreign tables inherit from it", table->schema,
                    table->name);
        return true;
    }
    text_add(&sql, conn->server_version < ANALYZE_ONLY_SINCE ? "ANALYZE " : "ANALYZE ONLY ");
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
table_look(struct pg_session *conn, const struct manifest_table *table, struct loaded *loaded,
           struct fault *fault)
{
    struct text sql = {0}, name = {0};

    if (table->into_name != NULL)
        text_add_name_pair(&name, table->into_schema, table->into_name);
    else
        text_add_name_pair(&name, table->schema, table->name);
    text_add(&sql,
             "SELECT NOT row_security_active(c) AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend"
             " WHERE classid = 'pg_catalog.pg_class'::regclass AND objid = c AND deptype = 'e'),"
             " CASE WHEN relhassubclass THEN EXISTS ("
             "WITH RECURSIVE heir(oid) AS (SELECT inhrelid FROM pg_catalog.pg_inherits"
             " WHERE inhparent = c UNION SELECT inhrelid FROM pg_catalog.pg_inherits"
             " JOIN heir ON inhparent = heir.oid)"
             " SELECT FROM heir JOIN pg_catalog.pg_foreign_table ON ftrelid = heir.oid)"
             " ELSE false END"
             " FROM (SELECT ");
    text_add_literal(&sql, text_of(&name));
    text_add(&sql, "::regclass::oid) AS t(c) JOIN pg_catalog.pg_class ON pg_class.oid = c");
    PGresult *result = pg_query(conn, "look at a table", text_of(&sql), fault);
    *loaded = (struct loaded){0};
    if (result != NULL && PQntuples(result) == 1) {
        loaded->foreign_heirs = PQgetvalue(result, 0, 1)[0] == 't';
        loaded->countable = PQgetvalue(result, 0, 0)[0] == 't' &&
                            (table->into_name == NULL || !loaded->foreign_heirs);
    }
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
    struct loaded loaded;

    if (!table_look(&worker->conn, table, &loaded, fault))
        return false;
    if (!loaded.countable)
        log_info("%s.%s: its own rows can't be counted here; the destination took %llu by COPY",
                 table->schema, table->name, (unsigned long long) table->rows);
    /* In this order: statistics that know of frozen pages let count(*) be answered by an index. */
    return table_analyze(&worker->conn, table, &loaded, fault) &&
           (!loaded.countable || table_count(&worker->conn, &restore->manifest, table, fault));
}

bool
restore_check(struct restore *restore, struct fault *fault)
{
    struct crew crew = {.env = restore->env, .memory = &restore->memory, .stop = restore->stop,
                        .command = restore, .jobs_count = restore->manifest.tables_count,
                        .begin = worker_connect, .job = check_job};

    log_info("counting the rows of %zu table%s", restore->manifest.tables_count,
             text_plural(restore->manifest.tables_count));
    return crew_run(&crew, restore->workers, fault);
}
