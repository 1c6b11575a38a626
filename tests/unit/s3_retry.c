/* s3_retry - pauses, the bucket, and the two ways to an end, with a clock and chance of our own. */
#include "s3/retry.h"
#include "support.h"

static void
test_pauses_grow(void **state)
{
    (void) state;
    static const unsigned ceilings[] = {50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 20000,
                                        20000, 20000};
    struct retry_bucket bucket = {.tokens = RETRY_TOKENS_MAX};
    struct retry highest, lowest;
    unsigned pause_ms;

    retry_begin(&highest, 0, 1000000, 5);
    retry_begin(&lowest, 0, 1000000, 5);
    for (size_t i = 0; i < sizeof ceilings / sizeof *ceilings; i++) {
        highest.attempts++;
        assert_true(retry_again(&highest, &bucket, false, 0, 5, ceilings[i], &pause_ms));
        assert_int_equal(pause_ms, ceilings[i]);
        assert_true(retry_again(&lowest, &bucket, false, 0, 5, 0, &pause_ms));
        assert_int_equal(pause_ms, 0);
    }
    assert_int_equal(bucket.tokens, RETRY_TOKENS_MAX - 24 * RETRY_COST);
}

static void
test_time_ends_it(void **state)
{
    (void) state;
    struct retry_bucket bucket = {.tokens = RETRY_TOKENS_MAX};
    struct retry retry;
    unsigned pause_ms;

    retry_begin(&retry, 0, 1000, 7000);
    retry.step = 9;
    assert_true(retry_again(&retry, &bucket, false, 0, 7400, 20000, &pause_ms));
    assert_int_equal(pause_ms, 600); /* what is left */
    assert_true(retry_again(&retry, &bucket, false, 0, 7999, 20000, &pause_ms));
    assert_int_equal(pause_ms, 1);
    assert_false(retry_again(&retry, &bucket, false, 0, 8000, 20000, &pause_ms));
    retry_progress(&retry, 8000);
    assert_true(retry_again(&retry, &bucket, false, 0, 8999, 50, &pause_ms));
    assert_int_equal(pause_ms, 1);
}

/* The user's number counts, and no clock. */
static void
test_attempts_end_it(void **state)
{
    (void) state;
    struct retry_bucket bucket = {.tokens = RETRY_TOKENS_MAX};
    struct retry retry;
    unsigned pause_ms;

    retry_begin(&retry, 3, 1000, 0);
    retry.attempts = 1;
    assert_true(retry_again(&retry, &bucket, true, 0, 50000, 50, &pause_ms));
    assert_int_equal(pause_ms, 50);
    retry.attempts = 2;
    assert_true(retry_again(&retry, &bucket, true, 0, 100000, 0, &pause_ms));
    retry.attempts = 3;
    assert_false(retry_again(&retry, &bucket, true, 0, 100000, 0, &pause_ms));
    retry_begin(&retry, 1, 1000, 0);
    retry.attempts = 1;
    assert_false(retry_again(&retry, &bucket, false, 0, 0, 0, &pause_ms));
}

static void
test_the_bucket(void **state)
{
    (void) state;
    struct retry_bucket bucket = {.tokens = 14};
    struct retry retry, clean;
    unsigned pause_ms;

    retry_begin(&retry, 0, 1000000, 0);
    assert_true(retry_again(&retry, &bucket, true, 0, 0, 0, &pause_ms));
    assert_int_equal(bucket.tokens, 4);
    assert_int_equal(pause_ms, 0);
    /* Empty: long pauses, but it goes on. */
    assert_true(retry_again(&retry, &bucket, false, 0, 0, 0, &pause_ms));
    assert_int_equal(bucket.tokens, 4);
    assert_int_equal(pause_ms, RETRY_PAUSE_MS_MAX);
    assert_true(retry_again(&retry, &bucket, false, 0, 0, RETRY_PAUSE_MS_MAX / 4 - 1, &pause_ms));
    assert_int_equal(pause_ms, RETRY_PAUSE_MS_MAX - RETRY_PAUSE_MS_MAX / 4 + 1);
    retry_end(&retry, &bucket);
    assert_int_equal(bucket.tokens, 14);
    retry_begin(&clean, 0, 1000000, 0);
    retry_end(&clean, &bucket);
    assert_int_equal(bucket.tokens, 15);
    bucket.tokens = RETRY_TOKENS_MAX;
    retry_end(&clean, &bucket);
    assert_int_equal(bucket.tokens, RETRY_TOKENS_MAX);
}

static void
test_the_store_wishes(void **state)
{
    (void) state;
    struct retry_bucket bucket = {.tokens = RETRY_TOKENS_MAX};
    struct retry retry;
    unsigned pause_ms;

    retry_begin(&retry, 0, 1000000, 0);
    assert_true(retry_again(&retry, &bucket, false, 3000, 0, 9, &pause_ms));
    assert_int_equal(pause_ms, 3000);
    assert_true(retry_again(&retry, &bucket, false, 3600000, 0, 9, &pause_ms));
    assert_int_equal(pause_ms, RETRY_PAUSE_MS_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pauses_grow),
        cmocka_unit_test(test_time_ends_it),
        cmocka_unit_test(test_attempts_end_it),
        cmocka_unit_test(test_the_bucket),
        cmocka_unit_test(test_the_store_wishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
