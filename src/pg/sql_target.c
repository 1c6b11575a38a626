/* sql_target, sql_filter - see sql_target.h. */
#include "pg/sql_target.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "pg/sql_kind.h"
#include "pg/sql_secrets.h"

/* ---- text that was promised to be something ------------------------------------------------- */

static void
reading_init(struct sql_reading *reading, struct sql_promise promise)
{
    *reading = (struct sql_reading){.promise = promise};
    sql_split_init(&reading->split);
}

static bool
promise_broken(const struct sql_reading *reading, struct fault *fault)
{
    const struct sql_promise *promise = &reading->promise;

    return fault_set(fault, ERR_INTEGRITY, "%s holds %s%llu plain bytes, the manifest says %llu",
                     promise->name, reading->bytes > promise->bytes_wanted ? "at least " : "",
                     (unsigned long long) reading->bytes,
                     (unsigned long long) promise->bytes_wanted);
}

/* A text that is refused for what it holds: it is read on. */
static bool
refuse(struct sql_reading *reading, struct fault *fault)
{
    if (fault->err != ERR_INTEGRITY)
        return false;
    reading->refusal = *fault;
    *fault = (struct fault){0};
    return true;
}

static bool
reading_feed(struct sql_reading *reading, struct source_span *source, sql_statement_fn *statement,
             void *argument, struct fault *fault)
{
    const char *data = (const char *) source->data + source->used;
    size_t size = source->size - source->used;

    source->used += size;
    reading->bytes += size;
    if (reading->promise.name != NULL && reading->bytes > reading->promise.bytes_wanted)
        return promise_broken(reading, fault);
    return reading->refusal.err != ERR_NONE ||
           sql_split_feed(&reading->split, data, size, statement, argument, fault) ||
           refuse(reading, fault);
}

static bool
reading_end(struct sql_reading *reading, sql_statement_fn *statement, void *argument,
            struct fault *fault)
{
    if (reading->promise.name != NULL && reading->bytes != reading->promise.bytes_wanted)
        return promise_broken(reading, fault);
    fault_hand_over(fault, &reading->refusal);
    return fault->err == ERR_NONE && sql_split_end(&reading->split, statement, argument, fault);
}

static bool
reading_passes(struct sql_reading *reading, const char *sql, struct fault *fault)
{
    struct sql_guard *guard = reading->promise.guard;
    return guard == NULL || sql_guard_statement(guard, sql, fault);
}

/* ---- the end of a corridor ------------------------------------------------------------------ */

static bool
sql_target_statement(void *argument, const char *sql, struct fault *fault)
{
    struct sql_target *target = argument;
    return reading_passes(&target->reading, sql, fault) &&
           target->statement(target->argument, sql, fault);
}

static enum step
sql_target_step(struct stage *stage, struct source_span *source, struct target_span *window,
                bool last, struct fault *fault)
{
    struct sql_target *target = (struct sql_target *) stage;
    (void) window;

    if (last)
        return reading_end(&target->reading, sql_target_statement, target, fault) ? STEP_DONE
                                                                                  : STEP_FAILED;
    return reading_feed(&target->reading, source, sql_target_statement, target, fault)
               ? STEP_AGAIN : STEP_FAILED;
}

static void
sql_target_free(struct stage *stage)
{
    sql_split_free(&((struct sql_target *) stage)->reading.split);
}

static const struct stage_ops sql_target_ops = {
    .name = "sql target",
    .step = sql_target_step,
    .free = sql_target_free,
};

struct stage *
sql_target_init(struct sql_target *target, struct sql_promise promise, sql_statement_fn *statement,
                void *argument)
{
    *target = (struct sql_target){.stage.ops = &sql_target_ops, .statement = statement,
                                  .argument = argument};
    reading_init(&target->reading, promise);
    return &target->stage;
}

/* ---- the middle of a corridor --------------------------------------------------------------- */

bool
sql_last_add(struct text *last, const char *sql, char behind, struct fault *fault)
{
    size_t size = strlen(sql);

    if (size >= SQL_LAST_BYTES_MAX || last->size + size >= SQL_LAST_BYTES_MAX)
        return fault_set(fault, ERR_INTEGRITY,
                         "the statements about event triggers take more than %d MiB",
                         SQL_LAST_BYTES_MAX >> 20);
    text_add_bytes(last, sql, size);
    text_add_bytes(last, &behind, 1);
    return true;
}

/* The two settings, where psql would read the statement otherwise with other ones. */
static void
settings_for_psql(const struct sql_filter *filter, const char *sql, struct text *text)
{
    const struct sql_guard *guard = filter->reading.promise.guard;
    bool ascii = true;

    for (const char *at = sql; *at != '\0' && ascii; at++)
        ascii = (unsigned char) *at < 0x80 && *at != '\\';
    if (!ascii)
        text_addf(text, "SET client_encoding = '%s'; SET standard_conforming_strings = "
                  "%s;\n", guard->encoding_name, guard->state.standard_strings ? "on" : "off");
}

/* What psql's count of BEGIN is ahead it has to be given back, or it would wait for an END through
 * all that follows.  The server takes one that ends nothing, with a warning. */
static bool
sql_filter_pass(struct sql_filter *filter, const char *sql, struct fault *fault)
{
    bool late = sql_is_event_trigger(sql);
    size_t size = strlen(sql);

    filter->longest = size > filter->longest ? size : filter->longest;
    if (filter->for_psql)
        settings_for_psql(filter, sql, late ? &filter->last : &filter->kept);
    if (late)
        return sql_last_add(&filter->last, sql, '\n', fault);
    text_add(&filter->kept, sql);
    for (unsigned i = 0; i < filter->reading.split.ahead && filter->for_psql; i++)
        text_add(&filter->kept, "\nEND;");
    text_add(&filter->kept, "\n");
    return true;
}

/* In the words of an older server, where there are any; else as it is, and whoever reads it says
 * so. */
static bool
sql_filter_translate(struct sql_filter *filter, const char *sql, struct fault *fault)
{
    struct text rewritten = {0}, said = {0};
    struct sql_dialect *dialect = filter->dialect;
    enum sql_fate fate = sql_dialect_statement(dialect, sql, &rewritten, &said);
    bool done = true;

    if (fate != SQL_LEFT_OUT)
        done = sql_filter_pass(filter, fate == SQL_REWRITTEN ? text_of(&rewritten) : sql, fault);
    if (fate == SQL_REWRITTEN && dialect->then.size > 0)
        done = done && sql_filter_pass(filter, text_of(&dialect->then), fault);
    text_free(&rewritten);
    text_free(&said);
    return done;
}

static bool
sql_filter_statement(void *argument, const char *sql, struct fault *fault)
{
    struct sql_filter *filter = argument;
    struct text cut = {0}, said = {0};

    if (!reading_passes(&filter->reading, sql, fault))
        return false;
    if (!filter->keep(filter->argument, sql))
        return true;
    if (filter->cuts_secrets &&
        sql_secrets_cut(sql, filter->reading.split.standard_strings, &cut, &said)) {
        log_info("%s", text_of(&said));
        sql = text_of(&cut);
    }
    bool done = filter->dialect == NULL ? sql_filter_pass(filter, sql, fault)
                                        : sql_filter_translate(filter, sql, fault);
    text_free(&cut);
    text_free(&said);
    return done;
}

static enum step
sql_filter_step(struct stage *stage, struct source_span *source, struct target_span *target,
                bool last, struct fault *fault)
{
    struct sql_filter *filter = (struct sql_filter *) stage;

    if (filter->kept.size == 0 && source->used < source->size) {
        if (!reading_feed(&filter->reading, source, sql_filter_statement, filter, fault))
            return STEP_FAILED;
    } else if (last && !filter->ended) {
        if (!reading_end(&filter->reading, sql_filter_statement, filter, fault))
            return STEP_FAILED;
        text_add_bytes(&filter->kept, text_of(&filter->last), filter->last.size);
        filter->ended = true;
    }
    size_t before = target->used;
    bool all = span_put(target, text_of(&filter->kept), filter->kept.size, &filter->kept_used);
    filter->bytes += target->used - before;
    if (!all)
        return STEP_AGAIN;
    text_clear(&filter->kept);
    filter->kept_used = 0;
    return last ? STEP_DONE : STEP_AGAIN;
}

static void
sql_filter_free(struct stage *stage)
{
    struct sql_filter *filter = (struct sql_filter *) stage;
    sql_split_free(&filter->reading.split);
    text_free(&filter->kept);
    text_free(&filter->last);
}

static const struct stage_ops sql_filter_ops = {
    .name = "sql filter",
    .step = sql_filter_step,
    .free = sql_filter_free,
};

struct stage *
sql_filter_init(struct sql_filter *filter, struct sql_promise promise, sql_keep_fn *keep,
                const void *argument)
{
    *filter = (struct sql_filter){.stage.ops = &sql_filter_ops, .keep = keep, .argument = argument};
    reading_init(&filter->reading, promise);
    return &filter->stage;
}

void
sql_filter_for_psql(struct sql_filter *filter)
{
    assert(filter->reading.promise.guard != NULL);
    filter->for_psql = true;
}
