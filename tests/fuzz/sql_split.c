/* sql_split - any bytes as SQL text: the statements are the same wherever the text is cut, and they
 * are statements still when each stands on lines of its own.
 *
 * The first byte says where to cut. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pg/sql_split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
collect(void *argument, const char *sql, struct fault *fault)
{
    (void) fault;
    assert(sql[0] != '\0' && sql[strlen(sql) - 1] == ';');
    text_add(argument, sql);
    text_add(argument, "\n");
    return true;
}

static bool
split_into(struct text *statements, const char *text, size_t size, size_t piece)
{
    struct sql_split split;
    struct fault fault = {0};
    bool done = true;

    sql_split_init(&split);
    for (size_t at = 0; at < size && done; at += piece) {
        size_t part = size - at < piece ? size - at : piece;
        done = sql_split_feed(&split, text + at, part, collect, statements, &fault);
    }
    done = done && sql_split_end(&split, collect, statements, &fault);
    assert(done == (fault.err == ERR_NONE));
    sql_split_free(&split);
    return done;
}

/* Settings of strings and frames of routines are looked for by lines, and lines may change.  psql's
 * \; makes one statement out of two, and its :{?name} becomes another word. */
static bool
may_change(const char *text, size_t size, const char *statements)
{
    return memmem(text, size, "\\;", 2) != NULL || memmem(text, size, ":{?", 3) != NULL ||
           strcasestr(statements, "begin") != NULL || strstr(statements, "standard_conforming") != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text whole = {0}, pieces = {0}, again = {0};

    if (size == 0)
        return 0;
    const char *text = (const char *) data + 1;
    bool done = split_into(&whole, text, size - 1, size);
    assert(split_into(&pieces, text, size - 1, data[0] + 1u) == done);
    assert(strcmp(text_of(&whole), text_of(&pieces)) == 0);
    if (done && !may_change(text, size - 1, text_of(&whole))) {
        done = split_into(&again, text_of(&whole), whole.size, 4096);
        assert(done);
        assert(strcmp(text_of(&whole), text_of(&again)) == 0);
    }
    text_free(&whole);
    text_free(&pieces);
    text_free(&again);
    return 0;
}
