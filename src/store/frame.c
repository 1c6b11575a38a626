/* frame - see frame.h. */
#include "store/frame.h"

#include <assert.h>
#include <string.h>

static enum step
frame_on_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
              struct fault *fault)
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
    if (memcmp(frame->preamble->data + frame->preamble_used, source->data + source->used, size) != 0)
        return fault_set(fault, ERR_INTEGRITY, "%s is not the volume that the manifest names: it begins "
                         "differently, as a volume of another table, number or dump would", frame->name);
    frame->preamble_used += size;
    source->used += size;
    return true;
}

/* Pass rows, always keeping the last FRAME_END_BYTES back. */
static void
pass_rows(struct frame_off *frame, struct source_span *source, struct target_span *target)
{
    size_t size = source->size - source->used, room = target->size - target->used;

    /* First what is held, as far as newer bytes take its place. */
    size_t release = frame->held_size + size > FRAME_END_BYTES ? frame->held_size + size - FRAME_END_BYTES : 0;
    if (release > frame->held_size)
        release = frame->held_size;
    if (release > room)
        release = room;
    memcpy(target->data + target->used, frame->held, release);
    memmove(frame->held, frame->held + release, frame->held_size - release);
    frame->held_size -= release;
    target->used += release;
    room -= release;

    if (frame->held_size == 0 && size > FRAME_END_BYTES) {
        struct source_span rows = {.data = source->data + source->used, .size = size - FRAME_END_BYTES};
        source->used += span_move(&rows, target);
        size = source->size - source->used;
    }
    size_t hold = FRAME_END_BYTES - frame->held_size;
    if (frame->held_size + size <= FRAME_END_BYTES || room == 0) {
        if (hold > size)
            hold = size;
        memcpy(frame->held + frame->held_size, source->data + source->used, hold);
        frame->held_size += hold;
        source->used += hold;
    }
}

static bool
check_end(const struct frame_off *frame, struct fault *fault)
{
    if (frame->preamble_used < frame->preamble->size || frame->held_size < FRAME_END_BYTES ||
        memcmp(frame->held, VOLUME_END, FRAME_END_BYTES) != 0)
        return fault_set(fault, ERR_INTEGRITY, "%s ends before its end mark", frame->name);
    if (frame->bytes != frame->bytes_wanted)
        return fault_set(fault, ERR_INTEGRITY, "%s holds %llu plain bytes, the manifest says %llu", frame->name,
                         (unsigned long long) frame->bytes, (unsigned long long) frame->bytes_wanted);
    return true;
}

static enum step
frame_off_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
               struct fault *fault)
{
    struct frame_off *frame = (struct frame_off *) stage;
    size_t before = source->used;

    if (last)
        return check_end(frame, fault) ? STEP_DONE : STEP_FAILED;
    if (frame->preamble_used < frame->preamble->size && !check_preamble(frame, source, fault))
        return STEP_FAILED;
    if (source->used < source->size)
        pass_rows(frame, source, target);
    frame->bytes += source->used - before;
    atomic_fetch_add_explicit(frame->moved, source->used - before, memory_order_relaxed);
    return STEP_AGAIN;
}

static const struct stage_ops frame_off_ops = {.name = "frame off", .step = frame_off_step};

struct stage *
frame_off_init(struct frame_off *frame, const struct text *preamble, const char *name,
               uint64_t bytes_wanted, _Atomic uint64_t *moved)
{
    *frame = (struct frame_off){.stage.ops = &frame_off_ops, .preamble = preamble, .name = name,
                                .bytes_wanted = bytes_wanted, .moved = moved};
    return &frame->stage;
}
