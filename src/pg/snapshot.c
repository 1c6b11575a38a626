/* snapshot - see snapshot.h. */
#include "pg/snapshot.h"

#include <stdio.h>

#include "base/text.h"

static const char begin[] = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

bool
snapshot_begin(struct pg_session *leader, struct fault *fault)
{
    return pg_run(leader, "begin the dump's transaction", begin, fault);
}

bool
snapshot_export(struct pg_session *leader, struct snapshot *snapshot, struct fault *fault)
{
    if (PQtransactionStatus(leader->pq) == PQTRANS_IDLE && !snapshot_begin(leader, fault))
        return false;
    PGresult *result = pg_query(leader, "export a snapshot",
        "SELECT pg_catalog.pg_export_snapshot(), CASE WHEN pg_catalog.pg_is_in_recovery()"
        " THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END",
        fault);
    if (result == NULL)
        return false;
    snprintf(snapshot->id, sizeof snapshot->id, "%s", PQgetvalue(result, 0, 0));
    snprintf(snapshot->lsn, sizeof snapshot->lsn, "%s", PQgetvalue(result, 0, 1));
    PQclear(result);
    return true;
}

bool
snapshot_import(struct pg_session *worker, const struct snapshot *snapshot, struct fault *fault)
{
    struct text sql = {0};

    text_addf(&sql, "%s; SET TRANSACTION SNAPSHOT '%s'; SET LOCAL lock_timeout = '%d s'", begin,
              snapshot->id, SNAPSHOT_LOCK_SECONDS);
    bool joined = pg_run(worker, "join the dump's snapshot", text_of(&sql), fault);
    text_free(&sql);
    return joined;
}
