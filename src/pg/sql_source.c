/* sql_source - see sql_source.h. */
#include "pg/sql_source.h"

/* Fill the window from the inner source. */
static bool
refill(struct sql_source *sql, struct fault *fault)
{
    struct source_span nothing = {0};
    struct target_span window = {.data = sql->window, .size = sizeof sql->window};
    enum step step = stage_step(sql->inner, &nothing, &window, true, fault);

    if (step == STEP_FAILED)
        return false;
    sql->held = (struct source_span){.data = sql->window, .size = window.used};
    sql->inner_ended = step == STEP_DONE;
    return true;
}

/* What the filter has given is whole statements; the beginning of the next one stays inside it for
 * the next object. */
static bool
is_full(const struct sql_source *sql)
{
    return sql->filter.kept.size == 0 && sql->held.used == sql->held.size &&
           atomic_load_explicit(sql->stored_bytes, memory_order_relaxed) >= sql->stored_bytes_max;
}

static enum step
sql_source_step(struct stage *stage, struct source_span *source, struct target_span *target,
                bool last, struct fault *fault)
{
    struct sql_source *sql = (struct sql_source *) stage;
    (void) source;
    (void) last;

    for (size_t before = target->used; target->used == before;) {
        if (sql->ended)
            return STEP_DONE;
        if (!sql->inner_ended && is_full(sql)) {
            sql->more = true;
            return STEP_DONE;
        }
        if (sql->held.used == sql->held.size && sql->filter.kept.size == 0 && !sql->inner_ended &&
            !refill(sql, fault))
            return STEP_FAILED;

        bool end = sql->inner_ended && sql->held.used == sql->held.size;
        uint64_t passed = sql->filter.bytes;
        /* Not by stage_step(): here the filter is also asked for what it could not place, without
         * new bytes, since a refill would hide the place for a cut. */
        enum step step = sql->filter.stage.ops->step(&sql->filter.stage, &sql->held, target, end,
                                                     fault);
        sql->bytes += sql->filter.bytes - passed;
        if (step == STEP_FAILED)
            return STEP_FAILED;
        sql->ended = step == STEP_DONE;
    }
    return STEP_AGAIN;
}

static const struct stage_ops sql_source_ops = {.name = "sql source", .step = sql_source_step};

void
sql_source_open(struct sql_source *source, struct stage *inner, struct sql_guard *guard,
                sql_keep_fn *keep, const void *argument)
{
    *source = (struct sql_source){.stage.ops = &sql_source_ops, .inner = inner};
    sql_filter_init(&source->filter, (struct sql_promise){.guard = guard}, keep, argument);
}

struct stage *
sql_source_init(struct sql_source *source, const _Atomic uint64_t *stored_bytes,
                uint64_t stored_bytes_max)
{
    source->more = false;
    source->bytes = 0;
    source->stored_bytes = stored_bytes;
    source->stored_bytes_max = stored_bytes_max;
    return &source->stage;
}

void
sql_source_close(struct sql_source *source)
{
    if (source->inner == NULL)
        return;
    stage_free(&source->filter.stage);
    stage_free(source->inner);
    source->inner = NULL;
}
