/* flow - see flow.h. */
#include "flow/flow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What lies between two stages of one segment. */
struct window {
    uint8_t *data;
    size_t begin, end;
};

/* The stages [begin, end) and the rings at their two ends, NULL at the ends of the corridor. */
struct segment {
    struct flow *flow;
    size_t begin, end;
    struct ring *left, *right;
    struct window windows[FLOW_STAGES_MAX]; /* windows[i] is the input of stage begin + i, i >= 1 */
    bool ended[FLOW_STAGES_MAX];
    struct fault fault;
    pthread_t thread;
};

void
flow_init(struct flow *flow, struct stop *stop, size_t ring_bytes)
{
    size_t bytes = FLOW_SEAMS_MAX * ring_bytes + (size_t) FLOW_STAGES_MAX * FLOW_WINDOW_BYTES;

    assert(ring_bytes > 0);
    *flow = (struct flow){.stop = stop, .memory = malloc(bytes), .ring_bytes = ring_bytes};
    if (flow->memory == NULL)
        memory_exhausted(bytes);
}

void
flow_free(struct flow *flow)
{
    free(flow->memory);
    flow->memory = NULL;
}

void
flow_begin(struct flow *flow)
{
    flow->stages_count = 0;
    flow->seams_count = 0;
}

void
flow_add(struct flow *flow, struct stage *stage)
{
    assert(flow->stages_count < FLOW_STAGES_MAX);
    flow->stages[flow->stages_count++] = stage;
}

void
flow_seam(struct flow *flow)
{
    assert(flow->seams_count < FLOW_SEAMS_MAX);
    assert(flow->stages_count > 0);
    flow->seams[flow->seams_count++] = flow->stages_count;
}

/* Show a stage its input: the left ring, the window before it, or nothing for the first of all. */
static bool
segment_source(struct segment *segment, size_t at, struct source_span *source)
{
    if (at > 0) {
        struct window *window = &segment->windows[at];
        *source = (struct source_span){.data = window->data + window->begin,
                                       .size = window->end - window->begin};
        return true;
    }
    *source = (struct source_span){0};
    return segment->left == NULL || ring_peek(segment->left, source);
}

/* Show a stage where to write: the right ring, the window behind it, or nothing for the final
 * stage of all. */
static bool
segment_target(struct segment *segment, size_t at, struct target_span *target)
{
    bool final = segment->begin + at + 1 == segment->end;

    *target = (struct target_span){0};
    if (final)
        return segment->right == NULL || ring_reserve(segment->right, target);

    struct window *window = &segment->windows[at + 1];
    assert(window->begin == window->end);
    window->begin = window->end = 0;
    *target = (struct target_span){.data = window->data, .size = FLOW_WINDOW_BYTES};
    return true;
}

/* Step one stage.  The switch is looked at here too, since a ring's sleepers do not poll it: they
 * are woken by the failure of whoever saw it. */
static enum step
segment_step(struct segment *segment, size_t at)
{
    struct source_span source;
    struct target_span target;

    if (stop_requested(segment->flow->stop) || !segment_source(segment, at, &source) ||
        !segment_target(segment, at, &target)) {
        fault_set(&segment->fault, ERR_STOPPED, "stopped");
        return STEP_FAILED;
    }

    bool last = source.size == 0;
    struct stage *stage = segment->flow->stages[segment->begin + at];
    enum step step = stage_step(stage, &source, &target, last, &segment->fault);

    if (at > 0)
        segment->windows[at].begin += source.used;
    else if (segment->left != NULL)
        ring_consume(segment->left, source.used);
    if (segment->begin + at + 1 < segment->end)
        segment->windows[at + 1].end = target.used;
    else if (segment->right != NULL)
        ring_commit(segment->right, target.used);
    return step;
}

/* Walk the bytes through the stages of one segment, always as deep as they can go: a stage runs
 * until the window behind it holds something, the next one until it has emptied that window. */
static bool
segment_walk(struct segment *segment)
{
    size_t at = 0, final = segment->end - segment->begin - 1;

    for (;;) {
        const struct window *input = &segment->windows[at];
        if (at > 0 && input->begin == input->end && !segment->ended[at - 1]) {
            at--;
            continue;
        }
        enum step step = segment_step(segment, at);
        if (step == STEP_FAILED)
            return false;
        if (step == STEP_DONE) {
            segment->ended[at] = true;
            if (at == final)
                return true;
        }
        if (at < final && (segment->ended[at] || segment->windows[at + 1].end > 0))
            at++;
    }
}

/* Note who failed first, then wake everything: the others fail only after this, and only by it. */
static void
segment_fail(struct segment *segment)
{
    struct flow *flow = segment->flow;
    struct fault *none = NULL;

    atomic_compare_exchange_strong(&flow->first, &none, &segment->fault);
    stop_request(flow->stop, 0);
    for (size_t i = 0; i < flow->seams_count; i++)
        ring_fail(&flow->rings[i]);
}

static void *
segment_run(void *argument)
{
    struct segment *segment = argument;

    if (!segment_walk(segment))
        segment_fail(segment);
    else if (segment->right != NULL)
        ring_close(segment->right);
    return NULL;
}

/* Cut the corridor into segments and give each its rings and windows. */
static void
flow_cut(struct flow *flow, struct segment *segments)
{
    uint8_t *memory = flow->memory;

    for (size_t i = 0; i < flow->seams_count; i++, memory += flow->ring_bytes)
        ring_init(&flow->rings[i], memory, flow->ring_bytes);
    memory = flow->memory + FLOW_SEAMS_MAX * flow->ring_bytes;
    for (size_t i = 0; i <= flow->seams_count; i++) {
        struct segment *segment = &segments[i];
        *segment = (struct segment){
            .flow = flow,
            .begin = i == 0 ? 0 : flow->seams[i - 1],
            .end = i == flow->seams_count ? flow->stages_count : flow->seams[i],
            .left = i == 0 ? NULL : &flow->rings[i - 1],
            .right = i == flow->seams_count ? NULL : &flow->rings[i],
        };
        assert(segment->begin < segment->end);
        for (size_t j = 1; j < segment->end - segment->begin; j++, memory += FLOW_WINDOW_BYTES)
            segment->windows[j].data = memory;
    }
}

/* Start the threads of all segments but the first.  Returns how many segments have one, counting
 * the first; with less than all of them the run has failed already. */
static size_t
flow_start(struct flow *flow, struct segment *segments)
{
    pthread_attr_t attributes;
    size_t started = 1;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, FLOW_STACK_BYTES);
    for (; started <= flow->seams_count; started++) {
        struct segment *segment = &segments[started];
        int error = pthread_create(&segment->thread, &attributes, segment_run, segment);
        if (error != 0) {
            fault_set(&segment->fault, ERR_INTERNAL, "unable to start a thread: %s",
                      strerror(error));
            segment_fail(segment);
            break;
        }
    }
    pthread_attr_destroy(&attributes);
    return started;
}

bool
flow_run(struct flow *flow, struct fault *fault)
{
    struct segment segments[FLOW_SEAMS_MAX + 1];

    assert(flow->stages_count >= 1);
    atomic_store(&flow->first, NULL);
    flow_cut(flow, segments);
    size_t started = flow_start(flow, segments);
    segment_run(&segments[0]);
    for (size_t i = 1; i < started; i++)
        pthread_join(segments[i].thread, NULL);

    for (size_t i = flow->stages_count; i-- > 0;)
        stage_free(flow->stages[i]);
    for (size_t i = 0; i < flow->seams_count; i++)
        ring_free(&flow->rings[i]);
    flow_begin(flow);
    const struct fault *first = atomic_load(&flow->first);
    if (first != NULL)
        fault_hand_over(fault, first);
    return first == NULL;
}
