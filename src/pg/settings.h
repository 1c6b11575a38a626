/* settings - what a session must be set to (settings.def), as SQL.
 *
 * Settings that a role or a database has been given by ALTER … SET hold in every session of theirs,
 * ours as well: `array_nulls = off` turns NULLs within arrays into words.  So every session is set
 * to all that matters, at both ends, pg_dump's own one included, and set again before each script,
 * for the script before may have changed it.
 * Threads: any; these functions keep nothing. */
#ifndef PG_SETTINGS_H
#define PG_SETTINGS_H

#include "base/text.h"
#include "pg/conn.h"

/* A role's statement_timeout of a few ms holds until the first statement has lifted it, which may
 * take several tries. */
enum { SETTINGS_TRIES = 50 };

/* The SQLSTATE of a statement that a timeout has cut short (PostgreSQL: query_canceled). */
#define SETTINGS_CUT_SHORT "57014"

/* Add the statement that sets a session at this end of a server of this version, and the client's
 * encoding, when it is not NULL.  Its last result is one row. */
void settings_add(struct text *sql, bool source, int server_version, const char *encoding);

/* Add "SELECT …" that turns off, at a source, what only superusers may, and does nothing where it
 * is off.  The one who may not gets an error (SQLSTATE 42501). */
void settings_add_guards(struct text *sql);

/* Add the SET statements that stand at the head of a script, for psql in a session that nobody has
 * set up. */
void settings_add_script(struct text *sql);

/* Set a session.  Where a setting that only superusers may change is not as it must be, this is a
 * refusal, or a warning (settings.def). */
bool settings_apply(struct pg_session *conn, const char *encoding, struct fault *fault);

#endif
