/* flow_stage - the spans' two helpers, and the contract that stage_step() asserts. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

static void
test_span_move(void **state)
{
    (void) state;
    uint8_t out[5] = {0};
    struct source_span source = {.data = (const uint8_t *) "abcdefgh", .size = 8, .used = 1};
    struct target_span target = {.data = out, .size = 5, .used = 2};

    assert_int_equal(span_move(&source, &target), 3);
    assert_int_equal(source.used, 4);
    assert_int_equal(target.used, 5);
    assert_memory_equal(out, "\0\0bcd", 5);
    assert_int_equal(span_move(&source, &target), 0);
    assert_int_equal(span_move(&(struct source_span){0}, &(struct target_span){0}), 0);
}

static void
test_span_put(void **state)
{
    (void) state;
    uint8_t out[3];
    struct target_span target = {.data = out, .size = 3};
    size_t used = 0;

    assert_true(span_put(&target, NULL, 0, &used));
    assert_false(span_put(&target, "abcd", 4, &used));
    assert_int_equal(used, 3);
    target.used = 0;
    assert_true(span_put(&target, "abcd", 4, &used));
    assert_int_equal(used, 4);
    assert_int_equal(target.used, 1);
    assert_int_equal(out[0], 'd');
}

/* A stage that breaks its contract in one way. */
enum breach { NO_FAULT, NOTHING_MOVED, DONE_EARLY, OVERRUN, BACKWARDS, BREACHES };

struct broken {
    struct stage stage;
    enum breach breach;
};

static enum step
broken_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
            struct fault *fault)
{
    (void) last, (void) fault;
    switch (((struct broken *) stage)->breach) {
    case NO_FAULT:
        return STEP_FAILED;
    case NOTHING_MOVED:
        return STEP_AGAIN;
    case DONE_EARLY:
        source->used = source->size;
        return STEP_DONE;
    case OVERRUN:
        target->used = target->size + 1;
        return STEP_AGAIN;
    default:
        source->used--;
        return STEP_AGAIN;
    }
}

static void
break_contract(enum breach breach)
{
    static const struct stage_ops ops = {.name = "broken", .step = broken_step};
    struct broken broken = {.stage.ops = &ops, .breach = breach};
    uint8_t in[4] = {0}, out[4];
    struct source_span source = {.data = in, .size = 4, .used = 1};
    struct target_span target = {.data = out, .size = 4};
    struct fault fault = {0};

    close(STDERR_FILENO);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    signal(SIGABRT, SIG_DFL);
    stage_step(&broken.stage, &source, &target, false, &fault);
    _exit(0);
}

static void
test_contract(void **state)
{
    (void) state;
    for (enum breach breach = 0; breach < BREACHES; breach++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            break_contract(breach);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
    }
}

static void
test_free_of_nothing(void **state)
{
    (void) state;
    static const struct stage_ops ops = {.name = "no free"};
    stage_free(NULL);
    stage_free(&(struct stage){.ops = &ops});
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_span_move),
        cmocka_unit_test(test_span_put),
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_free_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
