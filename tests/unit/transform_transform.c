/* transform_transform - the row walker, with windows of every size: what has no rule comes out
 * byte for byte, what has one comes out as the mask made it, and rows of a wrong shape are
 * refused. */
#include <stdlib.h>

#include "support.h"
#include "transform/copy_value.h"
#include "transform/rule.h"

enum { COLUMNS_MAX = 1600 };

static struct arena arena;
static struct transform transform;

/* A table of text columns; rules are written "1 null; 3 fixed(x)" by the column's number. */
static const struct table_masks *
masks_of(size_t columns, const char *rules_text)
{
    struct column *list = arena_array(&arena, columns, sizeof *list);
    struct table *table = arena_take(&arena, sizeof *table);
    struct text text = {0};
    struct fault fault = {0};
    struct table_masks *masks;

    for (size_t i = 0; i < columns; i++)
        list[i] = (struct column){.name = arena_print(&arena, "c%zu", i), .type = "text",
                                  .base_type = "text", .kind = VALUE_TEXT};
    *table = (struct table){.oid = 1, .schema = "s", .name = "t", .copied = true, .columns = list,
                            .columns_count = columns};
    for (const char *at = rules_text; *at != '\0';) {
        size_t size = strcspn(at, ";");
        text_addf(&text, "s.t.c%.*s\n", (int) size, at);
        at += size;
        at += strspn(at, "; ");
    }
    const struct rules *rules = rules_read(&arena, text_of(&text), &fault);
    struct catalog catalog = {.tables = table, .tables_count = 1};
    if (rules == NULL || !rules_bind(rules, &catalog, &arena, &masks, &fault))
        fail_msg("%s", fault.text);
    text_free(&text);
    return masks;
}

/* The same draws each time, so that the same input gives the same output. */
static struct stage *
begin(void *context)
{
    transform.random = (struct random){.state = {1, 2, 3, 4}};
    return transform_init(&transform, context);
}

static struct windows_stage
stage_of(const struct table_masks *masks)
{
    return (struct windows_stage){.begin = begin, .context = (void *) (uintptr_t) masks};
}

static void
check(size_t columns, const char *rules, const char *input, const char *output)
{
    struct windows_stage stage = stage_of(masks_of(columns, rules));
    struct bytes expected = {0};

    bytes_add(&expected, output, strlen(output));
    windows_check(&stage, NULL, input, strlen(input), &expected, NULL);
    bytes_free(&expected);
}

static void
test_exact(void **state)
{
    (void) state;
    check(1, "0 fixed(x)", "", "");
    check(1, "0 fixed(x)", "abc\n", "x\n");
    check(1, "0 fixed(x)", "\n\\N\na\\N\n", "x\n\\N\nx\n");
    check(1, "0 null", "\n\\N\na\n", "\\N\n\\N\n\\N\n");
    check(1, "0 fixed('')", "a\n\nb\n", "\n\n\n");
    check(2, "0 fixed('')", "a\tb\n\tc\n", "\tb\n\tc\n");
    check(3, "1 fixed(x)", "a\tb\tc\nd\te\tf\n", "a\tx\tc\nd\tx\tf\n");
    check(3, "2 null", "a\tb\tc\nd\te\tf\n", "a\tb\t\\N\nd\te\t\\N\n");
    check(3, "0 null; 1 fixed(y); 2 null", "a\tb\tc\n\t\t\n", "\\N\ty\t\\N\n\\N\ty\t\\N\n");
    check(3, "0 null; 2 fixed(y)", "a\tb\tc\n\t\\N\t\\N\n", "\\N\tb\ty\n\\N\t\\N\t\\N\n");
    check(4, "1 transient", "a\t\\\\\\t\tc\td\n", "a\t\\\\\\t\tc\td\n");
    check(4, "1 transient; 2 null", "a\tb\tc\td\n", "a\tb\t\\N\td\n");
    check(3, "", "any\nthing\tat all", "any\nthing\tat all");
    check(0, "", "\n\n\n", "\n\n\n");
}

/* What is unescaped on the way in is escaped on the way out. */
static void
test_escapes(void **state)
{
    (void) state;
    check(2, "0 fixed('\b\f\n\r\t\v\\N')", "a\tb\n", "\\b\\f\\n\\r\\t\\v\\\\N\tb\n");
    check(2, "1 redacted(width=1)", "a\\tb\t\\n\\t\\\\\\b\\f\n", "a\\tb\t\\n\\t\\\\*\n");
    check(1, "0 keep-first-char", "\\\\N\n\\061x\n\\x41b\n\\.x\n", "\\\\\n1\nA\n.\n");
}

static void
test_copy_values(void **state)
{
    (void) state;
    static const struct {
        const char *escaped, *plain;
        bool cut;
    } tries[] = {
        {"", "", false},
        {"abc", "abc", false},
        {"\\b\\f\\n\\r\\t\\v\\\\", "\b\f\n\r\t\v\\", false},
        {"\\101\\7x", "A\ax", false},
        {"\\1018", "A8", false},
        {"\\x41\\x4g", "A\x04g", false},
        {"\\xg", "xg", false},
        {"\\q\\.", "q.", false},
        {"a\\", "a", false},
        {"a\\x", "ax", false},
        {"a\\1", "a\1", false},
        {"a\\x4", "a\4", false},
        {"a\\", "a", true},
        {"a\\x", "a", true},
        {"a\\x4", "a", true},
        {"a\\1", "a", true},
        {"a\\12", "a", true},
        {"a\\123", "aS", true},
        {"a\\x41", "aA", true},
        {"a\\n", "a\n", true},
        {"\\377", "\xff", false},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        size_t size = strlen(tries[i].escaped);
        uint8_t *data = malloc(size), back[64];
        memcpy(data, tries[i].escaped, size);
        size = copy_value_read(data, size, tries[i].cut);
        assert_int_equal(size, strlen(tries[i].plain));
        assert_memory_equal(data, tries[i].plain, size);
        size_t escaped = copy_value_write(data, size, back);
        assert_int_equal(copy_value_read(back, escaped, false), size);
        assert_memory_equal(back, tries[i].plain, size);
        free(data);
    }
    assert_true(copy_value_is_null((const uint8_t *) "\\N", 2));
    assert_false(copy_value_is_null((const uint8_t *) "\\NN", 3));
}

/* Random masks: each row keeps its shape, and its other columns every byte. */
static size_t
field_size(const uint8_t *field, const uint8_t *end)
{
    const uint8_t *at = field;
    while (at < end && *at != '\t' && *at != '\n')
        at++;
    return (size_t) (at - field);
}

static void
test_shape(void **state)
{
    (void) state;
    struct bytes input = {0}, output = {0};
    struct windows_stage stage = stage_of(masks_of(5, "1 random; 2 email; 4 redacted"));
    uint64_t noise = 7;

    for (int row = 0; row < 150; row++)
        for (int column = 0; column < 5; column++) {
            char value[80];
            size_t size = noise_next(&noise) % 40;
            snprintf(value, sizeof value, "%d/%d \\t \xc3\xa9 %0*d", row, column, (int) size, 7);
            if (size == 0)
                snprintf(value, sizeof value, "\\N");
            bytes_add(&input, value, strlen(value));
            bytes_add(&input, column == 4 ? "\n" : "\t", 1);
        }
    windows_check(&stage, NULL, input.data, input.size, NULL, &output);
    windows_check_abandoned(&stage, input.data, input.size);

    const uint8_t *in = input.data, *out = output.data;
    for (int field = 0; field < 150 * 5; field++) {
        size_t in_size = field_size(in, input.data + input.size),
               out_size = field_size(out, output.data + output.size);
        bool same = in_size == out_size && memcmp(in, out, in_size) == 0;
        bool ruled = field % 5 == 1 || field % 5 == 2 || field % 5 == 4;
        assert_int_equal(same, !ruled || (in_size == 2 && memcmp(in, "\\N", 2) == 0));
        assert_int_equal(in[in_size], out[out_size]);
        in += in_size + 1;
        out += out_size + 1;
    }
    assert_ptr_equal(out, output.data + output.size);
    bytes_free(&input);
    bytes_free(&output);
}

static void
test_many_columns(void **state)
{
    (void) state;
    struct bytes input = {0}, expected = {0};
    struct windows_stage stage = stage_of(masks_of(COLUMNS_MAX, "0 null; 777 fixed(x); 1599 null"));

    for (int row = 0; row < 2; row++)
        for (int column = 0; column < COLUMNS_MAX; column++) {
            bytes_add(&input, "v", column % 3 == 0);
            bytes_add(&expected, column == 777 ? "x" : column % 1599 == 0 ? "\\N" : "v",
                      column == 777 ? 1 : column % 1599 == 0 ? 2 : column % 3 == 0);
            bytes_add(&input, column == COLUMNS_MAX - 1 ? "\n" : "\t", 1);
            bytes_add(&expected, column == COLUMNS_MAX - 1 ? "\n" : "\t", 1);
        }
    windows_check(&stage, NULL, input.data, input.size, &expected, NULL);
    bytes_free(&input);
    bytes_free(&expected);
}

/* A value of 1 MB: with a rule it is masked in bounded memory, without one it passes whole. */
static void
test_long_field(void **state)
{
    (void) state;
    enum { LONG = 1024 * 1024 };
    struct bytes input = {0}, output = {0};
    struct fault fault = {0};
    char *value = malloc(LONG);

    memset(value, 'x', LONG);
    bytes_add(&input, value, LONG);
    bytes_add(&input, "\t", 1);
    bytes_add(&input, value, LONG);
    bytes_add(&input, "\tend\n", 5);
    struct stage *stage = begin((void *) (uintptr_t) masks_of(3, "0 random"));
    assert_true(windows_push(stage, input.data, input.size, 4096, 4096, &output, &fault));
    assert_int_equal(output.size, TRANSFORM_FIELD_BYTES + 1 + LONG + 5);
    assert_memory_equal(output.data + TRANSFORM_FIELD_BYTES, input.data + LONG, LONG + 6);
    assert_null(memchr(output.data, '\\', output.size));
    bytes_free(&output);

    stage = begin((void *) (uintptr_t) masks_of(3, "0 transient; 1 redacted; 2 null"));
    assert_true(windows_push(stage, input.data, input.size, 65536, 65536, &output, &fault));
    assert_int_equal(output.size, LONG + 1 + 13 + 4);
    assert_memory_equal(output.data + LONG, "\txxx**********\t\\N\n", 18);
    bytes_free(&output);
    bytes_free(&input);
    free(value);
}

/* A long value of backslashes, which the limit cuts inside an escape. */
static void
test_long_escapes(void **state)
{
    (void) state;
    enum { LONG = TRANSFORM_FIELD_BYTES + 101 };
    struct bytes input = {0}, output = {0};
    struct fault fault = {0};

    bytes_add(&input, "x", 1);
    for (int i = 0; i < LONG; i++)
        bytes_add(&input, "\\n", 2);
    bytes_add(&input, "\n", 1);
    struct stage *stage = begin((void *) (uintptr_t) masks_of(1, "0 random"));
    assert_true(windows_push(stage, input.data, input.size, 1000, 1000, &output, &fault));
    assert_int_equal(output.size, TRANSFORM_FIELD_BYTES / 2 + 1);
    bytes_free(&output);
    bytes_free(&input);
}

static void
test_wrong_shapes(void **state)
{
    (void) state;
    static const struct {
        size_t columns;
        const char *rules, *input, *sentence;
        enum err err;
    } tries[] = {
        {3, "0 null", "a\tb\n", "2 columns instead of the 3", ERR_INTERNAL},
        {3, "0 null", "a\n", "1 columns instead of the 3", ERR_INTERNAL},
        {3, "1 null", "a\n", "1 columns instead of the 3", ERR_INTERNAL},
        {3, "2 null", "a\tb\n", "2 columns instead of the 3", ERR_INTERNAL},
        {3, "0 null", "a\tb\tc\td\n", "more than the 3 columns", ERR_INTERNAL},
        {3, "1 null", "a\tb\tc\td\n", "more than the 3 columns", ERR_INTERNAL},
        {3, "2 null", "a\tb\tc\td\n", "more than the 3 columns", ERR_INTERNAL},
        {1, "0 null", "a\tb\n", "more than the 1 columns", ERR_INTERNAL},
        {3, "0 null", "\n", "1 columns instead of the 3", ERR_INTERNAL},
        {3, "0 null", "a", "in the middle of one, in column 1 of 3", ERR_SOURCE},
        {3, "0 null", "a\tb\tc", "in the middle of one, in column 3 of 3", ERR_SOURCE},
        {3, "1 null", "a", "in the middle of one, in column 1 of 3", ERR_SOURCE},
        {3, "1 null", "a\tb\tc\na\t", "in the middle of one, in column 2 of 3", ERR_SOURCE},
        {1, "0 null", "a\nb", "in the middle of one, in column 1 of 1", ERR_SOURCE},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
        for (size_t window = 1; window < 20; window += 3) {
            struct fault fault = {0};
            struct stage *stage =
                begin((void *) (uintptr_t) masks_of(tries[i].columns, tries[i].rules));
            assert_false(windows_push(stage, tries[i].input, strlen(tries[i].input), window, window,
                                      NULL, &fault));
            if (strstr(fault.text, tries[i].sentence) == NULL || fault.err != tries[i].err)
                fail_msg("%s: %s", tries[i].input, fault.text);
        }
    struct windows_stage stage = stage_of(masks_of(2, "1 random"));
    windows_check_truncated(&stage, "abcdefghij\tklm\n", 15, 1, ERR_SOURCE);
}

static int
setup(void **state)
{
    (void) state;
    transform_open(&transform);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    transform_close(&transform);
    arena_free(&arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_copy_values),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_many_columns),
        cmocka_unit_test(test_long_field),
        cmocka_unit_test(test_long_escapes),
        cmocka_unit_test(test_wrong_shapes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
