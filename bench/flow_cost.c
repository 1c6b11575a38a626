/* flow_cost - what the corridor itself costs: memory ─▶ pass ─▶ nowhere, with no, one and two
 * seams.
 *
 *     gcc -O2 -D_GNU_SOURCE -Isrc -o build/flow_cost bench/flow_cost.c -pthread \
 *         src/flow/{ring,stage,flow}.c src/base/{fault,stop,clock}.c
 *     taskset -c 0 build/flow_cost; build/flow_cost       one CPU; all of them
 *
 *
 * Each byte is copied twice, into the first window or ring and from there into the second, and
 * looked at once.  Figures are medians of several rounds; an argument is the MiB of a round. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "flow/flow.h"

enum { BLOCK_BYTES = 1 << 20, ROUNDS = 5, SEAMS_KINDS = 4 };

struct counted {
    struct stage stage;
    uint64_t left; /* of a source */
};

static uint8_t block[BLOCK_BYTES];

static enum step
source_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
            struct fault *fault)
{
    struct counted *self = (struct counted *) stage;
    (void) source, (void) last, (void) fault;

    if (self->left == 0)
        return STEP_DONE;
    size_t size = target->size < BLOCK_BYTES ? target->size : BLOCK_BYTES;
    if (size > self->left)
        size = (size_t) self->left;
    memcpy(target->data, block, size);
    target->used = size;
    self->left -= size;
    return STEP_AGAIN;
}

static enum step
pass_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
          struct fault *fault)
{
    (void) stage, (void) fault;
    if (last)
        return STEP_DONE;
    span_move(source, target);
    return STEP_AGAIN;
}

/* Looks at every byte, as a checksum or a socket would. */
static enum step
target_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
            struct fault *fault)
{
    (void) stage, (void) target, (void) fault;
    if (last)
        return STEP_DONE;
    if (memchr(source->data, 0xff, source->size) != NULL)
        abort();
    source->used = source->size;
    return STEP_AGAIN;
}

static double
seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* One journey.  seams has bit 0 for one before the pass and bit 1 for one before the target. */
static void
journey(struct flow *flow, uint64_t bytes, unsigned seams, double *wall, double *cpu)
{
    static const struct stage_ops source_ops = {.name = "source", .step = source_step};
    static const struct stage_ops pass_ops = {.name = "pass", .step = pass_step};
    static const struct stage_ops target_ops = {.name = "target", .step = target_step};
    struct counted source = {.stage.ops = &source_ops, .left = bytes};
    struct stage pass = {.ops = &pass_ops}, target = {.ops = &target_ops};
    struct fault fault = {0};

    *wall = seconds(CLOCK_MONOTONIC);
    *cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    flow_begin(flow);
    flow_add(flow, &source.stage);
    if (seams & 1)
        flow_seam(flow);
    flow_add(flow, &pass);
    if (seams & 2)
        flow_seam(flow);
    flow_add(flow, &target);
    if (!flow_run(flow, &fault)) {
        fprintf(stderr, "%s\n", fault.text);
        exit(1);
    }
    *wall = (seconds(CLOCK_MONOTONIC) - *wall) * 1e9 / (double) bytes;
    *cpu = (seconds(CLOCK_PROCESS_CPUTIME_ID) - *cpu) * 1e9 / (double) bytes;
}

int
main(int count, char **arguments)
{
    static const char *const kinds[SEAMS_KINDS] = {"no seam", "seam before pass",
                                                   "seam before target", "two seams"};
    uint64_t bytes = (count > 1 ? strtoull(arguments[1], NULL, 10) : 2048) << 20;
    struct fault fault = {0};
    struct stop stop;
    struct flow flow;

    memset(block, 'x', sizeof block);
    if (!stop_init(&stop, &fault))
        return 1;
    flow_init(&flow, &stop, FLOW_RING_BYTES);
    printf("ring %d KiB, window %d KiB, %llu MiB a round\n", FLOW_RING_BYTES >> 10,
           FLOW_WINDOW_BYTES >> 10, (unsigned long long) bytes >> 20);
    for (unsigned seams = 0; seams < SEAMS_KINDS; seams++) {
        double wall[ROUNDS], cpu[ROUNDS];
        struct rusage before, after;
        getrusage(RUSAGE_SELF, &before);
        for (int round = 0; round < ROUNDS; round++)
            journey(&flow, bytes, seams, &wall[round], &cpu[round]);
        getrusage(RUSAGE_SELF, &after);
        qsort(wall, ROUNDS, sizeof *wall, compare);
        qsort(cpu, ROUNDS, sizeof *cpu, compare);
        long switches = after.ru_nvcsw - before.ru_nvcsw + after.ru_nivcsw - before.ru_nivcsw;
        printf("%-20s %.3f ns/byte wall, %.3f ns/byte cpu, %.1f switches/MiB\n", kinds[seams],
               wall[ROUNDS / 2], cpu[ROUNDS / 2],
               (double) switches / ROUNDS / (double) (bytes >> 20));
    }
    flow_free(&flow);
    stop_free(&stop);
    return 0;
}
