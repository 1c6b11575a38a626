/* stage - see stage.h. */
#include "flow/stage.h"

#include <assert.h>
#include <string.h>

enum step
stage_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
           struct fault *fault)
{
    size_t source_used = source->used, target_used = target->used;
    assert(source->used <= source->size);
    assert(target->used <= target->size);
    assert(last == (source->used == source->size));

    enum step step = stage->ops->step(stage, source, target, last, fault);

    assert(source->used >= source_used && source->used <= source->size);
    assert(target->used >= target_used && target->used <= target->size);
    switch (step) {
    case STEP_FAILED:
        assert(fault->err != ERR_NONE);
        break;
    case STEP_AGAIN:
        assert(source->used > source_used || target->used > target_used);
        break;
    case STEP_DONE:
        assert(last);
        break;
    }
    return step;
}

void
stage_free(struct stage *stage)
{
    if (stage != NULL && stage->ops->free != NULL)
        stage->ops->free(stage);
}

size_t
span_move(struct source_span *source, struct target_span *target)
{
    size_t size = source->size - source->used, room = target->size - target->used;

    if (size > room)
        size = room;
    if (size > 0)
        memcpy(target->data + target->used, source->data + source->used, size);
    source->used += size;
    target->used += size;
    return size;
}

bool
span_put(struct target_span *target, const void *data, size_t size, size_t *used)
{
    struct source_span source = {.data = data, .size = size, .used = *used};

    span_move(&source, target);
    *used = source.used;
    return source.used == size;
}
