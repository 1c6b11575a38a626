/* sql_kind - what a statement that pg_dump wrote is about, as far as restore must know.
 *
 * pg_dump's text is regular: one statement per fact, its keywords in upper case, single blanks.  So
 * a look at the beginning and the end of a statement is enough; a statement that is not recognised
 * is SQL_SERIAL, which is always right, only slower.
 * Threads: any. */
#ifndef PG_SQL_KIND_H
#define PG_SQL_KIND_H

enum sql_kind {
    SQL_SERIAL,    /* in its order, alone */
    SQL_SESSION,   /* SET and set_config: for every connection that will run later statements */
    SQL_PARALLEL,  /* beside its neighbours: CREATE INDEX; ADD CONSTRAINT … PRIMARY KEY, UNIQUE,
                      EXCLUDE */
    SQL_OWNER,     /* ALTER … OWNER TO … */
    SQL_PRIVILEGE, /* GRANT, REVOKE, ALTER DEFAULT PRIVILEGES, and the SESSION AUTHORIZATION around
                      them */
};

enum sql_kind sql_kind(const char *sql);

#endif
