/* flow - the corridor itself: stages in a row, cut into segments by seams.
 *
 *      copy_out │ transform  volume  compress │ put        │ a seam: a ring between two threads
 *
 * Stages between two seams share one thread and hand bytes over in windows that stay in its cache;
 * a seam is worth its ring where one side blocks on the world.  Parallel work is many flows, never
 * a clever stage.
 *
 * Life:   flow_init (takes the memory); per journey flow_begin, flow_add and flow_seam in the order
 *         of the bytes, flow_run; then the next journey; flow_free.
 * Limits: FLOW_STAGES_MAX stages, FLOW_SEAMS_MAX seams; memory of FLOW_BYTES and FLOW_SEAMS_MAX
 *         rings, taken once.
 * Threads: flow_run starts one thread per segment but the first one's, which is the caller. */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include "base/fault.h"
#include "base/stop.h"
#include "flow/ring.h"
#include "flow/stage.h"

enum {
    FLOW_STAGES_MAX = 8,
    FLOW_SEAMS_MAX = 2,

    /* Measured with bench/flow_cost.c on one and two CPUs, CPU per byte: without a seam 0.05 ns;
     * with one or two 0.11 to 0.27 ns for rings of 256 KiB, 0.07 to 0.17 ns (once 0.32) for 1
     * MiB.  Compressing takes 4 ns, and a whole dump on one CPU took the same 3.6 s with 256 KiB,
     * 512 KiB and 1 MiB. */
    FLOW_RING_BYTES = 256 * 1024,
    FLOW_RING_BYTES_MIN = 64 * 1024, /* where memory is short */

    /* 32, 64 and 128 KiB cost the same 0.05 ns; two of them stay in any second-level cache. */
    FLOW_WINDOW_BYTES = 64 * 1024,

    /* musl gives 128 KiB by default, little for name resolution under a stage that opens
     * sockets. */
    FLOW_STACK_BYTES = 256 * 1024,

    /* Whatever the size of its rings. */
    FLOW_BYTES = FLOW_SEAMS_MAX * FLOW_STACK_BYTES + FLOW_STAGES_MAX * FLOW_WINDOW_BYTES,
};

struct flow {
    struct stop *stop;
    uint8_t *memory;
    size_t ring_bytes;
    struct stage *stages[FLOW_STAGES_MAX];
    size_t stages_count;
    size_t seams[FLOW_SEAMS_MAX]; /* the seam stands before this stage */
    size_t seams_count;
    struct ring rings[FLOW_SEAMS_MAX];
    struct fault *_Atomic first; /* of a run: the failure that came first in time */
};

/* Take the memory; ring_bytes for each seam, FLOW_RING_BYTES unless memory is short.  A failure of
 * any stage throws the stop switch, so that everything that blocks anywhere in the run wakes. */
void flow_init(struct flow *flow, struct stop *stop, size_t ring_bytes);
void flow_free(struct flow *flow);

/* Start describing a journey: no stages yet. */
void flow_begin(struct flow *flow);
void flow_add(struct flow *flow, struct stage *stage);
void flow_seam(struct flow *flow);

/* Let the bytes walk, until every stage is done, one failed, or the stop switch is thrown; then
 * free all stages, last one first (so a target that is not done undoes its object before its source
 * lets go).  Every stage of the journey is freed, whatever happened.
 * Returns false with the failure that came first in time; ERR_STOPPED if it was the switch. */
bool flow_run(struct flow *flow, struct fault *fault);

#endif
