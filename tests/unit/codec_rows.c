/* rows: against a reader that looks at one byte after the other, whatever the pieces. */
#include "support.h"

#include <stdlib.h>

#include "codec/rows.h"

/* What is wrong with rows, said by the simplest means; NULL: nothing. */
static const char *
simple_look(const uint8_t *data, size_t size, struct rows *rows)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\0' || data[i] == '\r')
            return data[i] == '\0' ? "zero byte" : "carriage return";
        if (rows->escaped && (data[i] == '\0' || strchr("bfnrtvN\\", data[i]) == NULL))
            return data[i] == '.' ? "end mark" : "backslash";
        rows->escaped = !rows->escaped && data[i] == '\\';
        rows->count += data[i] == '\n';
        rows->open = data[i] != '\n';
    }
    return NULL;
}

/* Both readers say the same, with the data cut in two anywhere, and each part flush against the end
 * of what may be read. */
static void
check_cut(const uint8_t *data, size_t size, size_t cut)
{
    struct rows rows = {0}, simple = {0};
    struct fault fault = {0};
    uint8_t *first = malloc(cut + (cut == 0)), *second = malloc(size - cut + (size == cut));

    memcpy(first, data, cut);
    memcpy(second, data + cut, size - cut);
    bool good = rows_look(&rows, first, cut, ERR_INTEGRITY, "x", &fault) &&
                rows_look(&rows, second, size - cut, ERR_INTEGRITY, "x", &fault);
    const char *wrong = simple_look(data, size, &simple);
    assert_int_equal(good, wrong == NULL);
    assert_int_equal(fault.err, good ? ERR_NONE : ERR_INTEGRITY);
    if (!good && strstr(fault.text, wrong) == NULL)
        fail_msg("%s instead of %s", fault.text, wrong);
    if (good) {
        assert_int_equal(rows.count, simple.count);
        assert_int_equal(rows.open, simple.open);
        assert_int_equal(rows.escaped, simple.escaped);
    }
    free(first);
    free(second);
}

static void
test_every_cut(void **state)
{
    static const char *const texts[] = {
        "", "\n", "a", "1\tb\\nc\n\\N\t\\\\\n", "\\", "\\\\", "\\.\n", "a\\.\n", "a\\\\.\n",
        "\\\\\\.", "a\r\n", "a\\\nb\n", "\\x41\n", "\\060\n", "\\b\\f\\n\\r\\t\\v\\N\\\\\n", "\\!",
        "\\n\\!",
        "a line that is longer than a block of sixty-four bytes, \\\\ of which it takes\t\\N\n"
        "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\"
        "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\n\n",
        "a line that is longer than a block of sixty-four bytes, the last one is no good\\q\n",
    };
    (void) state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t cut = 0; cut <= strlen(texts[i]); cut++)
            check_cut((const uint8_t *) texts[i], strlen(texts[i]), cut);
}

/* Texts of few kinds of bytes, mostly good ones, over several blocks. */
static void
test_random(void **state)
{
    static const char good[] = "abc\t\t\nN\\\\nt", bad[] = ".!\r\0x\n";
    uint8_t text[400];
    (void) state;

    srand(17);
    for (int round = 0; round < 20000; round++) {
        size_t size = (size_t) rand() % sizeof text;
        size_t kinds = 3 + (size_t) rand() % (sizeof good - 3);
        for (size_t i = 0; i < size; i++)
            text[i] = (uint8_t) good[(size_t) rand() % kinds];
        if (size > 0 && rand() % 2 == 0)
            text[(size_t) rand() % size] = (uint8_t) bad[(size_t) rand() % (sizeof bad - 1)];
        check_cut(text, size, size == 0 ? 0 : (size_t) rand() % size);
    }
}

/* More newlines than a lane counts. */
static void
test_many_rows(void **state)
{
    enum { ROWS = 100003 };
    uint8_t *data = malloc(ROWS);
    struct rows rows = {0};
    struct fault fault = {0};
    (void) state;

    memset(data, '\n', ROWS);
    assert_true(rows_look(&rows, data, ROWS, ERR_SOURCE, "x", &fault));
    assert_int_equal(rows.count, ROWS);
    assert_true(rows_whole(&rows, ROWS, ERR_SOURCE, "x", &fault));
    assert_false(rows_whole(&rows, ROWS + 1, ERR_SOURCE, "x", &fault));
    assert_string_equal(fault.text, "x holds 100003 rows, 100004 were announced");
    data[70000] = '\0';
    fault = (struct fault){0};
    assert_false(rows_look(&(struct rows){0}, data, ROWS, ERR_SOURCE, "x", &fault));
    assert_string_equal(fault.text, "x holds a zero byte in row 70001, where COPY writes none");
    free(data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_many_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
