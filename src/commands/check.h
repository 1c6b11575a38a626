/* check - would it work?  Everything a dump or a restore asks of its two ends, without moving a
 * row.
 *
 *     check.c          the list of questions, and the report
 *     check_store.c    can the store be written; is the dump there, with all of its objects
 *     check_source.c   rights, rules and schema of the database that would be dumped
 *     check_target.c   rights, leftovers and extensions of the one that would be restored into
 *
 * A question is one function, whose answer is one line of the report:
 *
 *     ok    source  PostgreSQL 15.18, database shop as app, UTF8, TLSv1.2
 *     FAIL  tables  role app may not read "shop"."cards": grant SELECT, or leave the table out ...
 *     skip  rules   needs tables
 *
 * It adds to said what is worth knowing, and returns true; or it returns false with the fault.
 * When all is well but for something that may matter later it sets check->warns.
 *
 * Life:   one per run of the command.   Threads: one at a time. */
#ifndef COMMANDS_CHECK_H
#define COMMANDS_CHECK_H

#include "commands/dump.h"
#include "commands/restore.h"

struct check {
    const struct env *env;
    struct stop *stop;
    struct store *store;    /* that a dump would be written to */
    struct dump dump;       /* a dump's first steps: leader, catalog, masks */
    struct wishes wishes;
    struct restore restore; /* a restore's: store, manifest, connection */
    bool warns;             /* of the question that is being asked */
};

typedef bool check_question_fn(struct check *check, struct text *said, struct fault *fault);

check_question_fn check_store, check_dump, check_volumes;
check_question_fn check_settings, check_source, check_snapshot, check_tables, check_rules,
    check_schema;
check_question_fn check_destination, check_rights, check_empty, check_statements,
    check_permissions, check_extensions;

/* Add what a connection is: server, database, role, encoding, and how it is protected. */
void check_describe(struct text *said, const struct pg_session *conn);

#endif
