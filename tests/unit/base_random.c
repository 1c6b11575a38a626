/* base_random - the generator is the published one, and draws are within their limit and even. */
#include "base/random.h"
#include "support.h"

/* The first numbers of xoshiro256** from the state 1, 2, 3, 4, as its authors' program gives
 * them. */
static void
test_known_numbers(void **state)
{
    (void) state;
    struct random random = {.state = {1, 2, 3, 4}};

    assert_int_equal(random_next(&random), 11520);
    assert_int_equal(random_next(&random), 0);
    assert_int_equal(random_next(&random), 1509978240);
    assert_int_equal(random_next(&random), 1215971899390074240);
}

static void
test_below(void **state)
{
    (void) state;
    struct random random = {.state = {1, 2, 3, 4}};
    unsigned counts[7] = {0};

    for (int i = 0; i < 70000; i++)
        counts[random_below(&random, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9500, 10500);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(random_below(&random, 1), 0);
        assert_true(random_below(&random, 3ULL << 62) < 3ULL << 62);
        assert_true(random_below(&random, UINT64_MAX) < UINT64_MAX);
    }
}

/* Several draws out of one number: each even, and each pair of them. */
static void
test_digits(void **state)
{
    (void) state;
    struct random random = {.state = {1, 2, 3, 4}};
    unsigned counts[7][10] = {{0}};
    uint64_t none = 0, all = UINT64_MAX;

    for (int i = 0; i < 700000; i++) {
        uint64_t draw = random_next(&random);
        random_digit(&draw, 1000000);
        unsigned first = random_digit(&draw, 7);
        counts[first][random_digit(&draw, 10)]++;
    }
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 10; j++)
            assert_in_range(counts[i][j], 9500, 10500);
    for (unsigned kinds = 1; kinds < 100; kinds++) {
        assert_int_equal(random_digit(&none, kinds), 0);
        assert_true(random_digit(&all, kinds) < kinds);
    }
}

static void
test_bytes(void **state)
{
    (void) state;
    uint8_t first[300] = {0}, second[300] = {0};
    struct random one, other;

    random_bytes(NULL, 0);
    random_bytes(first, sizeof first); /* more than getrandom() promises at once */
    random_bytes(second, sizeof second);
    assert_memory_not_equal(first, second, sizeof first);
    random_init(&one);
    random_init(&other);
    assert_memory_not_equal(&one, &other, sizeof one);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_numbers),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
