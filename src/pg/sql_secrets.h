/* sql_secrets - the passwords that a schema's text carries, taken out of it.
 *
 *     CREATE USER MAPPING … OPTIONS (…)     all but the options that are known to be harmless
 *     CREATE SERVER, FOREIGN DATA WRAPPER,  options whose name speaks of a secret, or whose value
 *       FOREIGN TABLE … OPTIONS (…)         holds one, as connection strings do
 *     CREATE SUBSCRIPTION … CONNECTION '…'  libpq's parameters that are secret (uri.def)
 *
 * A wrapper's options are its own: nobody knows them all.  So for user mappings, which exist to
 * hold credentials, there is a list of what may pass; elsewhere one of what may not.  A
 * subscription keeps a password that is none, since PostgreSQL wants some from roles that are no
 * superusers; it is not enabled anyway, for pg_dump writes connect = false.
 *
 * Threads: any; nothing is kept. */
#ifndef PG_SQL_SECRETS_H
#define PG_SQL_SECRETS_H

#include <stdbool.h>

#include "base/text.h"

/* Look at a statement.  When it holds a secret true is returned, cut receives it without, and said
 * a line for people, without the secret's value.  Both are cleared first.  standard_strings: as
 * standard_conforming_strings is for the statement.  What is not written as pg_dump writes it loses
 * all that could be one. */
bool sql_secrets_cut(const char *sql, bool standard_strings, struct text *cut, struct text *said);

#endif
