/* sql_guard - what may stand in the scripts of a dump: what pg_dump writes into them, and no more.
 *
 *     SET client_encoding = 'UTF8';            settings, by a list of names; these two first of all
 *     SET standard_conforming_strings = on;
 *     CREATE …  ALTER …  COMMENT ON …  GRANT …  SELECT pg_catalog.setval(…  …
 *     BEGIN;  SELECT pg_catalog.lo_open(…  COMMIT;             in the data script alone
 *
 * A store may have been written by anybody.  A BEGIN that is left open undoes all that follows, a
 * COPY … FROM stdin swallows it; another encoding, or backslashes that mean something else, make
 * psql, the server and us see different statements in one text.  So a script is refused for what
 * pg_dump would not write, and its end for a transaction that is open.  What a statement that may
 * stand does by itself is not looked at: a function may do whatever the role may that calls it.
 *
 * Encodings are those that a database can have.  In all of them no byte of a longer character is
 * ASCII, so that text is cut into statements alike by whoever reads it (PostgreSQL documentation,
 * "Character Set Support").
 *
 * Life:   sql_guard_init once a script, also where that goes on in further objects;
 *         sql_guard_statement with each statement; sql_guard_end.
 * Limits: none.   Threads: one at a time. */
#ifndef PG_SQL_GUARD_H
#define PG_SQL_GUARD_H

#include <stdbool.h>

#include "base/fault.h"

/* How a session must be behind a statement. */
struct sql_state {
    int encoding;          /* libpq's number of its client_encoding; -1: not set yet */
    bool strings_set;      /* standard_conforming_strings is set … */
    bool standard_strings; /* … to on */
    bool open;             /* a transaction goes on */
};

struct sql_guard {
    enum err err;          /* of a refusal: whose text it is */
    int encoding;          /* of the dump */
    const char *encoding_name;
    bool transactions;     /* may stand in this script */
    struct sql_state state;
};

/* Whether name is an encoding that a database can have.  *number is libpq's of it. */
bool sql_encoding_read(const char *name, int *number);

/* Refuses an encoding that no database has.  It must outlive the guard.  err is ERR_INTEGRITY for
 * the script of a store, ERR_SOURCE for what a server just said. */
bool sql_guard_init(struct sql_guard *guard, const char *encoding, bool transactions, enum err err,
                    struct fault *fault);

/* Look at the next statement, before it is run; state is what it must come to. */
bool sql_guard_statement(struct sql_guard *guard, const char *sql, struct fault *fault);

/* Look at the end of the script. */
bool sql_guard_end(const struct sql_guard *guard, struct fault *fault);

#endif
