/* script - the statements of a schema's text, in their order where it matters, on connections to
 * the destination.
 *
 *     SET …            every connection
 *     CREATE INDEX     ┐
 *     ADD … PRIMARY KEY├─ beside each other, on helpers' connections
 *     CREATE INDEX     ┘
 *     FOREIGN KEY      ┬─ once all of those are done: those of other tables beside each other
 *     FOREIGN KEY      ┘
 *     COMMENT ON …     waits until all of them are done, then alone
 *     EVENT TRIGGER …  kept for the very end: they fire for what comes behind them
 *
 * pg_dump orders its statements so that each finds what it needs before it; a run of neighbours
 * that only build indexes needs nothing of each other, nor does one of foreign keys.
 *
 * Behind each of them the session is looked at (sql_run.h), whichever connection it ran on.
 * A statement that the destination knows in other words is run in those (sql_dialect.h); what is
 * left out with a consequence is logged.
 *
 * Life:   script_begin connects the helpers; script_statement takes each statement, as the end of a
 *         corridor (sql_target) does; script_end waits for what is left, and frees.
 * Limits: SCRIPT_WAITING_MAX statements wait; who brings more waits, too.
 * Threads: statements come from one; helpers are its own. */
#ifndef COMMANDS_SCRIPT_H
#define COMMANDS_SCRIPT_H

#include "base/text.h"
#include "pg/conn.h"
#include "pg/sql_dialect.h"
#include "pg/sql_guard.h"

enum { SCRIPT_WAITING_MAX = 256, SCRIPT_HELPERS_MAX = 64 };

struct script_config {
    struct pg_session *conn; /* runs what has to be in order */
    unsigned helpers;        /* below 2, everything is in order; 0: no index is built */
    bool (*connect)(void *argument, struct pg_session *conn, struct fault *fault);
    void *argument;          /* of connect */
    bool owners, privileges; /* which statements are wanted */
    bool secrets;            /* whether passwords are (sql_secrets.h) */
    struct text *last;       /* those about event triggers are added to it, for script_last() */
    const struct sql_guard *guard; /* has seen each statement before it comes here */
    struct sql_dialect *dialect; /* what the destination understands; of all scripts of a run */
};

struct script;

/* NULL with the fault when a helper can't connect. */
struct script *script_begin(const struct script_config *config, struct fault *fault);

/* Take a statement: an sql_statement_fn whose argument is the script.  It may run later; the
 * failure of an earlier one is told here, too. */
bool script_statement(void *script, const char *sql, struct fault *fault);

/* Wait for what is left.  walked is what the walk of the statements came to: when it was only woken
 * by the stop switch that a failing helper threw, the helper's failure is handed over instead. */
bool script_end(struct script *script, const struct fault *walked, struct fault *fault);

/* Run what was kept for the end, in its order, and free it. */
bool script_last(struct pg_session *conn, struct text *last, struct fault *fault);

/* Whether a statement is wanted. */
bool script_wants(bool owners, bool privileges, const char *sql);

#endif
