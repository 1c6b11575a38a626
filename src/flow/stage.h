/* stage - one small room of the corridor: bytes in, bytes out, the rest remembered.
 *
 * A concrete stage is a struct whose first member is struct stage; the caller owns it.  Its
 * x_init() is an ordinary function, since every stage needs different things, and returns
 * &x->stage.
 *
 *     source ──▶ middle ──▶ middle ──▶ target
 *
 * The contract of step(), asserted by stage_step() for every stage:
 * - It consumes source->data[source->used ..], produces into target->data[target->used ..] and
 *   moves the two used counters forward.  It need not eat or fill all of it; it remembers the rest.
 * - last is true exactly when nothing is left in source and nothing will ever come: the end comes
 *   alone.  A source stage (the first) always sees it; a target stage (the final one) has a target
 *   span of size 0.
 * - STEP_AGAIN: at least one byte moved, in either direction.  STEP_DONE: only as an answer to
 *   last.  STEP_FAILED: the fault is filled.  A stage is not stepped again after DONE or FAILED.
 * - A middle stage does not block, allocate, log, or know its neighbours.  Only the first and the
 *   final one may block, and they also wait on the run's stop switch.
 * - free() cannot fail.  What can fail (tail, footer, commit) is the work of the last step.  A
 *   target freed before DONE undoes its object.  free may be NULL.
 *
 * Threads: a stage is stepped by one thread at a time; free runs after that thread has ended. */
#ifndef FLOW_STAGE_H
#define FLOW_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

enum step { STEP_FAILED, STEP_AGAIN, STEP_DONE };

struct source_span {
    const uint8_t *data;
    size_t size, used;
};

struct target_span {
    uint8_t *data;
    size_t size, used;
};

struct stage;

struct stage_ops {
    const char *name;
    enum step (*step)(struct stage *stage, struct source_span *source, struct target_span *target,
                      bool last, struct fault *fault);
    void (*free)(struct stage *stage);
};

struct stage {
    const struct stage_ops *ops;
};

/* Step any stage, checking the contract around it. */
enum step stage_step(struct stage *stage, struct source_span *source, struct target_span *target,
                     bool last, struct fault *fault);

/* Free any stage; NULL is allowed. */
void stage_free(struct stage *stage);

/* Move as many bytes as both spans allow.  Returns how many. */
size_t span_move(struct source_span *source, struct target_span *target);

/* Move as many of size bytes from data, of which *used are gone already.  True when all are
 * gone. */
bool span_put(struct target_span *target, const void *data, size_t size, size_t *used);

#endif
