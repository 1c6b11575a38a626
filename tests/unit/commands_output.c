/* Tables for people, and stdout that may fail. */
#include "commands/output.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

static void
tables(void **state)
{
    struct output table;
    struct text text = {0};
    (void) state;

    output_begin(&table, "lrl");
    output_cells(&table, "name", "rows", "state");
    output_cells(&table, "größe", NULL, "ok");
    output_cells(&table, "a\nb\t\xc2\x9b" "1m");
    output_cell(&table, "%d", 12345);
    output_cells(&table, "");
    output_end(&table, &text);
    assert_string_equal(text_of(&text), "name             rows  state\n"
                                        "größe               -  ok\n"
                                        "a\\nb\\t\\u009b1m  12345  \n");
    text_clear(&text);
    output_begin(&table, "r");
    output_end(&table, &text);
    assert_string_equal(text_of(&text), "");
    text_free(&text);
}

/* Write with another descriptor in stdout's place.  Returns whether it went well. */
static bool
write_to(int fd, const struct text *text, struct stop *stop, struct fault *fault)
{
    int kept = dup(STDOUT_FILENO);

    fflush(stdout);
    assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    bool ok = output_write(text, stop, fault);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    return ok;
}

static void
written(void **state)
{
    struct stop stop;
    struct fault fault = {0};
    struct text text = {0};
    char got[32];
    int pipes[2], full = open("/dev/full", O_WRONLY);
    (void) state;

    assert_true(stop_init(&stop, &fault));
    assert_int_equal(pipe(pipes), 0);
    assert_true(write_to(pipes[1], &text, &stop, &fault));
    text_add(&text, "hello");
    assert_true(write_to(pipes[1], &text, &stop, &fault));
    assert_int_equal(read(pipes[0], got, sizeof got), 5);

    assert_false(write_to(full, &text, &stop, &fault));
    assert_int_equal(fault.err, ERR_TARGET);
    assert_string_equal(fault.text, "unable to write to stdout: No space left on device");
    close(full);

    fault = (struct fault){0};
    stop_on_signals(&stop);
    close(pipes[0]);
    assert_false(write_to(pipes[1], &text, &stop, &fault));
    assert_int_equal(fault.err, ERR_TARGET);
    close(pipes[1]);
    text_free(&text);
    stop_free(&stop);
}

/* More than a pipe holds, and nobody reads: the switch ends it. */
static void
stopped(void **state)
{
    struct stop stop;
    struct fault fault = {0};
    struct text text = {0};
    int pipes[2];
    (void) state;

    assert_true(stop_init(&stop, &fault));
    assert_int_equal(pipe(pipes), 0);
    for (int i = 0; i < 100000; i++)
        text_add(&text, "0123456789");
    stop_request(&stop, 15);
    assert_false(write_to(pipes[1], &text, &stop, &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    close(pipes[0]);
    close(pipes[1]);
    text_free(&text);
    stop_free(&stop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),
        cmocka_unit_test(written),
        cmocka_unit_test(stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
