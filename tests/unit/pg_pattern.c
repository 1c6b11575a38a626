/* pg_pattern - names with wildcards: what is read, what fits, and what is refused. */
#include <stdlib.h>

#include "pg/pattern.h"
#include "support.h"

static struct arena arena;

static void
test_parts(void **state)
{
    (void) state;
    static const struct {
        const char *written, *text, *rest;
        bool has_glob;
    } tries[] = {
        {"users", "users", "", false},
        {"  Users \t.x", "users", ".x", false},
        {"\"Users\".x", "Users", ".x", false},
        {"\"a\"\"b\"", "a\"b", "", false},
        {"\"\"\"\"", "\"", "", false},
        {"\"a.b c\nd\" e", "a.b c\nd", "e", false},
        {"\"*?\"", "*?", "", false},
        {"t_*", "t_*", "", true},
        {"t\"*\"?", "t*?", "", true},
        {"A\"B\"C", "aBc", "", false},
        {"stra\xc3\x9f" "e$1,", "stra\xc3\x9f" "e$1", ",", false},
        {"a-b", "a", "-b", false},
        {"x\ny", "x", "\ny", false},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct pattern_part part;
        struct fault fault = {0};
        const char *at = tries[i].written;
        assert_true(pattern_part_read(&arena, &at, &part, &fault));
        assert_string_equal(part.text, tries[i].text);
        assert_string_equal(at, tries[i].rest);
        assert_int_equal(part.has_glob, tries[i].has_glob);
    }
}

static void
test_wrong_parts(void **state)
{
    (void) state;
    static const char *const tries[] = {"",    "   ",     ".",    "-a", "\"",
                                        "\"a", "\"a\"\"", "\"\"", "(",  "\n"};

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct pattern_part part;
        struct fault fault = {0};
        const char *at = tries[i];
        assert_false(pattern_part_read(&arena, &at, &part, &fault));
        assert_int_equal(fault.err, ERR_CONFIG);
        assert_ptr_equal(at, tries[i]);
    }
}

static void
test_fits(void **state)
{
    (void) state;
    static const struct {
        const char *pattern, *name;
        bool fits;
    } tries[] = {
        {"a", "a", true},          {"a", "ab", false},       {"a", "", false},
        {"*", "", true},           {"*", "anything", true},  {"?", "", false},
        {"?", "a", true},          {"?", "\xc3\xa9", true},  {"??", "\xc3\xa9", false},
        {"*?", "\xc3\xa9", true},  {"*??", "\xc3\xa9", false}, {"a*b*c", "a1b2b3c", true},
        {"a*b*c", "a1b2b3", false}, {"*ab", "aab", true},    {"*aab", "aaaab", true},
        {"\"*\"", "x", false},     {"\"*\"", "*", true},     {"a\"?\"*", "a?b", true},
        {"a\"?\"*", "axb", false}, {"Users", "Users", false}, {"users", "users", true},
        {"t_??", "t_01", true},    {"**a**", "bab", true},   {"*a?", "aa\xc3\xa9", true},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct pattern_part part;
        struct fault fault = {0};
        const char *at = tries[i].pattern;
        assert_true(pattern_part_read(&arena, &at, &part, &fault));
        if (pattern_part_fits(&part, tries[i].name) != tries[i].fits)
            fail_msg("%s and %s", tries[i].pattern, tries[i].name);
    }
}

/* Bad stars take time in proportion to the product of both lengths, not to a power. */
static void
test_many_stars(void **state)
{
    (void) state;
    char pattern[513], name[4001];
    struct pattern_part part;
    struct fault fault = {0};
    const char *at = pattern;

    for (size_t i = 0; i < 512; i += 2)
        memcpy(pattern + i, "*a", 2);
    memcpy(pattern + 510, "*b", 3);
    memset(name, 'a', 4000);
    name[4000] = '\0';
    assert_true(pattern_part_read(&arena, &at, &part, &fault));
    assert_false(pattern_part_fits(&part, name));
}

static void
test_lists(void **state)
{
    (void) state;
    struct patterns patterns;
    struct fault fault = {0};

    assert_true(patterns_read(&arena, "X", NULL, &patterns, &fault));
    assert_int_equal(patterns.count, 0);
    assert_true(patterns_read(&arena, "X", " ,\n # only a comment, really\n,", &patterns, &fault));
    assert_int_equal(patterns.count, 0);
    assert_null(patterns_find(&patterns, "public", "a"));
    assert_true(patterns_read(&arena, "X",
                              "orders, shop.*\r\n\"My Schema\" . t_? # and no more\n  x,",
                              &patterns, &fault));
    assert_int_equal(patterns.count, 4);
    assert_string_equal(patterns_find(&patterns, "public", "orders")->written, "orders");
    assert_null(patterns_find(&patterns, "other", "orders"));
    assert_ptr_equal(patterns_find(&patterns, "shop", ""), &patterns.items[1]);
    assert_string_equal(patterns_find(&patterns, "My Schema", "t_1")->written,
                        "\"My Schema\" . t_?");
    assert_null(patterns_find(&patterns, "My Schema", "T_1"));
}

static void
test_wrong_lists(void **state)
{
    (void) state;
    static const struct {
        const char *list, *sentences[3];
    } tries[] = {
        {"a.b.c", {"X line 1: a pattern is schema.table"}},
        {"a.", {"X line 1: a name is missing at the end"}},
        {"good\nmy-table, \"x", {"X line 2: a comma or a new line is expected at: -table",
                                 "X line 2: a double quote is not closed at: \"x"}},
        {"a b\n.c\n\"\"", {"X line 1: a comma", "X line 2: a name is expected at: .c",
                           "X line 3: a quoted name is empty"}},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct patterns patterns;
        struct fault fault = {0};
        assert_false(patterns_read(&arena, "X", tries[i].list, &patterns, &fault));
        assert_int_equal(fault.err, ERR_CONFIG);
        for (size_t j = 0; j < 3 && tries[i].sentences[j] != NULL; j++)
            if (strstr(fault.text, tries[i].sentences[j]) == NULL)
                fail_msg("%s: %s", tries[i].list, fault.text);
    }
}

/* Every beginning of a list ends well, one way or the other, and memory grows with the list
 * only. */
static void
test_beginnings(void **state)
{
    (void) state;
    static const char list[] = "a.\"b\"\"c\".d, \"\xc3\xa9*\"?.x*, # no\n\"q\" . t, .";

    for (size_t size = 0; size < sizeof list; size++) {
        char *text = malloc(size + 1);
        struct patterns patterns;
        struct fault fault = {0};
        memcpy(text, list, size);
        text[size] = '\0';
        patterns_read(&arena, "X", text, &patterns, &fault);
        free(text);
    }
    struct arena large = {0};
    size_t size = 200000;
    char *text = malloc(size + 1);
    struct patterns patterns;
    struct fault fault = {0};
    for (size_t i = 0; i < size; i += 4)
        memcpy(text + i, "a.b,", 4);
    text[size] = '\0';
    assert_true(patterns_read(&large, "X", text, &patterns, &fault));
    assert_int_equal(patterns.count, size / 4);
    assert_true(large.bytes < 100 * size);
    free(text);
    arena_free(&large);
}

static int
teardown(void **state)
{
    (void) state;
    arena_free(&arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_wrong_parts),
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_many_stars),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_wrong_lists),
        cmocka_unit_test(test_beginnings),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
