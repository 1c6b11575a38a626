/* The line of progress, piece by piece, and its thread. */
#include "commands/progress.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "support.h"

enum { WIDE = PROGRESS_LINE_MAX - 1 };

#define EMPTY_BAR "[                    ]"
#define THIRD_BAR "[====>               ]"
#define HALF_BAR "[=========>          ]"
#define LONG_BAR "[==================> ]"
#define FULL_BAR "[====================]"

static const uint64_t MIB = 1 << 20, GIB = 1 << 30;

static void
line_is(const char *wanted, uint64_t tables_total, uint64_t bytes_total,
        struct progress_count before, struct progress_count now, size_t width)
{
    struct progress progress = {
        .label = "dump", .tables_total = tables_total, .bytes_total = bytes_total};
    char line[PROGRESS_LINE_MAX];

    progress_line(line, &progress, &before, &now, width);
    assert_string_equal(line, wanted);
    assert_true(width == 0 || strlen(line) <= width);
}

static void
line_of_a_run(void **state)
{
    const struct progress_count before = {.at_ms = 50000, .plain_bytes = 1 * GIB};
    const struct progress_count now = {
        .at_ms = 60000, .plain_bytes = 1 * GIB + 1800 * MIB, .rows = 4123456, .tables_done = 12};
    (void) state;

    line_is("dump  12/40 tables  2.8 GiB  4.1 M rows  180 MiB/s  ~3 min left  " THIRD_BAR, 40,
            11 * GIB, before, now, WIDE);
    line_is("dump  12/40 tables  2.8 GiB  4.1 M rows  180 MiB/s", 40, 0, before, now, WIDE);
    line_is("dump  12/40 tables  2.8 GiB  4.1 M rows  180 MiB/s  ~3 min left", 40, 11 * GIB, before,
            now, 79);
    line_is("dump  2.8 GiB", 40, 11 * GIB, before, now, 13);
    line_is("dump", 40, 11 * GIB, before, now, 4);
    line_is("", 40, 11 * GIB, before, now, 1);
    line_is("dump  12/40 tables  2.8 GiB  4.1 M rows  180 MiB/s  ~3 min left", 40, 11 * GIB, before,
            now, 0);
}

static void
line_of_the_edges(void **state)
{
    const struct progress_count none = {0};
    struct progress_count now = {.at_ms = 500};
    (void) state;

    line_is("dump  0/0 tables  0 B  0 rows  0 B/s", 0, 0, none, none, WIDE);
    line_is("dump  0/1 tables  0 B  0 rows  0 B/s  " EMPTY_BAR, 1, 100, none, now, WIDE);

    /* An estimate that is passed stays short of the end, and says nothing of the time left. */
    now = (struct progress_count){.at_ms = 10000, .plain_bytes = 5000, .rows = 1};
    line_is("dump  0/1 tables  4.9 KiB  1 row  500 B/s  " LONG_BAR, 1, 100, none, now, WIDE);
    now.tables_done = 1;
    line_is("dump  1/1 tables  4.9 KiB  1 row  500 B/s  " FULL_BAR, 1, 100, none, now, WIDE);

    now = (struct progress_count){
        .at_ms = UINT64_MAX / 4, .plain_bytes = UINT64_MAX, .rows = UINT64_MAX};
    line_is("dump  0/2 tables  16.0 EiB  18.4 E rows  3.9 KiB/s  " LONG_BAR, 2, UINT64_MAX, none,
            now, WIDE);
}

static void
rows_and_times(void **state)
{
    static const struct {
        uint64_t rows, at_ms;
        const char *wanted;
    } cases[] = {
        {999, 10000, "dump  0/2 tables  100 B  999 rows  10 B/s  ~10 s left  " HALF_BAR},
        {1000, 89000, "dump  0/2 tables  100 B  1.0 k rows  1 B/s  ~89 s left  " HALF_BAR},
        {99949, 90000, "dump  0/2 tables  100 B  99.9 k rows  1 B/s  ~2 min left  " HALF_BAR},
        {999949, 7200000, "dump  0/2 tables  100 B  1000 k rows  0 B/s  ~2 h left  " HALF_BAR},
        {999950, 259200000, "dump  0/2 tables  100 B  1.0 M rows  0 B/s  ~3 d left  " HALF_BAR},
    };
    const struct progress_count none = {0};
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct progress_count now = {
            .at_ms = cases[i].at_ms, .rows = cases[i].rows, .plain_bytes = 100};
        line_is(cases[i].wanted, 2, 200, none, now, WIDE);
    }
}

enum { WORKERS = 4, ROUNDS = 20000 };

static void *
worker(void *argument)
{
    struct progress *progress = argument;
    for (int i = 0; i < ROUNDS; i++) {
        progress_add_rows(progress, 1);
        progress_add_plain(progress, 10);
        progress_add_stored(progress, 3);
    }
    progress_add_table(progress);
    return NULL;
}

/* The thread looks while others count; its lines are kept off the test's stderr by their level. */
static void
counted_by_many(void **state)
{
    struct progress progress;
    pthread_t threads[WORKERS];
    (void) state;

    log_init(LOG_TEXT, LOG_ERROR);
    progress_begin(&progress, "dump", WORKERS, WORKERS * ROUNDS * 10, PROGRESS_YES);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker, &progress), 0);
    usleep(2 * PROGRESS_LIVE_MS * 1000);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    progress_end(&progress);
    progress_end(&progress); /* the second one finds nothing to do */

    struct progress_count count = progress_now(&progress);
    assert_int_equal(count.rows, WORKERS * ROUNDS);
    assert_int_equal(count.plain_bytes, WORKERS * ROUNDS * 10);
    assert_int_equal(count.stored_bytes, WORKERS * ROUNDS * 3);
    assert_int_equal(count.tables_done, WORKERS);
    assert_true(count.at_ms >= PROGRESS_LIVE_MS);
}

static void
switched_off(void **state)
{
    struct progress progress;
    (void) state;

    progress_begin(&progress, "dump", 1, 1, PROGRESS_NO);
    assert_false(progress.running);
    progress_add_rows(&progress, 5);
    progress_end(&progress);
    assert_int_equal(progress_now(&progress).rows, 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_of_a_run),  cmocka_unit_test(line_of_the_edges),
        cmocka_unit_test(rows_and_times), cmocka_unit_test(counted_by_many),
        cmocka_unit_test(switched_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
