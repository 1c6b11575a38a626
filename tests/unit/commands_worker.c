/* worker: every job is done once, the first failure ends the crew and is its sentence, and so does
 * the switch. */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "commands/worker.h"

enum { JOBS = 200 };

struct work {
    atomic_uint done[JOBS], begun, ended;
    size_t fail_at;           /* JOBS: none fails */
    bool fail_begin, fail_end;
    bool wait_for_stop;       /* a job goes on until the switch is thrown */
};

static bool
begin(struct worker *worker, struct fault *fault)
{
    struct work *work = worker->crew->command;
    atomic_fetch_add(&work->begun, 1);
    return !work->fail_begin || fault_set(fault, ERR_SOURCE, "no connection");
}

static bool
job(struct worker *worker, size_t index, struct fault *fault)
{
    struct work *work = worker->crew->command;

    atomic_fetch_add(&work->done[index], 1);
    if (index == work->fail_at)
        return fault_set(fault, ERR_TARGET, "job %zu failed", index);
    if (work->wait_for_stop)
        return stop_wait(worker->crew->stop, -1, 0, -1, fault) > 0;
    return true;
}

static bool
end(struct worker *worker, struct fault *fault)
{
    struct work *work = worker->crew->command;
    atomic_fetch_add(&work->ended, 1);
    return !work->fail_end || fault_set(fault, ERR_SOURCE, "no proof");
}

static bool
run(struct work *work, size_t jobs, unsigned size, struct stop *stop, struct fault *fault)
{
    struct env env = {.compress = true, .compress_level = 1};
    struct crew crew = {.env = &env, .stop = stop, .command = work, .jobs_count = jobs,
                        .dumps = true, .begin = begin, .job = job, .end = end};
    return crew_run(&crew, size, fault);
}

static void
test_all_jobs(void **state)
{
    static const size_t jobs[] = {0, 1, 2, 3, JOBS};
    (void) state;

    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        struct work work = {.fail_at = JOBS};
        struct fault fault = {0};
        struct stop stop;
        assert_true(stop_init(&stop, &fault));
        assert_true(run(&work, jobs[i], 4, &stop, &fault));
        assert_int_equal(atomic_load(&work.begun), jobs[i] < 4 ? jobs[i] : 4);
        assert_int_equal(atomic_load(&work.ended), atomic_load(&work.begun));
        for (size_t j = 0; j < JOBS; j++)
            assert_int_equal(atomic_load(&work.done[j]), j < jobs[i]);
        assert_false(stop_requested(&stop));
        stop_free(&stop);
    }
}

/* One fails while the others would go on for ever. */
static void
test_failure(void **state)
{
    (void) state;
    for (size_t fail_at = 0; fail_at < 4; fail_at++) {
        struct work work = {.fail_at = fail_at, .wait_for_stop = true};
        struct fault fault = {0};
        struct stop stop;
        char sentence[32];
        assert_true(stop_init(&stop, &fault));
        assert_false(run(&work, JOBS, 4, &stop, &fault));
        snprintf(sentence, sizeof sentence, "job %zu failed", fail_at);
        assert_string_equal(fault.text, sentence);
        assert_int_equal(fault.err, ERR_TARGET);
        assert_true(stop_requested(&stop));
        for (size_t j = 4; j < JOBS; j++)
            assert_int_equal(atomic_load(&work.done[j]), 0);
        assert_int_equal(atomic_load(&work.ended), 0);
        stop_free(&stop);
    }
}

static void
test_no_begin(void **state)
{
    struct work work = {.fail_at = JOBS, .fail_begin = true};
    struct fault fault = {0};
    struct stop stop;
    (void) state;

    assert_true(stop_init(&stop, &fault));
    assert_false(run(&work, JOBS, 4, &stop, &fault));
    assert_string_equal(fault.text, "no connection");
    stop_free(&stop);
}

static void
test_no_end(void **state)
{
    struct work work = {.fail_at = JOBS, .fail_end = true};
    struct fault fault = {0};
    struct stop stop;
    (void) state;

    assert_true(stop_init(&stop, &fault));
    assert_false(run(&work, JOBS, 4, &stop, &fault));
    assert_string_equal(fault.text, "no proof");
    stop_free(&stop);
}

static void *
stop_soon(void *stop)
{
    usleep(20000);
    stop_request(stop, SIGTERM);
    return NULL;
}

static void
test_stopped(void **state)
{
    struct work work = {.fail_at = JOBS, .wait_for_stop = true};
    struct fault fault = {0};
    struct stop stop;
    pthread_t thread;
    (void) state;

    assert_true(stop_init(&stop, &fault));
    pthread_create(&thread, NULL, stop_soon, &stop);
    assert_false(run(&work, JOBS, 4, &stop, &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    pthread_join(thread, NULL);

    /* Thrown before it begins. */
    fault = (struct fault){0};
    work = (struct work){.fail_at = JOBS};
    assert_false(run(&work, JOBS, 4, &stop, &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    for (size_t j = 0; j < JOBS; j++)
        assert_int_equal(atomic_load(&work.done[j]), 0);
    stop_free(&stop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_jobs), cmocka_unit_test(test_failure),
        cmocka_unit_test(test_no_begin), cmocka_unit_test(test_no_end),
        cmocka_unit_test(test_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
