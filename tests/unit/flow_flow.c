/* flow_flow - corridors of every shape; failure at every position; stop; threads that cannot
 * start. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flow/flow.h"
#include "support.h"

enum { MIDDLES_MAX = FLOW_STAGES_MAX - 2 };

/* A whole corridor: source, middles, target, and where its seams are. */
struct corridor {
    struct flow flow;
    struct stop stop;
    struct fault fault;
    struct memory_source source;
    struct faulty middles[MIDDLES_MAX];
    struct memory_target target;
};

static struct corridor corridor; /* large: each middle stage can hold 64 KiB back */
static struct bytes stream;

static void
corridor_open(size_t size, size_t middles)
{
    corridor.fault = (struct fault){0};
    assert_true(stop_init(&corridor.stop, &corridor.fault));
    flow_init(&corridor.flow, &corridor.stop,
              size % 2 == 0 ? FLOW_RING_BYTES : FLOW_RING_BYTES_MIN);
    memory_source_init(&corridor.source, stream.data, size, 100000);
    for (size_t i = 0; i < middles; i++)
        faulty_init(&corridor.middles[i]);
    memory_target_init(&corridor.target, 100000);
}

/* Seams stand before the stages whose bit is set. */
static bool
corridor_run(size_t middles, unsigned seams)
{
    flow_begin(&corridor.flow);
    flow_add(&corridor.flow, &corridor.source.stage);
    for (size_t i = 0; i <= middles; i++) {
        if (seams >> i & 1)
            flow_seam(&corridor.flow);
        flow_add(&corridor.flow,
                 i < middles ? &corridor.middles[i].stage : &corridor.target.stage);
    }
    bool done = flow_run(&corridor.flow, &corridor.fault);
    assert_true(corridor.target.freed);
    for (size_t i = 0; i < middles; i++)
        assert_true(corridor.middles[i].freed);
    assert_int_equal(done, corridor.target.done);
    assert_int_equal(done, corridor.fault.err == ERR_NONE);
    assert_int_equal(done, !stop_requested(&corridor.stop));
    return done;
}

static void
corridor_close(void)
{
    bytes_free(&corridor.target.bytes);
    flow_free(&corridor.flow);
    stop_free(&corridor.stop);
}

/* The middles' work, done without a flow. */
static void
expect(size_t size, size_t middles, struct bytes *result)
{
    bytes_add(result, stream.data, size);
    for (size_t i = 0; i < middles; i++) {
        struct faulty twin = corridor.middles[i];
        struct bytes next = {0};
        assert_true(windows_push(&twin.stage, result->data, result->size, 1 << 20, 1 << 20, &next,
                                 &corridor.fault));
        bytes_free(result);
        *result = next;
    }
}

static int
bits(unsigned number)
{
    return __builtin_popcount(number);
}

/* Every number of stages, every place for no, one or two seams, sizes around the windows' and
 * rings'. */
static void
test_shapes(void **state)
{
    (void) state;
    static const size_t sizes[] = {
        0, 1, 1000, FLOW_WINDOW_BYTES - 1, FLOW_WINDOW_BYTES + 1, 600000, FLOW_RING_BYTES + 1};
    uint64_t noise = 11;

    for (size_t middles = 0; middles <= MIDDLES_MAX; middles++)
        for (unsigned seams = 0; seams < 2U << middles; seams++) {
            if (bits(seams) > FLOW_SEAMS_MAX)
                continue;
            size_t size = sizes[noise_next(&noise) % (sizeof sizes / sizeof *sizes)];
            struct bytes expected = {0};
            corridor_open(size, middles);
            for (size_t i = 0; i < middles; i += 2) {
                uint64_t draw = noise_next(&noise);
                corridor.middles[i].expand = 1 + (draw & 1);
                corridor.middles[i].shrink = 1 + (draw >> 1) % 3;
                corridor.middles[i].hold = (draw >> 8) % 100;
                corridor.middles[i].piece_max = 1 + (draw >> 20) % 200000;
            }
            expect(size, middles, &expected);
            assert_true(corridor_run(middles, seams));
            assert_bytes_equal(&corridor.target.bytes, &expected);
            corridor_close();
            bytes_free(&expected);
        }
}

/* 1 becomes 1000; 1000 become 1; nothing comes for long, then all at the end. */
static void
test_uneven(void **state)
{
    (void) state;
    for (unsigned seams = 0; seams < 8; seams++) {
        struct bytes expected = {0};
        if (bits(seams) > FLOW_SEAMS_MAX)
            continue;
        corridor_open(5000, 2);
        corridor.middles[0].expand = 1000;
        corridor.middles[1].shrink = 1000;
        corridor.middles[1].hold = FAULTY_HOLD_MAX;
        expect(5000, 2, &expected);
        assert_true(corridor_run(2, seams));
        assert_bytes_equal(&corridor.target.bytes, &expected);
        corridor_close();
        bytes_free(&expected);
    }
}

/* Small pieces from a source that never fills its window. */
static void
test_small_pieces(void **state)
{
    (void) state;
    for (unsigned seams = 0; seams < 4; seams++) {
        corridor_open(20000, 1);
        corridor.source.piece_max = 3;
        corridor.target.piece_max = 2;
        assert_true(corridor_run(1, seams));
        assert_int_equal(corridor.target.bytes.size, 20000);
        assert_memory_equal(corridor.target.bytes.data, stream.data, 20000);
        corridor_close();
    }
}

static void
assert_failure(size_t middles, unsigned seams, const char *who)
{
    assert_false(corridor_run(middles, seams));
    assert_int_equal(corridor.fault.err, ERR_SOURCE);
    if (strncmp(corridor.fault.text, who, strlen(who)) != 0)
        fail_msg("%s, but it was %s", corridor.fault.text, who);
    corridor_close();
}

/* Everyone fails once: at the start, in the first window, after the rings have been full, at the
 * end. */
static void
test_failures(void **state)
{
    (void) state;
    static const int64_t offsets[] = {0, 1, 70000, 1200000};

    for (unsigned seams = 0; seams < 8; seams++) {
        if (bits(seams) > FLOW_SEAMS_MAX)
            continue;
        for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
            corridor_open(1200001, 2);
            corridor.source.fail_at = offsets[i];
            assert_failure(2, seams, "the source");
            corridor_open(1200001, 2);
            corridor.middles[i % 2].fail_at = offsets[i];
            assert_failure(2, seams, "the middle");
            corridor_open(1200001, 2);
            corridor.target.fail_at = offsets[i];
            assert_failure(2, seams, "the target");
        }
        corridor_open(1200001, 2);
        corridor.middles[seams & 1].fail_last = true;
        assert_failure(2, seams, "the middle's last step");
        corridor_open(1200001, 2);
        corridor.target.fail_last = true;
        assert_failure(2, seams, "the target's last step");
    }
}

/* One flow makes many journeys, with a failed one between them, under a new switch. */
static void
test_many_journeys(void **state)
{
    (void) state;
    struct stop again;

    corridor_open(300000, 1);
    for (int i = 0; i < 20; i++) {
        memory_source_init(&corridor.source, stream.data, 300000, 100000);
        faulty_init(&corridor.middles[0]);
        bytes_free(&corridor.target.bytes);
        memory_target_init(&corridor.target, 100000);
        corridor.middles[0].fail_at = i == 10 ? 1000 : NEVER;
        assert_int_equal(corridor_run(1, (unsigned) i % 4), i != 10);
        if (i == 10) {
            stop_free(&corridor.stop);
            assert_true(stop_init(&again, &corridor.fault));
            corridor.stop = again;
            corridor.fault = (struct fault){0};
        } else {
            assert_int_equal(corridor.target.bytes.size, 300000);
        }
    }
    corridor_close();
}

/* ---- stages that block --------------------------------------------------------------- */

/* At either end: waits for the world, which never answers; or spins without ever looking at the
 * switch. */
struct blocker {
    struct stage stage;
    const struct stop *stop;
    enum err err; /* what it says when the switch wakes it; ERR_NONE: leaves that to stop_wait() */
    bool spins;
    bool gives; /* one window, before it waits */
};

static enum step
blocker_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
             struct fault *fault)
{
    struct blocker *self = (struct blocker *) stage;
    (void) last;

    if (self->spins || self->gives) {
        self->gives = false;
        source->used = source->size;
        if (target->size > 0)
            memset(target->data, 0, target->size);
        target->used = target->size;
        return STEP_AGAIN;
    }
    struct fault woken = {0};
    int ready = stop_wait(self->stop, -1, 0, -1, &woken);
    assert(ready == -1);
    if (self->err != ERR_NONE)
        fault_set(fault, self->err, "the connection broke, since it was woken");
    fault_hand_over(fault, &woken);
    return STEP_FAILED;
}

static struct stage *
blocker_init(struct blocker *blocker, bool spins, enum err err)
{
    static const struct stage_ops ops = {.name = "blocker", .step = blocker_step};
    *blocker = (struct blocker){
        .stage.ops = &ops, .stop = &corridor.stop, .spins = spins, .err = err};
    return &blocker->stage;
}

static void *
stop_soon(void *argument)
{
    usleep(3000);
    stop_request(argument, 0);
    return NULL;
}

/* The switch ends a flow whose ends wait for the world, and one whose ends never do. */
static void
test_stop(void **state)
{
    (void) state;
    for (unsigned seams = 0; seams < 8; seams++) {
        struct blocker source, target;
        pthread_t thread;
        if (bits(seams) > FLOW_SEAMS_MAX)
            continue;
        for (int spins = 0; spins < 4; spins++) {
            corridor_open(0, 2);
            flow_begin(&corridor.flow);
            flow_add(&corridor.flow, blocker_init(&source, spins & 1, ERR_NONE));
            for (unsigned i = 0; i < 3; i++) {
                if (seams >> i & 1)
                    flow_seam(&corridor.flow);
                flow_add(&corridor.flow, i < 2 ? &corridor.middles[i].stage
                                               : blocker_init(&target, spins & 2, ERR_NONE));
            }
            pthread_create(&thread, NULL, stop_soon, &corridor.stop);
            assert_false(flow_run(&corridor.flow, &corridor.fault));
            assert_int_equal(corridor.fault.err, ERR_STOPPED);
            pthread_join(thread, NULL);
            corridor_close();
        }
    }
}

/* What others say because they were woken is not the verdict, wherever they stand. */
static void
test_first_failure_wins(void **state)
{
    (void) state;
    for (int i = 0; i < 50; i++) {
        struct blocker blocker;
        corridor_open(200000, 0);
        corridor.source.fail_at = 100000;
        corridor.target.fail_at = 0;
        blocker_init(&blocker, false, ERR_STORE);
        blocker.gives = i & 1;
        flow_begin(&corridor.flow);
        flow_add(&corridor.flow, i & 1 ? &blocker.stage : &corridor.source.stage);
        flow_seam(&corridor.flow);
        flow_add(&corridor.flow, i & 1 ? &corridor.target.stage : &blocker.stage);
        assert_false(flow_run(&corridor.flow, &corridor.fault));
        assert_int_equal(corridor.fault.err, ERR_SOURCE);
        corridor_close();
    }
}

/* ---- freeing, threads ---------------------------------------------------------------- */

static size_t freed_order[4], freed_count;

struct noted {
    struct stage stage;
    size_t number;
};

static enum step
noted_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
           struct fault *fault)
{
    (void) stage, (void) fault;
    if (last)
        return STEP_DONE;
    if (target->size > 0)
        span_move(source, target);
    else
        source->used = source->size;
    return STEP_AGAIN;
}

static void
noted_free(struct stage *stage)
{
    freed_order[freed_count++] = ((struct noted *) stage)->number;
}

static void
test_free_order(void **state)
{
    (void) state;
    static const struct stage_ops ops = {.name = "noted", .step = noted_step, .free = noted_free};
    struct noted stages[4];

    corridor_open(0, 0);
    flow_begin(&corridor.flow);
    for (size_t i = 0; i < 4; i++) {
        if (i == 1 || i == 3)
            flow_seam(&corridor.flow);
        stages[i] = (struct noted){.stage.ops = &ops, .number = i};
        flow_add(&corridor.flow, &stages[i].stage);
    }
    freed_count = 0;
    assert_true(flow_run(&corridor.flow, &corridor.fault));
    assert_int_equal(freed_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(freed_order[i], 3 - i);
    corridor_close();
}

/* In a child that may have no more threads: the flow fails with a sentence, having freed
 * everything. */
static void
child_without_threads(void)
{
    struct rlimit none = {0};

    if (setrlimit(RLIMIT_NPROC, &none) != 0 || (getuid() == 0 && setuid(65534) != 0))
        _exit(77);
    pthread_t thread;
    if (pthread_create(&thread, NULL, stop_soon, &corridor.stop) == 0)
        _exit(77); /* no way to provoke it here */
    bool done = corridor_run(2, 5);
    bool told = corridor.fault.err == ERR_INTERNAL &&
                strncmp(corridor.fault.text, "unable to start a thread: ", 26) == 0;
    _exit(!done && told ? 0 : 1);
}

static void
test_no_threads(void **state)
{
    (void) state;
    int status;

    corridor_open(100000, 2);
    pid_t child = fork();
    if (child == 0)
        child_without_threads();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    corridor_close();
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int
setup(void **state)
{
    (void) state;
    bytes_add_noise(&stream, 1, 1300000);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    bytes_free(&stream);
    return 0;
}

int
main(void)
{
    alarm(580); /* a deadlock is a failure */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_threads),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_uneven),
        cmocka_unit_test(test_small_pieces),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_many_journeys),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_first_failure_wins),
        cmocka_unit_test(test_free_order),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
