/* base_stop - the switch, the wait that looks at it, and signals. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"
#include "support.h"

static void
test_switch(void **state)
{
    (void) state;
    struct stop stop;
    struct fault fault = {0};

    assert_true(stop_init(&stop, &fault));
    assert_false(stop_requested(&stop));
    stop_request(&stop, 0);
    stop_request(&stop, SIGTERM);
    stop_request(&stop, SIGINT);
    assert_true(stop_requested(&stop));
    assert_int_equal(atomic_load(&stop.signal), SIGTERM);
    for (int i = 0; i < 2; i++) {
        fault = (struct fault){0};
        assert_int_equal(stop_wait(&stop, -1, 0, -1, &fault), -1);
        assert_int_equal(fault.err, ERR_STOPPED);
    }
    stop_free(&stop);
}

static void
test_wait(void **state)
{
    (void) state;
    struct stop stop;
    struct fault fault = {0};
    int pipes[2];

    assert_true(stop_init(&stop, &fault));
    assert_int_equal(pipe(pipes), 0);
    uint64_t begin_ms = clock_ms();
    assert_int_equal(stop_wait(&stop, pipes[0], POLLIN, 30, &fault), 0);
    assert_true(clock_ms() - begin_ms >= 30);
    assert_int_equal(stop_wait(&stop, pipes[0], POLLIN, 0, &fault), 0);
    assert_int_equal(stop_wait(&stop, pipes[1], POLLOUT, -1, &fault), 1);
    close(pipes[1]);
    assert_int_equal(stop_wait(&stop, pipes[0], POLLIN, -1, &fault), 1); /* hung up */
    close(pipes[0]);
    assert_int_equal(fault.err, ERR_NONE);
    stop_free(&stop);
}

static void *
request_soon(void *argument)
{
    usleep(5000);
    stop_request(argument, 0);
    return NULL;
}

static void
test_wakes_waiter(void **state)
{
    (void) state;
    struct stop stop;
    struct fault fault = {0};
    pthread_t thread;

    assert_true(stop_init(&stop, &fault));
    pthread_create(&thread, NULL, request_soon, &stop);
    assert_int_equal(stop_wait(&stop, -1, 0, 60000, &fault), -1);
    pthread_join(thread, NULL);
    stop_free(&stop);
}

/* A signal throws the switch and nothing else; after stop_free() it ends the process as ever. */
static void
child_of_signals(void)
{
    struct stop stop;
    struct fault fault = {0};

    if (!stop_init(&stop, &fault))
        _exit(1);
    stop_on_signals(&stop);
    raise(SIGPIPE);
    if (stop_requested(&stop))
        _exit(2);
    raise(SIGTERM);
    raise(SIGINT);
    if (!stop_requested(&stop) || atomic_load(&stop.signal) != SIGTERM)
        _exit(3);
    if (stop_wait(&stop, -1, 0, -1, &fault) != -1)
        _exit(4);
    stop_free(&stop);
    raise(SIGTERM);
    _exit(5);
}

static void
test_signals(void **state)
{
    (void) state;
    int status;
    pid_t child = fork();

    if (child == 0)
        child_of_signals();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_switch),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_wakes_waiter),
        cmocka_unit_test(test_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
