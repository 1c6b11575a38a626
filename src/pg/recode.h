/* recode - what the user wrote, in the encoding of the database.
 *
 * The environment is UTF-8; names in the catalog and values in COPY are in the server's encoding,
 * so a rule for a column with an umlaut would never match in a LATIN1 database.  The server
 * converts.
 *
 * Threads: as the connection. */
#ifndef PG_RECODE_H
#define PG_RECODE_H

#include "base/arena.h"
#include "pg/conn.h"

/* The text in the server's encoding: itself when it is ASCII or the database is UTF8 or SQL_ASCII.
 * what names the variable for the sentence (ERR_CONFIG) that says that a character has no place in
 * that encoding.  Returns NULL then. */
const char *pg_recode(struct pg_session *conn, struct arena *arena, const char *what,
                      const char *text, struct fault *fault);

#endif
