/* restore_claim - two runs into one database would each find half of what the other has made
 * (restore.h). */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
#include "commands/restore.h"

/* A server sees a moment later that its client was killed. */
enum { CLAIM_MS = 3000, CLAIM_PAUSE_MS = 5 };

/* Who holds it, or no row. */
static bool
holder_ask(struct restore *restore, char pid[static 16], struct fault *fault)
{
    struct text sql = {0};

    text_addf(&sql,
              "SELECT pid FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted"
              " AND objsubid = 1 AND classid = %" PRIu32 " AND objid = %" PRIu32
              " AND database = (SELECT oid FROM pg_catalog.pg_database"
              "  WHERE datname = pg_catalog.current_database())"
              " AND pid <> pg_catalog.pg_backend_pid()",
              (uint32_t) (RESTORE_CLAIM >> 32), (uint32_t) RESTORE_CLAIM);
    PGresult *result = pg_query(&restore->conn, "ask who else restores into the database",
                                text_of(&sql), fault);
    text_free(&sql);
    if (result == NULL)
        return false;
    snprintf(pid, 16, "%s", PQntuples(result) == 0 ? "" : PQgetvalue(result, 0, 0));
    PQclear(result);
    return true;
}

static bool
claimed(const struct restore *restore, const char *pid, struct fault *fault)
{
    return fault_set(fault, ERR_LOCKED,
                     "another restore or copy into database %s is under way%s%s; nothing was "
                     "changed: wait until it has ended",
                     PQdb(restore->conn.pq), pid[0] == '\0' ? "" : ", by the server's process ",
                     pid);
}

static bool
claim_try(struct restore *restore, bool *ours, struct fault *fault)
{
    struct text sql = {0};

    text_addf(&sql, "SELECT pg_catalog.pg_try_advisory_lock(%" PRId64 ")",
              (int64_t) RESTORE_CLAIM);
    PGresult *result = pg_query(&restore->conn, "claim the destination", text_of(&sql), fault);
    *ours = result != NULL && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    text_free(&sql);
    return result != NULL;
}

bool
restore_claim(struct restore *restore, struct fault *fault)
{
    uint64_t deadline_ms = clock_ms() + CLAIM_MS;
    bool ours = false;
    char pid[16];

    if (!claim_try(restore, &ours, fault))
        return false;
    while (!ours && clock_ms() < deadline_ms)
        if (stop_wait(restore->stop, -1, 0, CLAIM_PAUSE_MS, fault) < 0 ||
            !claim_try(restore, &ours, fault))
            return false;
    return ours || (holder_ask(restore, pid, fault) && claimed(restore, pid, fault));
}

bool
restore_unclaimed(struct restore *restore, struct fault *fault)
{
    char pid[16];
    return holder_ask(restore, pid, fault) &&
           (pid[0] == '\0' || claimed(restore, pid, fault));
}
