/* sql_target, sql_filter - see sql_target.h. */
#include "pg/sql_target.h"

#include <string.h>

#include "pg/sql_kind.h"

static enum step
sql_target_step(struct stage *stage, struct source_span *source, struct target_span *window,
                bool last, struct fault *fault)
{
    struct sql_target *target = (struct sql_target *) stage;
    size_t size = source->size - source->used;
    (void) window;

    if (last)
        return sql_split_end(&target->split, target->statement, target->argument, fault)
                   ? STEP_DONE : STEP_FAILED;
    if (!sql_split_feed(&target->split, (const char *) source->data + source->used, size,
                        target->statement, target->argument, fault))
        return STEP_FAILED;
    source->used += size;
    return STEP_AGAIN;
}

static void
sql_target_free(struct stage *stage)
{
    sql_split_free(&((struct sql_target *) stage)->split);
}

static const struct stage_ops sql_target_ops = {
    .name = "sql target",
    .step = sql_target_step,
    .free = sql_target_free,
};

struct stage *
sql_target_init(struct sql_target *target, sql_statement_fn *statement, void *argument)
{
    *target = (struct sql_target){.stage.ops = &sql_target_ops, .statement = statement,
                                  .argument = argument};
    sql_split_init(&target->split);
    return &target->stage;
}

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

static bool
sql_filter_statement(void *argument, const char *sql, struct fault *fault)
{
    struct sql_filter *filter = argument;

    if (!filter->keep(filter->argument, sql))
        return true;
    if (sql_is_event_trigger(sql))
        return sql_last_add(&filter->last, sql, '\n', fault);
    text_add(&filter->kept, sql);
    text_add(&filter->kept, "\n");
    return true;
}

static enum step
sql_filter_step(struct stage *stage, struct source_span *source, struct target_span *target,
                bool last, struct fault *fault)
{
    struct sql_filter *filter = (struct sql_filter *) stage;
    size_t size = source->size - source->used;

    if (filter->kept.size == 0 && size > 0) {
        if (!sql_split_feed(&filter->split, (const char *) source->data + source->used, size,
                            sql_filter_statement, filter, fault))
            return STEP_FAILED;
        source->used += size;
    } else if (last && !filter->ended) {
        if (!sql_split_end(&filter->split, sql_filter_statement, filter, fault))
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
    sql_split_free(&filter->split);
    text_free(&filter->kept);
    text_free(&filter->last);
}

static const struct stage_ops sql_filter_ops = {
    .name = "sql filter",
    .step = sql_filter_step,
    .free = sql_filter_free,
};

struct stage *
sql_filter_init(struct sql_filter *filter, sql_keep_fn *keep, const void *argument)
{
    *filter = (struct sql_filter){.stage.ops = &sql_filter_ops, .keep = keep, .argument = argument};
    sql_split_init(&filter->split);
    return &filter->stage;
}
