/* rights - does the destination's role have the rights that a schema's statements need?  Asked
 * before the first of them is run, of the server rather than of PostgreSQL's rules, for the
 * managed ones let a role that is no superuser do some of a superuser's things.
 *
 *     rights_look.c   one table of forms: what each statement needs
 *     rights.c        the server's catalogs; where they say that it takes a superuser, a trial that
 *                     is rolled back
 *
 * Two things are not worth a refusal: a comment on what isn't ours, an extension or the schema
 * public, is left out; and so is a tablespace that the destination lacks: what should lie there
 * lies where the database does.
 *
 * Life:   rights_begin; the statements; rights_end, which frees, also after a failure.
 * Limits: RIGHTS_NAMES_MAX names of a kind are asked for, RIGHTS_SHOWN_BYTES of what is lacking are
 *         said.
 * Threads: one at a time. */
#ifndef COMMANDS_RIGHTS_H
#define COMMANDS_RIGHTS_H

#include "commands/restore.h"

enum { RIGHTS_NAMES_MAX = 4096, RIGHTS_SHOWN_BYTES = 1400, RIGHTS_STATEMENT_BYTES = 100 };

/* What is asked of the server once, by all names that statements have. */
enum rights_asked {
    RIGHTS_ROLE,       /* it has to be there */
    RIGHTS_OWNER,      /* and ours must be a member */
    RIGHTS_EXTENSION,
    RIGHTS_LANGUAGE,
    RIGHTS_WRAPPER,
    RIGHTS_TABLESPACE,
    RIGHTS_SUPERUSER,  /* words that say what, and behind a newline the trial */
    RIGHTS_ASKED
};

struct rights_names {
    char **names;
    char **shown; /* for each the beginning of the first statement that has it */
    size_t count;
};

struct rights {
    struct restore *restore;
    struct pg_session *conn;
    const char *statement;             /* that is looked at */
    struct arena arena;
    bool super;                        /* a superuser may all, but needs the roles as well */
    bool in_database, in_public, owns_public;
    bool public_open;                  /* all may create in the schema public, as before 15 */
    bool opens_public;                 /* a statement of the schema says so */
    struct rights_names asked[RIGHTS_ASKED];
    struct text lacks;                 /* in words */
    size_t lacks_count;
};

/* Ask what the role is. */
bool rights_begin(struct rights *rights, struct restore *restore, struct fault *fault);

/* Note what a statement needs: an sql_statement_fn whose argument is the struct. */
bool rights_statement(void *rights, const char *sql, struct fault *fault);

/* Ask the server.  ERR_TARGET, with names, when something is lacking.  warning receives what will
 * be left out. */
bool rights_end(struct rights *rights, struct text *warning, struct fault *fault);

/* The same; what will be left out is logged. */
bool rights_told(struct rights *rights, struct fault *fault);

/* What is run in a statement's place at this destination: itself, another one, or nothing
 * (NULL). */
bool rights_instead(struct pg_session *conn, const char *sql, const char **instead,
                    struct fault *fault);

/* Note something that is lacking, in words. */
void rights_lack(struct rights *rights, const char *what);

/* Note the name that begins here, quoted or not; NULL: none. */
void rights_name_add(struct rights *rights, enum rights_asked asked, const char *at);

#endif
