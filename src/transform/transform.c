/* transform - the walk along the rows of a COPY stream.
 *
 *     PASS ──▶ FIELD ──▶ RESULT ──┐      PASS    copies everything up to the next ruled field
 *      ▲                          │      FIELD   collects the ruled field, keeps its beginning
 *      └──────────────────────────┘      RESULT  hands out what the mask made, and the field's end
 *
 * PASS is where a dump spends its time, so it counts tabs by whole vectors (scan.h) and copies in
 * runs that may reach over many rows.  Columns are counted to the end of each row all the same: a
 * row of another shape than the catalog's would put a mask beside the value it is for.
 *
 * A value of ten bytes has no time for a call of memcpy(), so what usually is needs none: a field
 * that lies whole in the source is worked on where it lies, and its result goes straight to the
 * target.  The states FIELD and RESULT are for those that a window's edge cuts. */
#include "transform/transform.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/copy.h"
#include "base/fault.h"
#include "transform/copy_value.h"
#include "transform/mask.h"
#include "transform/scan.h"

enum { PASS, FIELD, RESULT };

/* The result escaped, its tab or newline, and behind them the result as the mask made it. */
enum {
    ESCAPED_BYTES = 2 * TRANSFORM_FIELD_BYTES + 1,
    RESULT_BYTES = ESCAPED_BYTES + TRANSFORM_FIELD_BYTES,
};

static enum step transform_step(struct stage *stage, struct source_span *source,
                                struct target_span *target, bool last, struct fault *fault);

static const struct stage_ops transform_ops = {.name = "transform", .step = transform_step};

void
transform_open(struct transform *transform)
{
    *transform = (struct transform){.stage.ops = &transform_ops};
    random_init(&transform->random);
    transform->field = malloc(TRANSFORM_FIELD_BYTES);
    transform->result = malloc(RESULT_BYTES);
    if (transform->field == NULL || transform->result == NULL)
        memory_exhausted(TRANSFORM_FIELD_BYTES + RESULT_BYTES);
}

void
transform_close(struct transform *transform)
{
    free(transform->field);
    free(transform->result);
    transform->field = transform->result = NULL;
}

struct stage *
transform_init(struct transform *transform, const struct table_masks *masks)
{
    assert(transform->field != NULL);
    assert(masks->ruled_count <= masks->columns_count);
    transform->masks = masks;
    transform->state = PASS;
    transform->row_open = false;
    transform->column = transform->next = 0;
    transform->field_size = transform->result_size = transform->result_used = 0;
    transform->field_bytes = 0;
    return &transform->stage;
}

static bool
row_has_more(const struct transform *transform, struct fault *fault)
{
    return fault_set(fault, ERR_INTERNAL, "a row has more than the %zu columns of its table",
                     transform->masks->columns_count);
}

static bool
row_has_fewer(const struct transform *transform, size_t columns, struct fault *fault)
{
    return fault_set(fault, ERR_INTERNAL, "a row has %zu columns instead of the %zu of its table",
                     columns, transform->masks->columns_count);
}

static void
row_end(struct transform *transform)
{
    transform->row_open = false;
    transform->column = transform->next = 0;
}

static bool
at_ruled(const struct transform *transform)
{
    const struct table_masks *masks = transform->masks;
    return transform->next < masks->ruled_count &&
           transform->column == masks->ruled[transform->next];
}

/* Walk to the next ruled field or the row's end; *at moves behind what was walked over. */
static bool
row_walk(struct transform *transform, struct scan *scan, const uint8_t **at, const uint8_t *end,
         struct fault *fault)
{
    const struct table_masks *masks = transform->masks;
    bool to_ruled = transform->next < masks->ruled_count;
    /* In the last stretch of a row, the tab that would make one column too many is the goal. */
    size_t goal = to_ruled ? masks->ruled[transform->next] : masks->columns_count;
    size_t tabs = goal - transform->column;
    const uint8_t *stop = scan_tabs(scan, *at, end, &tabs);

    transform->row_open = true;
    transform->column = goal - tabs;
    *at = stop;
    if (tabs == 0)
        return to_ruled || row_has_more(transform, fault);
    if (stop == end)
        return true;
    if (transform->column + 1 != masks->columns_count)
        return row_has_fewer(transform, transform->column + 1, fault);
    *at = stop + 1;
    row_end(transform);
    return true;
}

static bool
pass(struct transform *transform, struct scan *scan, struct source_span *source,
     struct target_span *target, struct fault *fault)
{
    size_t size = source->size - source->used, room = target->size - target->used;
    const uint8_t *begin = source->data + source->used, *at = begin;
    const uint8_t *end = begin + (size < room ? size : room);

    while (at < end && !at_ruled(transform))
        if (!row_walk(transform, scan, &at, end, fault))
            return false;
    copy_small(target->data + target->used, begin, (size_t) (at - begin));
    source->used += (size_t) (at - begin);
    target->used += (size_t) (at - begin);
    if (at_ruled(transform)) {
        transform->state = FIELD;
        transform->field_size = 0;
        transform->field_bytes = 0;
    }
    return true;
}

/* Apply the column's mask to a value as COPY escaped it; only a value with escapes is copied. */
static void
field_apply(struct transform *transform, const uint8_t *data, size_t size, bool cut,
            struct result *result)
{
    const struct mask *mask = transform->masks->masks[transform->column];

    *result = (struct result){.data = transform->result + ESCAPED_BYTES};
    if (copy_value_is_null(data, size)) {
        result->null = true;
        return;
    }
    if (!copy_value_is_plain(data, size)) {
        if (data != transform->field)
            memcpy(transform->field, data, size);
        data = transform->field;
        size = copy_value_read(transform->field, size, cut);
    }
    mask_apply(mask, data, size, cut, &transform->random, result);
}

/* The field is whole, bytes long: make the result, and the byte that ends it.  data holds what is
 * looked at of it. */
static void
field_end(struct transform *transform, struct target_span *target, const uint8_t *data,
          uint64_t bytes, uint8_t ending)
{
    bool cut = bytes > TRANSFORM_FIELD_BYTES;
    struct result result;

    field_apply(transform, data, cut ? TRANSFORM_FIELD_BYTES : (size_t) bytes, cut, &result);
    size_t most = (result.null ? 2 : 2 * result.size) + 1, room = target->size - target->used;
    uint8_t *escaped = room >= most ? target->data + target->used : transform->result;
    size_t size = 2;
    if (result.null)
        memcpy(escaped, "\\N", 2);
    else
        size = copy_value_write(result.data, result.size, escaped);
    escaped[size++] = ending;

    transform->state = PASS;
    if (room >= most) {
        target->used += size;
    } else {
        transform->state = RESULT;
        transform->result_size = size;
        transform->result_used = 0;
    }
    transform->column++;
    transform->next++;
    if (ending == '\n')
        row_end(transform);
}

/* Keep what the source has of the field. */
static void
field_keep(struct transform *transform, const uint8_t *data, size_t size)
{
    size_t room = TRANSFORM_FIELD_BYTES - transform->field_size, kept = size < room ? size : room;

    copy_small(transform->field + transform->field_size, data, kept);
    transform->field_size += kept;
    transform->field_bytes += size;
}

static bool
field(struct transform *transform, struct scan *scan, struct source_span *source,
      struct target_span *target, struct fault *fault)
{
    const uint8_t *begin = source->data + source->used, *end = source->data + source->size;
    const uint8_t *stop = scan_field(scan, begin);
    size_t size = (size_t) (stop - begin), columns = transform->masks->columns_count;

    transform->row_open = true;
    source->used += size;
    if (stop == end) {
        field_keep(transform, begin, size);
        return true;
    }
    bool ends_row = *stop == '\n', is_last = transform->column + 1 == columns;
    if (ends_row && !is_last)
        return row_has_fewer(transform, transform->column + 1, fault);
    if (!ends_row && is_last)
        return row_has_more(transform, fault);
    source->used++;
    if (transform->field_bytes == 0) {
        field_end(transform, target, begin, size, *stop);
    } else {
        field_keep(transform, begin, size);
        field_end(transform, target, transform->field, transform->field_bytes, *stop);
    }
    return true;
}

static enum step
transform_last(const struct transform *transform, struct fault *fault)
{
    if (transform->state == RESULT)
        return STEP_AGAIN;
    if (!transform->row_open)
        return STEP_DONE;
    fault_set(fault, ERR_SOURCE, "the rows end in the middle of one, in column %zu of %zu",
              transform->column + 1, transform->masks->columns_count);
    return STEP_FAILED;
}

static enum step
transform_step(struct stage *stage, struct source_span *source, struct target_span *target,
               bool last, struct fault *fault)
{
    struct transform *transform = (struct transform *) stage;
    struct scan scan;

    if (transform->masks->ruled_count == 0) {
        span_move(source, target);
        return last ? STEP_DONE : STEP_AGAIN;
    }
    scan_begin(&scan, source->data + source->used, source->size - source->used);
    for (;;) {
        bool eaten = source->used == source->size, full = target->used == target->size;
        bool good = true;

        if (transform->state == RESULT) {
            if (!span_put(target, transform->result, transform->result_size,
                          &transform->result_used))
                break;
            transform->state = PASS;
        } else if (eaten || (full && transform->state == PASS && !at_ruled(transform))) {
            break;
        } else if (transform->state == PASS) {
            good = pass(transform, &scan, source, target, fault);
        } else {
            good = field(transform, &scan, source, target, fault);
        }
        if (!good)
            return STEP_FAILED;
    }
    return last ? transform_last(transform, fault) : STEP_AGAIN;
}
