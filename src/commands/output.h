/* output - what a command says on stdout: whole texts, and tables for people.
 *
 * A table is filled cell by cell, row by row, and laid out at the end, when all widths are known:
 *
 *     dump                age   rows
 *     dump-1763717160123  12 s  1000
 *
 * Life:   output_begin, then cells; output_end lays the table out and frees it.
 * Limits: OUTPUT_COLUMNS_MAX columns; rows grow with memory.  Threads: one at a time. */
#ifndef COMMANDS_OUTPUT_H
#define COMMANDS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/stop.h"
#include "base/text.h"

enum { OUTPUT_COLUMNS_MAX = 16 };

struct output {
    const char *layout; /* one letter per column: 'l' aligned left, 'r' right */
    struct arena arena;
    struct output_cell *first, *last;
    size_t cells_count;
};

/* Start a table.  layout has 1 .. OUTPUT_COLUMNS_MAX letters and outlives the table. */
void output_begin(struct output *output, const char *layout);

/* Add the next cell, as printf does.  Words of others are tame in it (tame.h): a name with a
 * newline stays in its line, and none can command the terminal. */
void output_cell(struct output *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Add a cell for each of the texts; NULL shows as "-". */
#define output_cells(output, ...)                            \
    output_texts(output, (const char *const[]){__VA_ARGS__}, \
                 sizeof(const char *const[]){__VA_ARGS__} / sizeof(const char *))
void output_texts(struct output *output, const char *const *texts, size_t count);

/* Add the table to a text and free it.  The cells fill whole rows. */
void output_end(struct output *output, struct text *text);

/* Write all of a text to stdout.  ERR_TARGET when that fails: the pipe's reader has gone, the disk
 * is full. */
bool output_write(const struct text *text, struct stop *stop, struct fault *fault);

#endif
