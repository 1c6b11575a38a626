/* sql_dialect - what becomes of a statement of pg_dump 18 at a server that is older.
 *
 * pg_dump writes for servers of its own version, whatever it reads from: some of its words are
 * syntax errors before 18, even in the dump of a 13 for a 13.  Where an older server can be told
 * the same in other words, the statement is rewritten; what only makes rows smaller or faster there
 * (a compression, a format on the wire), or lets fewer people do something, is left out and said;
 * everything else, which would be another schema than the one that was dumped, is refused by the
 * object's name.  Only a source newer than the destination can have that.
 *
 *     since  pg_dump 18 writes                        an older server gets
 *     18     NOT NULL of an inherited column          ALTER TABLE ONLY … SET NOT NULL
 *     18     … NO INHERIT, … NOT VALID                refused
 *     18     COMMENT ON CONSTRAINT of a NOT NULL      nothing, and a line
 *     18     virtual columns, NOT ENFORCED, WITHOUT OVERLAPS, PERIOD, a key of a partitioned table
 *            NOT VALID, publish_generated_columns, RETURNING WITH (…)    refused
 *     18     default privileges of large objects      nothing, and a line
 *     17     GRANT MAINTAIN                           the other privileges, and a line
 *     17     SET ACCESS METHOD of a partitioned table nothing when it is heap; else refused
 *     17     ON login, provider = builtin, JSON_TABLE() and kin, AT LOCAL        refused
 *     17     a domain's NOT NULL added later          ALTER DOMAIN … SET NOT NULL
 *     16     run_as_owner = true, streaming = parallel    what is the same there
 *     16     rules of a collation, origin, password_required = false, IS JSON, JSON_OBJECT()
 *            and kin, SYSTEM_USER                     refused
 *     15     LOGGED, UNLOGGED of a sequence           nothing
 *     15     NULLS NOT DISTINCT, ON DELETE SET NULL (…), security_invoker, lists of columns, WHERE
 *            and schemas of publications, two_phase, disable_on_error, MERGE     refused
 *     14     multirange_type_name, SUBSCRIPT of arrays, streaming = off, compression = pglz
 *                                                     nothing
 *     14     compression = lz4, streaming = on, binary = true    nothing, and a line
 *     14     SQL in the body of a function, OUT of a procedure, statistics on expressions,
 *            SUBSCRIPT, GROUP BY DISTINCT, SEARCH, CYCLE, SUBSTRING(… SIMILAR …)    refused
 *     any    parameters of storage that are younger   nothing, and a line
 *
 * (pg_dump.c, dumputils.c and ruleutils.c of PostgreSQL 18; release notes of 14 to 18, "Migration"
 * and "E.…".)  What a schema calls of a newer server's catalog, a function or a collation, is not
 * known here: the destination refuses it itself.
 *
 * Life:   sql_dialect_init; each statement in its order, for the setting of standard_conforming_
 *         strings and the names of constraints are remembered; sql_dialect_free.
 * Limits: SQL_DIALECT_NAMES_BYTES of remembered names; whose name is not remembered keeps its
 *         comment, which the destination then refuses.
 * Threads: one at a time. */
#ifndef PG_SQL_DIALECT_H
#define PG_SQL_DIALECT_H

#include <stdbool.h>

#include "base/text.h"

enum { SQL_DIALECT_NEWEST = 18, SQL_DIALECT_NAMES_BYTES = 4 * 1024 * 1024 };

struct sql_dialect {
    int major;             /* of the server that shall understand the statements: 13 */
    bool stored;           /* they are for a store, and so for newer servers as well */
    bool standard_strings; /* as the statements themselves set it */
    struct text names;     /* of NOT NULLs that have one at the source alone */
    struct text then;      /* a statement that follows the one that was rewritten; "": none */
};

enum sql_fate {
    SQL_KEPT,      /* as it is */
    SQL_REWRITTEN, /* another text says the same */
    SQL_LEFT_OUT,
    SQL_REFUSED,
};

/* server_version as libpq gives it, 130023 for 13.23. */
void sql_dialect_init(struct sql_dialect *dialect, int server_version);

/* The same, for statements that stay: of the source's version, but only in words that mean the same
 * to newer ones.  Nothing is left out or refused then; of the list it is the first line. */
void sql_dialect_init_stored(struct sql_dialect *dialect, int server_version);
void sql_dialect_free(struct sql_dialect *dialect);

/* Look at a statement.  rewritten is cleared, and receives another statement instead of it
 * (SQL_REWRITTEN), behind which dialect->then comes, when that is not empty; said is cleared, and
 * receives a sentence for people: what is left out with what consequence (any fate, "" for nothing
 * worth saying), or what can't be said to such a server (SQL_REFUSED). */
enum sql_fate sql_dialect_statement(struct sql_dialect *dialect, const char *sql,
                                    struct text *rewritten, struct text *said);

#endif
