/* output - see output.h. */
#include "commands/output.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/tame.h"

enum { GAP = 2 };

struct output_cell {
    struct output_cell *next;
    const char *text;
    size_t width; /* characters, not bytes */
};

void
output_begin(struct output *output, const char *layout)
{
    size_t columns = strlen(layout);

    assert(columns >= 1 && columns <= OUTPUT_COLUMNS_MAX);
    *output = (struct output){.layout = layout};
}

/* Every character but the continuation bytes of UTF-8 counts one; wide ones are rare in names of
 * tables. */
static size_t
characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char) *text & 0xc0) != 0x80;
    return count;
}

static void
cell_add(struct output *output, const char *value)
{
    struct output_cell *cell = arena_take(&output->arena, sizeof *cell);
    struct text text = {0};

    text_add_tame(&text, value);
    cell->text = arena_text(&output->arena, text_of(&text));
    cell->width = characters(cell->text);
    text_free(&text);
    if (output->last == NULL)
        output->first = cell;
    else
        output->last->next = cell;
    output->last = cell;
    output->cells_count++;
}

void
output_cell(struct output *output, const char *format, ...)
{
    char value[1024]; /* for numbers and short words; what may be long comes through output_cells */
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    cell_add(output, value);
}

void
output_texts(struct output *output, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cell_add(output, texts[i] == NULL ? "-" : texts[i]);
}

static void
add_spaces(struct text *text, size_t count)
{
    while (count-- > 0)
        text_add_bytes(text, " ", 1);
}

void
output_end(struct output *output, struct text *text)
{
    size_t columns = strlen(output->layout), widths[OUTPUT_COLUMNS_MAX] = {0}, i = 0;

    assert(output->cells_count % columns == 0);
    for (struct output_cell *cell = output->first; cell != NULL; cell = cell->next, i++)
        if (cell->width > widths[i % columns])
            widths[i % columns] = cell->width;

    i = 0;
    for (struct output_cell *cell = output->first; cell != NULL; cell = cell->next, i++) {
        size_t column = i % columns, space = widths[column] - cell->width;
        bool last = column + 1 == columns;
        if (output->layout[column] == 'r')
            add_spaces(text, space);
        text_add(text, cell->text);
        if (output->layout[column] == 'l' && !last)
            add_spaces(text, space);
        if (last)
            text_add(text, "\n");
        else
            add_spaces(text, GAP);
    }
    arena_free(&output->arena);
    *output = (struct output){0};
}

/* No more than a pipe takes at once, so that a reader who has stopped reading does not keep us from
 * stopping. */
bool
output_write(const struct text *text, struct stop *stop, struct fault *fault)
{
    for (size_t used = 0; used < text->size;) {
        size_t size = text->size - used < PIPE_BUF ? text->size - used : PIPE_BUF;
        if (stop_wait(stop, STDOUT_FILENO, POLLOUT, -1, fault) < 0)
            return false;
        ssize_t written = write(STDOUT_FILENO, text->data + used, size);
        if (written < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (written <= 0)
            return fault_set(fault, ERR_TARGET, "unable to write to stdout: %s",
                             written < 0 ? strerror(errno) : "no byte taken");
        used += (size_t) written;
    }
    return true;
}
