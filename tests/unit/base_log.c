/* base_log - what stands on stderr, as text, as JSON, and on a terminal. */
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "support.h"

static int saved_stderr, reader;
static char seen[65536];

static void
capture_begin(int writer)
{
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    dup2(writer, STDERR_FILENO);
    close(writer);
}

static const char *
capture_end(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    size_t used = 0;
    ssize_t got;
    while ((got = read(reader, seen + used, sizeof seen - 1 - used)) > 0)
        used += (size_t) got;
    seen[used] = '\0';
    close(reader);
    return seen;
}

static void
capture_pipe(void)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    reader = pipes[0];
    capture_begin(pipes[1]);
}

static void
test_text(void **state)
{
    (void) state;
    capture_pipe();
    log_init(LOG_TEXT, LOG_INFO);
    log_debug("not shown");
    log_info("dumped %s: %d rows", "public.film", 1000);
    log_live("never on a pipe");
    log_warning("evil \033[2J name\a\x7f \xc2\x9b" "2J \xc2\xa0\xc3\x9b\xc2");
    log_info("a view\n%s", "2026-11-21T09:26:00.123Z info    restore done: all 7 tables");
    const char *text = capture_end();
    assert_false(log_is_live());
    assert_non_null(strstr(text, "Z info    dumped public.film: 1000 rows\n"));
    assert_non_null(strstr(text, "Z warning evil \\x1b[2J name\\x07\\x7f \\u009b2J "
                                 "\xc2\xa0\xc3\x9b\\xc2\n"));
    assert_non_null(strstr(text, "Z info    a view\\n2026-11-21T09:26:00.123Z info    restore"));
    assert_null(strstr(text, "shown"));
    assert_null(strstr(text, "never"));
}

static void
test_json(void **state)
{
    (void) state;
    struct arena arena = {0};
    struct fault fault = {0};

    capture_pipe();
    log_init(LOG_JSON, LOG_DEBUG);
    log_debug("a \"quoted\"\nname \xc2\x9b\x7f\xe2\x80\xae\xff");
    const char *text = capture_end();
    const struct json *line = json_parse(&arena, text, strlen(text), "the line", &fault);
    assert_string_equal(json_get_text(line, "level", ""), "debug");
    assert_string_equal(json_get_text(line, "message", ""),
                        "a \"quoted\"\nname \xc2\x9b\x7f\xe2\x80\xae\xef\xbf\xbd");
    assert_non_null(strstr(text, "\\u009b\\u007f\\u202e\\ufffd\""));
    assert_int_equal(strlen(json_get_text(line, "time", "")), 24);
    arena_free(&arena);
}

static void
test_long_line(void **state)
{
    (void) state;
    static char message[LOG_LINE_MAX * 2];

    memset(message, 'x', sizeof message - 1);
    capture_pipe();
    log_init(LOG_TEXT, LOG_INFO);
    log_error("%s", message);
    const char *text = capture_end();
    assert_true(strlen(text) < LOG_LINE_MAX + 64);
    assert_int_equal(text[strlen(text) - 1], '\n');

    /* Not cut inside a character, wherever it stands. */
    for (size_t i = 0; i < 4; i++) {
        memset(message, 'x', i);
        for (size_t at = i; at + 4 < sizeof message; at += 4)
            memcpy(message + at, "𝄞", 4);
        capture_pipe();
        log_init(LOG_TEXT, LOG_INFO);
        log_error("%s", message);
        assert_null(strchr(capture_end(), '\\'));
    }
}

/* On a terminal the live line comes back below every line. */
static void
test_live(void **state)
{
    (void) state;
    int master, slave;

    if (openpty(&master, &slave, NULL, NULL, NULL) != 0)
        skip();
    reader = master;
    capture_begin(slave);
    log_init(LOG_TEXT, LOG_INFO);
    bool live = log_is_live();
    log_live("40 %");
    log_info("dumped film");
    log_live("");
    log_warning("careful");
    const char *text = capture_end();
    assert_true(live);
    assert_string_equal(text, "\r\033[K40 %\r\033[Kdumped film\r\n40 %\r\033[K"
                              "\r\033[Kwarning: careful\r\n");
}

static void *
log_many(void *argument)
{
    for (int i = 0; i < 100; i++)
        log_info("%s", (const char *) argument);
    return NULL;
}

/* Lines of two threads do not mix. */
static void
test_threads(void **state)
{
    (void) state;
    static char ours[] = "aaaaaaaaaa", theirs[] = "bbbbbbbbbb";
    pthread_t thread;

    capture_pipe();
    log_init(LOG_TEXT, LOG_INFO);
    pthread_create(&thread, NULL, log_many, ours);
    log_many(theirs);
    pthread_join(thread, NULL);
    size_t lines = 0;
    for (const char *at = capture_end(); *at != '\0'; at = strchr(at, '\n') + 1, lines++)
        assert_true(strncmp(at + 33, ours, 10) == 0 || strncmp(at + 33, theirs, 10) == 0);
    assert_int_equal(lines, 200);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_live),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
