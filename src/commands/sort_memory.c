/* sort_memory - see sort_memory.h. */
#include "commands/sort_memory.h"

#include <stdlib.h>

#include "base/text.h"

/* A merge of PostgreSQL's takes up to mem / 272 KiB runs, of mem bytes each (merge_order in
 * tuplesort.c: 34 blocks a run), so one suffices from mem = sqrt(bytes * 272 KiB) on.  The table's
 * bytes stand for those of any index on it. */
static const char plan_sql[] =
    "SELECT idle, least(idle, greatest(16384, ceil(sqrt(bytes / 1024 * 272))))::int8 FROM (SELECT"
    " greatest(m.setting::int8, least(1048576, c.setting::int8 / %u)) AS idle,"
    " (SELECT coalesce(max(pg_catalog.pg_relation_size(oid)), 0) FROM pg_catalog.pg_class"
    "  WHERE relkind IN ('r', 'm'))::float8 AS bytes"
    " FROM pg_catalog.pg_settings m, pg_catalog.pg_settings c"
    " WHERE m.name = 'maintenance_work_mem' AND c.name = 'effective_cache_size') AS found";

bool
sort_memory_plan(struct pg_session *conn, unsigned helpers, struct sort_memory *memory,
                 struct fault *fault)
{
    struct text sql = {0};

    /* effective_cache_size comes in blocks of 8 KiB: so many eighths of it are as many KiB. */
    text_addf(&sql, plan_sql, helpers);
    PGresult *result = pg_query(conn, "look how much memory an index may take", text_of(&sql),
                                fault);
    text_free(&sql);
    if (result == NULL)
        return false;
    memory->idle_kib = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    memory->busy_kib = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
    PQclear(result);
    return true;
}

bool
sort_memory_set(struct pg_session *conn, uint64_t kib, struct fault *fault)
{
    struct text sql = {0};

    text_addf(&sql, "SET maintenance_work_mem = '%llukB'", (unsigned long long) kib);
    bool done = pg_run(conn, "prepare a connection that builds indexes", text_of(&sql), fault);
    text_free(&sql);
    return done;
}
