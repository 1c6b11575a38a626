/* transform_rules - reading REPLICA_TRANSFORM: what is a rule, what is a mistake, and where. */
#include <stdlib.h>

#include "support.h"
#include "transform/rule.h"

static struct arena arena;

static const struct rules *
read_good(const char *text)
{
    struct fault fault = {0};
    const struct rules *rules = rules_read(&arena, text, &fault);

    if (rules == NULL)
        fail_msg("%s: %s", text, fault.text);
    assert_int_equal(fault.err, ERR_NONE);
    return rules;
}

static void
test_nothing(void **state)
{
    (void) state;
    assert_int_equal(rules_count(read_good(NULL)), 0);
    assert_int_equal(rules_count(read_good("")), 0);
    assert_int_equal(rules_count(read_good(" \n\t;;\r\n# random\n # public.a.b random; x\n")), 0);
}

static void
test_lines(void **state)
{
    (void) state;
    const struct rules *rules =
        read_good("# first\n"
                  "public.users.email   email # why; not\n"
                  "\"My; Shop\".\"a.b\".\"C\"\"#\"\tredacted ; *.*.password null\r\n"
                  "users.name\tfirst-name()");

    assert_int_equal(rules_count(rules), 4);
    assert_string_equal(rules->items[0].schema.text, "public");
    assert_string_equal(rules->items[0].table.text, "users");
    assert_string_equal(rules->items[0].column.text, "email");
    assert_int_equal(rules->items[0].transformer, TRANSFORMER_email);
    assert_string_equal(rules->items[0].written, "public.users.email   email");
    assert_int_equal(rules->items[0].line, 2);
    assert_string_equal(rules->items[1].schema.text, "My; Shop");
    assert_string_equal(rules->items[1].table.text, "a.b");
    assert_string_equal(rules->items[1].column.text, "C\"#");
    assert_int_equal(rules->items[1].line, 3);
    assert_true(rules->items[2].schema.has_glob && rules->items[2].table.has_glob);
    assert_int_equal(rules->items[2].transformer, TRANSFORMER_null);
    assert_int_equal(rules->items[2].line, 3);
    assert_string_equal(rules->items[3].schema.text, "public");
    assert_int_equal(rules->items[3].line, 4);
}

static void
test_values(void **state)
{
    (void) state;
    static const struct {
        const char *written, *value;
    } tries[] = {
        {"fixed(x)", "x"},
        {"fixed( a b )", "a b"},
        {"fixed (x)", "x"},
        {"fixed(value=x)", "x"},
        {"fixed( value = 'x' )", "x"},
        {"fixed('')", ""},
        {"fixed('it''s')", "it's"},
        {"fixed('''')", "'"},
        {"fixed('a,b)#;=\n2')", "a,b)#;=\n2"},
        {"fixed(a;b#c)", "a;b#c"},
        {"fixed(f(x, y))", "f(x, y)"},
        {"fixed('a=b')", "a=b"},
        {"fixed(\xc3\xa9)", "\xc3\xa9"},
        {"fixed(\\N)", "\\N"},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        char *line = arena_print(&arena, "a.b.c %s; d.e.f random", tries[i].written);
        const struct rules *rules = read_good(line);
        assert_int_equal(rules_count(rules), 2);
        assert_string_equal(rules->items[0].settings->value, tries[i].value);
    }
}

static void
test_settings(void **state)
{
    (void) state;
    const struct rules *rules = read_good("a.b.c redacted(character=#, width=4)\n"
                                          "a.b.d redacted( width = 0 , character = ',' )\n"
                                          "a.b.e redacted\n"
                                          "a.b.f email(domain=keep)\n"
                                          "a.b.g email( domain = 'x.org' )");

    assert_int_equal(rules->items[0].settings->character, '#');
    assert_int_equal(rules->items[0].settings->width, 4);
    assert_int_equal(rules->items[1].settings->character, ',');
    assert_int_equal(rules->items[1].settings->width, 0);
    assert_int_equal(rules->items[2].settings->character, '*');
    assert_int_equal(rules->items[2].settings->width, 10);
    assert_true(rules->items[3].settings->domain_keep);
    assert_string_equal(rules->items[4].settings->domain, "x.org");
}

static const struct {
    const char *text, *sentence;
} mistakes[] = {
    {"a", "line 1 (a): a column is written schema.table.column, this has fewer parts"},
    {"a.b.c.d random", "this has more parts"},
    {"a.b.c", "line 1 (a.b.c): a transformer is missing behind the column"},
    {"a.b.c # random", "a transformer is missing"},
    {"a.b.c emial", "there is no transformer emial; did you mean email"},
    {"a.b.c Random", "there is no transformer Random; did you mean random"},
    {"a.b.c first_name", "did you mean first-name"},
    {"a.b.c keep", "there is no transformer keep"},
    {"a.b.c mask(keep-last=2)", "there is no transformer mask"},
    {"a.b.c email when x = 'FR'",
     "nothing is expected behind the transformer, but there is: when x"},
    {"a.b.c random(1)", "random takes no parameters"},
    {"a.b.c redacted(4)", "a parameter of redacted is given by its name: character=*, width=10"},
    {"a.b.c redacted(size=4)", "redacted has no parameter size, but: character=*, width=10"},
    {"a.b.c redacted(width=4, width=5)", "width is given twice"},
    {"a.b.c redacted(width=4", "a parenthesis is not closed"},
    {"a.b.c redacted(width=4\n)", "line 2 ()): a name is expected at: )"},
    {"a.b.c redacted(width=)", "width is a number from 0 to 255"},
    {"a.b.c redacted()x", "nothing is expected behind the transformer"},
    {"a.b.c fixed", "fixed needs its value"},
    {"a.b.c fixed()", "fixed needs its value"},
    {"a.b.c fixed(a, b)", "value is given twice; a comma stands in quotes"},
    {"a.b.c fixed(a=b)", "a value that holds = stands in quotes"},
    {"a.b.c fixed('a", "a quote is not closed"},
    {"a.b.c fixed('a'b)", "a comma or ) is expected behind a quoted value"},
    {"a.b.\"c random", "a double quote is not closed"},
    {"a.b.\"c\"random", "a transformer is missing"}, /* the column is crandom */
    {"a.my-table.c random", "a blank is expected behind the column (names with other than"},
    {"a.b.c-d random", "a blank is expected behind the column"},
    {"a.b. random", "a transformer is missing"},
    {".b.c random", "a name is expected at: .b.c random"},
};

static void
test_mistakes(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct fault fault = {0};
        assert_null(rules_read(&arena, mistakes[i].text, &fault));
        assert_int_equal(fault.err, ERR_CONFIG);
        if (strstr(fault.text, mistakes[i].sentence) == NULL)
            fail_msg("%s: %s", mistakes[i].text, fault.text);
    }
}

/* Each line is told, and good rules between bad ones stay good. */
static void
test_all_at_once(void **state)
{
    (void) state;
    struct fault fault = {0};

    assert_null(
        rules_read(&arena, "a.b.c emial\na.b.d email; a.b.e fixed('x;\n\na.b.f nul # x\n", &fault));
    assert_string_equal(
        fault.text,
        "REPLICA_TRANSFORM line 1 (a.b.c emial): there is no transformer emial; did you mean "
        "email\n"
        "REPLICA_TRANSFORM line 2 (a.b.e fixed('x;): a quote is not closed\n"
        "REPLICA_TRANSFORM line 4 (a.b.f nul): there is no transformer nul; did you mean null");
}

static void
test_many_mistakes(void **state)
{
    (void) state;
    struct text text = {0};
    struct fault fault = {0};

    for (int i = 0; i < 500; i++)
        text_addf(&text, "public.table_%d.column none-%d\n", i, i);
    assert_null(rules_read(&arena, text_of(&text), &fault));
    assert_true(strlen(fault.text) < FAULT_TEXT_MAX - 1);
    assert_non_null(strstr(fault.text, "\nand "));
    assert_non_null(strstr(fault.text, " more mistakes"));
    text_clear(&text);
    for (int i = 0; i < 5000; i++)
        text_add(&text, "\xc3\xa9");
    fault = (struct fault){0};
    assert_null(rules_read(&arena, text_of(&text), &fault));
    assert_non_null(strstr(fault.text, "\xc3\xa9...): a column is written"));
    text_free(&text);
}

/* Every beginning of every good and bad text, flush against the end of its memory. */
static void
test_beginnings(void **state)
{
    (void) state;
    static const char good[] = "a.\"b\"\"c\".d fixed( value = 'x''y' ); *.t?.c redacted(width=4, "
                               "character=#)\n# c\nx.y email(domain=keep)";

    for (size_t i = 0; i <= sizeof mistakes / sizeof *mistakes; i++) {
        const char *text = i == 0 ? good : mistakes[i - 1].text;
        for (size_t size = 0; size <= strlen(text); size++) {
            char *copy = malloc(size + 1);
            struct fault fault = {0};
            memcpy(copy, text, size);
            copy[size] = '\0';
            const struct rules *rules = rules_read(&arena, copy, &fault);
            assert_int_equal(rules == NULL, fault.err == ERR_CONFIG);
            free(copy);
        }
    }
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
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_many_mistakes),
        cmocka_unit_test(test_beginnings),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
