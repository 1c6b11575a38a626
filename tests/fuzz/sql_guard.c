/* sql_guard - any bytes as a script, written for psql: what passes is read again as the same
 * statements, and would be by a reader for whom backslashes mean something else, up to the lines
 * that set it right. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "pg/sql_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
keep_all(const void *argument, const char *sql)
{
    (void) argument;
    (void) sql;
    return true;
}

/* Write the script for psql; false: it is refused. */
static bool
script_write(const uint8_t *data, size_t size, struct text *written)
{
    static uint8_t window[4096];
    struct source_span source = {.data = data, .size = size};
    struct sql_filter filter;
    struct sql_guard guard;
    struct fault fault = {0};
    enum step step = STEP_AGAIN;

    assert(sql_guard_init(&guard, "UTF8", true, ERR_INTEGRITY, &fault));
    struct stage *stage = sql_filter_init(&filter, (struct sql_promise){.guard = &guard}, keep_all,
                                          NULL);
    sql_filter_for_psql(&filter);
    while (step == STEP_AGAIN) {
        struct target_span target = {.data = window, .size = sizeof window};
        step = stage->ops->step(stage, &source, &target, source.used == source.size, &fault);
        text_add_bytes(written, (const char *) window, target.used);
    }
    stage_free(stage);
    assert((step == STEP_DONE) == (fault.err == ERR_NONE));
    return step == STEP_DONE;
}

/* A statement without a backslash and beyond ASCII is the same for everybody. */
static bool
count(void *argument, const char *sql, struct fault *fault)
{
    (void) sql;
    (void) fault;
    ++*(size_t *) argument;
    return true;
}

static size_t
statements(const struct text *text, bool standard_strings)
{
    struct sql_split split;
    struct fault fault = {0};
    size_t found = 0;

    sql_split_init(&split);
    split.standard_strings = standard_strings;
    bool done = sql_split_feed(&split, text_of(text), text->size, count, &found, &fault) &&
                sql_split_end(&split, count, &found, &fault);
    sql_split_free(&split);
    assert(done);
    return found;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text written = {0}, again = {0};

    if (script_write(data, size, &written) && strcasestr(text_of(&written), "begin") == NULL) {
        assert(script_write((const uint8_t *) text_of(&written), written.size, &again));
        size_t found = statements(&written, true);
        assert(memchr(text_of(&written), '\\', written.size) != NULL ||
               statements(&written, false) == found);
    }
    text_free(&written);
    text_free(&again);
    return 0;
}
