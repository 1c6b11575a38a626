/* snapshot - one moment of the source that all connections of a dump see.
 *
 *      leader  ──export──▶ id ──import──▶ worker, worker, … and pg_dump
 *
 * Nobody can join once the leader's transaction has ended, so the leader stays open, idle in its
 * transaction, until the last byte of the dump is durable.
 *
 * Source: PostgreSQL documentation, "Snapshot Synchronization Functions". */
#ifndef PG_SNAPSHOT_H
#define PG_SNAPSHOT_H

#include "pg/conn.h"

enum { SNAPSHOT_LOCK_SECONDS = 10 };

struct snapshot {
    char id[64];
    char lsn[32]; /* where the source's WAL stood when it was taken */
};

/* Begin the leader's transaction.  Locks that are taken before snapshot_export() are held from
 * before the snapshot on: LOCK TABLE takes none. */
bool snapshot_begin(struct pg_session *leader, struct fault *fault);

/* Take the snapshot, in a transaction that is begun unless it is already. */
bool snapshot_export(struct pg_session *leader, struct snapshot *snapshot, struct fault *fault);

/* Join it.  The leader holds the locks that matter, so who has to wait for one waits behind
 * somebody who waits for the leader: a deadlock that the server can't see.  He may give up by a
 * lock_timeout of his own, so it is borne for SNAPSHOT_LOCK_SECONDS; not longer, for all who want
 * the table now stand behind him. */
bool snapshot_import(struct pg_session *worker, const struct snapshot *snapshot,
                     struct fault *fault);

#endif
