/* sql_kind - what a statement that pg_dump wrote is about, as far as restore must know.
 *
 * pg_dump's text is regular: one statement per fact, its keywords in upper case, single blanks.  So
 * a look at the beginning and the end of a statement is enough; a statement that is not recognised
 * is SQL_SERIAL, which is always right, only slower.
 * Threads: any. */
#ifndef PG_SQL_KIND_H
#define PG_SQL_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum sql_kind {
    SQL_SERIAL,      /* in its order, alone */
    SQL_SESSION,     /* SET and set_config: for every connection that will run later statements */
    SQL_INDEX,       /* CREATE INDEX: beside others, of the same table, too */
    SQL_KEY,         /* ADD CONSTRAINT … PRIMARY KEY, UNIQUE, EXCLUDE: alone on its table */
    SQL_FOREIGN_KEY, /* ADD CONSTRAINT … FOREIGN KEY: alone on both its tables */
    SQL_OWNER,       /* ALTER … OWNER TO … */
    SQL_PRIVILEGE,   /* GRANT, REVOKE, ALTER DEFAULT PRIVILEGES, and the SESSION AUTHORIZATION
                        around them */
};

/* A name as it stands in the statement: schema.table, quoted where it must be. */
struct sql_name {
    const char *text;
    size_t size;
};

struct sql_facts {
    enum sql_kind kind;
    struct sql_name tables[2]; /* of SQL_INDEX and SQL_KEY the table; of SQL_FOREIGN_KEY also the
                                  one it refers to; else empty */
    bool primary;              /* a SQL_KEY that is the primary one */
};

/* Add a name, or schema.name, with every part in quotes.  Where quotes must be depends on the
 * keywords of who wrote the statement: pg_dump, or within an index and a foreign key the source's
 * server; so names can be compared only like this. */
void sql_name_add(struct text *text, const struct sql_name *name);

/* Look at a statement; the names point into it. */
struct sql_facts sql_facts(const char *sql);

/* Whether a statement makes an event trigger, or says whose it is, when it fires, what it is for.
 * These come after everything else: an event trigger fires for what comes behind it, as REFRESH
 * MATERIALIZED VIEW, which pg_dump writes last; and one for logins for each connection. */
bool sql_is_event_trigger(const char *sql);

/* Cut a plain SQL_KEY in two, so that its index can be built beside others of its table:
 *
 *     CREATE UNIQUE INDEX c ON t (a, b);   ALTER TABLE ONLY t ADD CONSTRAINT c … USING INDEX c;
 *
 * Both texts are added to; the catalog holds the same afterwards (PostgreSQL documentation, ALTER
 * TABLE, "ADD table_constraint_using_index").  False, with nothing added, for any other form; of a
 * partitioned table PostgreSQL refuses it, so do not ask for one. */
bool sql_key_split(const char *sql, struct text *index, struct text *constraint);

#endif
