/* transform - the walk along the rows of a COPY stream.
 *
 *     PASS ──▶ FIELD ──▶ RESULT ──┐      PASS    copies everything up to the next ruled field
 *      ▲                          │      FIELD   collects the ruled field, keeps its beginning
 *      └──────────────────────────┘      RESULT  hands out what the mask made, and the field's end
 *
 * PASS is where a dump spends its time, so it counts tabs sixteen bytes at once and copies in
 * runs that may reach over many rows.  Columns are counted to the end of each row all the same: a
 * row of another shape than the catalog's would put a mask beside the value it is for. */
#include "transform/transform.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/fault.h"
#include "transform/copy_value.h"
#include "transform/mask.h"

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

/* Go on until *tabs tabs have been passed, or to a newline.  Returns the place behind the last of
 * the tabs (*tabs is 0 then), or the newline's place, or end. */
static const uint8_t *
tabs_pass(const uint8_t *at, const uint8_t *end, size_t *tabs)
{
#ifdef __SSE2__
    const __m128i tab = _mm_set1_epi8('\t'), newline = _mm_set1_epi8('\n');
    while (end - at >= 16) {
        __m128i block = _mm_loadu_si128((const void *) at);
        unsigned stops = (unsigned) _mm_movemask_epi8(_mm_cmpeq_epi8(block, newline));
        unsigned found = (unsigned) _mm_movemask_epi8(_mm_cmpeq_epi8(block, tab));
        unsigned before = stops != 0 ? found & ((stops & -stops) - 1) : found;
        size_t count = 0;
        for (unsigned left = before; left != 0; left &= left - 1)
            if (++count == *tabs) {
                *tabs = 0;
                return at + __builtin_ctz(left) + 1;
            }
        *tabs -= count;
        if (stops != 0)
            return at + __builtin_ctz(stops);
        at += 16;
    }
#endif
    for (; at < end && *at != '\n'; at++)
        if (*at == '\t' && --*tabs == 0)
            return at + 1;
    return at;
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
row_walk(struct transform *transform, const uint8_t **at, const uint8_t *end, struct fault *fault)
{
    const struct table_masks *masks = transform->masks;
    bool to_ruled = transform->next < masks->ruled_count;
    /* In the last stretch of a row, the tab that would make one column too many is the goal. */
    size_t goal = to_ruled ? masks->ruled[transform->next] : masks->columns_count;
    size_t tabs = goal - transform->column;
    const uint8_t *stop = tabs_pass(*at, end, &tabs);

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
pass(struct transform *transform, struct source_span *source, struct target_span *target,
     struct fault *fault)
{
    size_t size = source->size - source->used, room = target->size - target->used;
    const uint8_t *begin = source->data + source->used, *at = begin;
    const uint8_t *end = begin + (size < room ? size : room);

    while (at < end && !at_ruled(transform))
        if (!row_walk(transform, &at, end, fault))
            return false;
    if (at > begin)
        memcpy(target->data + target->used, begin, (size_t) (at - begin));
    source->used += (size_t) (at - begin);
    target->used += (size_t) (at - begin);
    if (at_ruled(transform)) {
        transform->state = FIELD;
        transform->field_size = 0;
        transform->field_bytes = 0;
    }
    return true;
}

/* The field is whole: make the result, and the byte that ends it. */
static void
field_end(struct transform *transform, uint8_t ending)
{
    uint8_t *escaped = transform->result;
    struct result result = {.data = escaped + ESCAPED_BYTES};
    const struct mask *mask = transform->masks->masks[transform->column];
    bool cut = transform->field_bytes > transform->field_size;

    if (copy_value_is_null(transform->field, transform->field_size)) {
        result.null = true;
    } else {
        size_t size = copy_value_read(transform->field, transform->field_size, cut);
        mask_apply(mask, transform->field, size, cut, &transform->random, &result);
    }
    if (result.null)
        memcpy(escaped, "\\N", 2);
    transform->result_size =
        result.null ? 2 : copy_value_write(result.data, result.size, escaped);
    escaped[transform->result_size++] = ending;
    transform->result_used = 0;
    transform->state = RESULT;

    transform->column++;
    transform->next++;
    if (ending == '\n')
        row_end(transform);
}

static bool
field(struct transform *transform, struct source_span *source, struct fault *fault)
{
    const uint8_t *begin = source->data + source->used, *end = source->data + source->size;
    size_t tabs = 1, columns = transform->masks->columns_count;
    const uint8_t *stop = tabs_pass(begin, end, &tabs);
    size_t size = (size_t) (stop - begin) - (tabs == 0);
    size_t room = TRANSFORM_FIELD_BYTES - transform->field_size, kept = size < room ? size : room;

    transform->row_open = true;
    if (kept > 0)
        memcpy(transform->field + transform->field_size, begin, kept);
    transform->field_size += kept;
    transform->field_bytes += size;
    source->used += size;
    if (tabs > 0 && stop == end)
        return true;

    bool ends_row = tabs > 0, is_last = transform->column + 1 == columns;
    if (ends_row && !is_last)
        return row_has_fewer(transform, transform->column + 1, fault);
    if (!ends_row && is_last)
        return row_has_more(transform, fault);
    source->used++;
    field_end(transform, ends_row ? '\n' : '\t');
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

    if (transform->masks->ruled_count == 0) {
        span_move(source, target);
        return last ? STEP_DONE : STEP_AGAIN;
    }
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
            good = pass(transform, source, target, fault);
        } else {
            good = field(transform, source, fault);
        }
        if (!good)
            return STEP_FAILED;
    }
    return last ? transform_last(transform, fault) : STEP_AGAIN;
}
