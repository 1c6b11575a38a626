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
#include <stdlib.h>
#include <string.h>

#include "pg/pg_dump.h"

void pg_dump_sections(Archive *archive);

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

    for (size_t i = 0; i < PG_DUMP_SECTIONS; i++) {
        if (i > 0)
            ahwrite("", 1, 1, handle);
        state_forget(handle);
        archive->ropt->dumpSections = sections[i];
        archive->ropt->dumpSchema = schema; /* a section without a CREATE takes it back */
        ProcessArchiveRestoreOptions(archive);
        rows_leave_out(handle);
        RestoreArchive(archive);
    }
}
