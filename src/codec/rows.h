/* rows - COPY's text looked at while it passes: how many rows, and nothing that is none.
 *
 *      1 → ACE GOLDFINGER → two\nlines ↵        a backslash and one of  b f n r t v N \
 *      2 → \N → C:\\dir ↵                       a newline ends a row
 *
 * PostgreSQL writes no other escape, no zero byte and no carriage return (CopyAttributeOutText() in
 * its copyto.c), but its COPY FROM and psql read more than that, and each in its own way: "\." ends
 * the rows, wherever it stands for servers before 18, on a line of its own for psql; psql loses the
 * line behind a zero byte, and with it the end mark; a backslash before a newline makes one row of
 * two; and when a COPY is refused psql takes the rows for SQL, where "\!" runs a shell.  What is
 * only what PostgreSQL writes is read alike by all of them.
 *
 * Life:   a zeroed struct; rows_look any number of times; rows_whole at the end.
 * Limits: none.   Threads: one at a time. */
#ifndef CODEC_ROWS_H
#define CODEC_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

struct rows {
    uint64_t count; /* of newlines so far */
    bool open;      /* bytes have come behind the last one */
    bool escaped;   /* the last of them is a backslash whose letter is still to come */
};

/* Look at the next bytes.  False, with a fault of this kind, when they are no rows; name is whose
 * they are, for the sentence: "NAME holds …". */
bool rows_look(struct rows *rows, const uint8_t *data, size_t size, enum err err, const char *name,
               struct fault *fault);

/* Check the end: there were this many rows, and the last one had its newline. */
bool rows_whole(const struct rows *rows, uint64_t wanted, enum err err, const char *name,
                struct fault *fault);

#endif
