/* base_clock - times and durations as people read them. */
#include <stdio.h>

#include "base/clock.h"
#include "support.h"

static void
test_text(void **state)
{
    (void) state;
    char buffer[32];

    assert_string_equal(clock_text(buffer, 0), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_text(buffer, 951782400999), "2000-02-29T00:00:00.999Z");
    assert_string_equal(clock_text(buffer, 1795253160123), "2026-11-21T09:26:00.123Z");
    /* A manifest may hold any number. */
    assert_true(strlen(clock_text(buffer, UINT64_MAX)) < sizeof buffer);
    assert_true(strlen(clock_text(buffer, UINT64_MAX / 2)) < sizeof buffer);
}

static void
test_duration(void **state)
{
    (void) state;
    static const struct {
        uint64_t ms;
        const char *text;
    } durations[] = {
        {0, "0.0 s"},
        {449, "0.4 s"},
        {9940, "9.9 s"},
        {10000, "10 s"},
        {59999, "59 s"},
        {60000, "1 min 00 s"},
        {185000, "3 min 05 s"},
        {3600000, "1 h 00 min"},
        {7620000, "2 h 07 min"},
        {86400000, "1 d 00 h"},
        {UINT64_MAX, "213503982334 d 14 h"},
    };

    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        char buffer[32];
        assert_string_equal(clock_duration(buffer, durations[i].ms), durations[i].text);
    }
}

static void
test_now(void **state)
{
    (void) state;
    uint64_t first = clock_ms(), second = clock_ms();

    assert_true(second >= first);
    assert_true(clock_epoch_ms() > 1600000000000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
