/* env_uri - a URI of PostgreSQL, read by us before libpq gets to see it.
 *
 *     postgres://user:password@host:port,[::1]:port/database?name=value&name=value
 *
 * libpq takes a URI apart by the first mark that it meets, so that of `postgres://u:a/b@h/d` the
 * host becomes u and the port a; and it quotes what it did not understand, which is then a piece of
 * the password, in an error, a log, a ticket.  So what can be understood in two ways is refused
 * here, and nothing of it is said.  What passes libpq reads as we do.
 *
 * Source: PostgreSQL 18, conninfo_uri_parse_options() in fe-connect.c, and its documentation,
 * "Connection URIs".   Threads: any. */
#ifndef ENV_ENV_URI_H
#define ENV_ENV_URI_H

#include <stdbool.h>

#include "base/text.h"

/* Why a URI that begins with postgres:// or postgresql:// is refused, in words that hold nothing of
 * it; NULL when it is fine. */
const char *uri_mistake(const char *uri);

/* The parameter of libpq that an unknown one was probably meant to be, or NULL. */
const char *uri_parameter_meant(const char *uri);

/* Add such a URI without its password, and without the values of parameters that may hold a secret
 * (uri.def).  Of one with a mistake nothing but the scheme is added, and "...". */
void uri_add_safe(struct text *text, const char *uri);

/* Whether libpq's connection parameter of this name, `size` bytes, may be shown; unknown ones may
 * not.  *known may be NULL. */
bool uri_parameter_shown(const char *name, size_t size, bool *known);

#endif
