/* frame - see frame.h. */
#include "store/frame.h"

#include <assert.h>
#include <string.h>

static enum step
frame_on_step(struct stage *stage, struct source_span *source, struct target_span *target,
              bool last, struct fault *fault)
{
    struct frame_on *frame = (struct frame_on *) stage;
    size_t before = target->used;
    bool done = false;
    (void) fault;

    if (span_put(target, text_of(frame->preamble), frame->preamble->size, &frame->preamble_used)) {
        span_move(source, target);
        done = last && span_put(target, VOLUME_END, FRAME_END_BYTES, &frame->end_used);
    }
    frame->bytes += target->used - before;
    atomic_fetch_add_explicit(frame->moved, target->used - before, memory_order_relaxed);
    return done ? STEP_DONE : STEP_AGAIN;
}

static const struct stage_ops frame_on_ops = {.name = "frame on", .step = frame_on_step};

struct stage *
frame_on_init(struct frame_on *frame, const struct text *preamble, _Atomic uint64_t *moved)
{
    *frame = (struct frame_on){.stage.ops = &frame_on_ops, .preamble = preamble, .moved = moved};
    return &frame->stage;
}

/* The next bytes of the volume must be those of the preamble. */
static bool
check_preamble(struct frame_off *frame, struct source_span *source, struct fault *fault)
{
    size_t left = frame->preamble->size - frame->preamble_used, size = source->size - source->used;

    if (size > left)
        size = left;
    const char *wanted = frame->preamble->data + frame->preamble_used;
    if (memcmp(wanted, source->data + source->used, size) != 0)
        return fault_set(fault, ERR_INTEGRITY,
                         "%s is not the volume that the manifest names: it begins differently, as "
                         "a volume of another table, number or dump would",
                         frame->name);
    frame->preamble_used += size;
    source->used += size;
    return true;
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Pass rows, always keeping the last FRAME_END_BYTES back: release what lies before them, first
 * from what was held, then from the source; then hold what comes next. */
static void
pass_rows(struct frame_off *frame, struct source_span *source, struct target_span *target)
{
    size_t total = frame->held_size + source->size - source->used;
    size_t release = least(total > FRAME_END_BYTES ? total - FRAME_END_BYTES : 0,
                           target->size - target->used);
    size_t from_held = least(release, frame->held_size);

    memcpy(target->data + target->used, frame->held, from_held);
    memmove(frame->held, frame->held + from_held, frame->held_size - from_held);
    frame->held_size -= from_held;
    target->used += from_held;

    struct source_span rows = {.data = source->data + source->used, .size = release - from_held};
    source->used += span_move(&rows, target);

    size_t hold = least(FRAME_END_BYTES - frame->held_size, source->size - source->used);
    memcpy(frame->held + frame->held_size, source->data + source->used, hold);
    frame->held_size += hold;
    source->used += hold;
}

static bool
check_end(const struct frame_off *frame, struct fault *fault)
{
    if (frame->preamble_used < frame->preamble->size || frame->held_size < FRAME_END_BYTES ||
        memcmp(frame->held, VOLUME_END, FRAME_END_BYTES) != 0)
        return fault_set(fault, ERR_INTEGRITY, "%s ends before its end mark", frame->name);
    if (frame->bytes != frame->bytes_wanted)
        return fault_set(fault, ERR_INTEGRITY, "%s holds %llu plain bytes, the manifest says %llu",
                         frame->name, (unsigned long long) frame->bytes,
                         (unsigned long long) frame->bytes_wanted);
    return rows_whole(&frame->rows, frame->rows_wanted, ERR_INTEGRITY, frame->name, fault);
}

/* Compare the preamble, let it pass where it should, then the rows. */
static bool
take(struct frame_off *frame, struct source_span *source, struct target_span *target,
     struct fault *fault)
{
    if (frame->preamble_used < frame->preamble->size && !check_preamble(frame, source, fault))
        return false;
    if (frame->preamble_used < frame->preamble->size)
        return true;
    if (frame->whole && !span_put(target, text_of(frame->preamble), frame->preamble->size,
                                  &frame->preamble_passed))
        return true;

    size_t before = target->used;
    if (source->used < source->size)
        pass_rows(frame, source, target);
    if (rows_look(&frame->rows, target->data + before, target->used - before, ERR_INTEGRITY,
                  frame->name, fault))
        return true;
    target->used = before;
    return false;
}

static enum step
frame_off_step(struct stage *stage, struct source_span *source, struct target_span *target,
               bool last, struct fault *fault)
{
    struct frame_off *frame = (struct frame_off *) stage;
    size_t before = source->used;

    if (!last) {
        if (!take(frame, source, target, fault))
            return STEP_FAILED;
        frame->bytes += source->used - before;
        atomic_fetch_add_explicit(frame->moved, source->used - before, memory_order_relaxed);
        return STEP_AGAIN;
    }
    if (!frame->checked && !check_end(frame, fault))
        return STEP_FAILED;
    frame->checked = true;
    bool done = !frame->whole ||
                (span_put(target, text_of(frame->preamble), frame->preamble->size,
                          &frame->preamble_passed) &&
                 span_put(target, VOLUME_END, FRAME_END_BYTES, &frame->end_used));
    return done ? STEP_DONE : STEP_AGAIN;
}

static const struct stage_ops frame_off_ops = {.name = "frame off", .step = frame_off_step};

struct stage *
frame_off_init(struct frame_off *frame, const struct text *preamble, const char *name,
               const struct manifest_object *object, _Atomic uint64_t *moved)
{
    *frame = (struct frame_off){.stage.ops = &frame_off_ops, .preamble = preamble, .name = name,
                                .bytes_wanted = object->plain_bytes, .rows_wanted = object->rows,
                                .moved = moved};
    return &frame->stage;
}

struct stage *
frame_check_init(struct frame_off *frame, const struct text *preamble, const char *name,
                 const struct manifest_object *object, _Atomic uint64_t *moved)
{
    frame_off_init(frame, preamble, name, object, moved);
    frame->whole = true;
    return &frame->stage;
}
