/* pg_dump_sections - the child's half of pg_dump.h: the archive as text, a section at a time.
 *
 * pg_dump collects the whole catalog before it writes the first line, which for thousands of tables
 * takes longer than their rows, and a run writes one section or all of them without a mark between.
 * So here, called by pg_dump's main() in the place of RestoreArchive() (vendor/postgresql.sh), one
 * collected archive is written three times, each time as --section would, and a zero byte, which no
 * SQL text holds, stands between two sections.  Rows of tables are left out: they are copy_out's.
 *
 * Source: pg_dump 18's pg_backup_archiver.c. */
#include <postgres_fe.h>

#include <pg_dump/pg_backup_archiver.h>
#include <pg_dump/pg_backup_utils.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "pg/pg_dump.h"
#include "pg/settings.h"

void pg_dump_sections(Archive *archive);
PGconn *pg_dump_connect(const char *const *keywords, const char *const *values, int expand_dbname);

static void
on_notice(void *argument, const PGresult *result)
{
    (void) argument;
    (void) result;
}

/* What PQconnectdbParams() does, but for notices, which it writes to stderr.  No deadline: replica
 * has reached the same server before, and ends us when it is told to. */
static PGconn *
connect_silently(const char *const *keywords, const char *const *values, int expand_dbname)
{
    PGconn *pq = PQconnectStartParams(keywords, values, expand_dbname);
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    PQsetNoticeReceiver(pq, on_notice, NULL);
    while (PQstatus(pq) != CONNECTION_BAD && status != PGRES_POLLING_OK &&
           status != PGRES_POLLING_FAILED) {
        struct pollfd polls = {.fd = PQsocket(pq),
                               .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (poll(&polls, 1, -1) >= 0)
            status = PQconnectPoll(pq);
    }
    return pq;
}

/* Run a statement; one that a role's statement_timeout has cut short, again. */
static bool
session_run(PGconn *pq, const char *sql)
{
    for (int tried = 0; tried < SETTINGS_TRIES; tried++) {
        PGresult *result = PQexec(pq, sql);
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        bool done = PQresultStatus(result) == PGRES_TUPLES_OK;
        bool again = state != NULL && strcmp(state, SETTINGS_CUT_SHORT) == 0;
        PQclear(result);
        if (done || !again)
            return done;
    }
    return false;
}

/* In the place of PQconnectdbParams() within pg_dump (the Makefile sees to it): its session is set
 * as ours are, before its first statement.  It would, for one, write backslashes as its session has
 * standard_conforming_strings. */
PGconn *
pg_dump_connect(const char *const *keywords, const char *const *values, int expand_dbname)
{
    PGconn *pq = connect_silently(keywords, values, expand_dbname);
    struct text sql = {0}, guards = {0};

    if (PQstatus(pq) != CONNECTION_OK)
        return pq;
    PQsetErrorVerbosity(pq, PQERRORS_TERSE); /* the rest may be rows (conn.c) */
    settings_add(&sql, true, PQserverVersion(pq), NULL);
    settings_add_guards(&guards);
    if (!session_run(pq, text_of(&sql)) || !session_run(pq, text_of(&guards))) {
        fprintf(stderr, "unable to prepare the session: %s", PQerrorMessage(pq));
        exit(EXIT_FAILURE);
    }
    text_free(&guards);
    text_free(&sql);
    return pq;
}

/* What the archiver believes to have said already belongs to another object of the dump. */
static void
state_forget(ArchiveHandle *handle)
{
    char **const said[] = {&handle->currUser, &handle->currSchema, &handle->currTablespace,
                           &handle->currTableAm};

    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        free(*said[i]);
        *said[i] = NULL;
    }
}

static void
rows_leave_out(ArchiveHandle *handle)
{
    for (TocEntry *entry = handle->toc->next; entry != handle->toc; entry = entry->next)
        if (strcmp(entry->desc, "TABLE DATA") == 0)
            entry->reqs = 0;
}

void
pg_dump_sections(Archive *archive)
{
    static const int sections[PG_DUMP_SECTIONS] = {DUMP_PRE_DATA, DUMP_DATA, DUMP_POST_DATA};
    ArchiveHandle *handle = (ArchiveHandle *) archive;
    bool schema = archive->ropt->dumpSchema;
    struct text head = {0};

    settings_add_script(&head);
    for (size_t i = 0; i < PG_DUMP_SECTIONS; i++) {
        if (i > 0)
            ahwrite("", 1, 1, handle);
        ahwrite(text_of(&head), 1, head.size, handle);
        state_forget(handle);
        archive->ropt->dumpSections = sections[i];
        archive->ropt->dumpSchema = schema; /* a section without a CREATE takes it back */
        ProcessArchiveRestoreOptions(archive);
        rows_leave_out(handle);
        RestoreArchive(archive);
    }
    text_free(&head);
}
