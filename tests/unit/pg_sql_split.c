/* sql_split, sql_target, sql_filter, sql_source: the same statements however the text is cut,
 * nothing of them lost, added or changed, and a refusal of everything that is not whole SQL. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "pg/sql_source.h"

/* Statements as they came, each followed by "\n--\n". */
static bool
collect(void *argument, const char *sql, struct fault *fault)
{
    (void) fault;
    bytes_add(argument, sql, strlen(sql));
    bytes_add(argument, "\n--\n", 4);
    return true;
}

static bool
split_at(const char *text, size_t size, size_t cut, struct bytes *result, struct fault *fault)
{
    struct sql_split split;

    sql_split_init(&split);
    bool done = sql_split_feed(&split, text, cut, collect, result, fault) &&
                sql_split_feed(&split, text + cut, size - cut, collect, result, fault) &&
                sql_split_end(&split, collect, result, fault);
    sql_split_free(&split);
    return done;
}

/* Split the text at every offset; statements is what collect() makes of it. */
static void
check(const char *text, const char *statements)
{
    size_t size = strlen(text);

    for (size_t cut = 0; cut <= size; cut++) {
        char *exact = malloc(size);
        struct bytes result = {0};
        struct fault fault = {0};
        memcpy(exact, text, size);
        if (!split_at(exact, size, cut, &result, &fault))
            fail_msg("%s, in <<%s>> cut at %zu", fault.text, text, cut);
        bytes_add(&result, "", 1);
        assert_string_equal((char *) result.data, statements);
        bytes_free(&result);
        free(exact);
    }
}

static void
check_refused(const char *text, const char *sentence)
{
    size_t size = strlen(text);

    for (size_t cut = 0; cut <= size; cut++) {
        struct bytes result = {0};
        struct fault fault = {0};
        if (split_at(text, size, cut, &result, &fault))
            fail_msg("<<%s>> is taken", text);
        assert_int_equal(fault.err, ERR_INTEGRITY);
        if (strstr(fault.text, sentence) == NULL)
            fail_msg("<<%s>> gives: %s", text, fault.text);
        bytes_free(&result);
    }
}

static void
test_statements(void **state)
{
    (void) state;
    check("", "");
    check("\n\n  \n\t\n", "");
    check("SELECT 1;", "SELECT 1;\n--\n");
    check("SELECT 1; SELECT 2;;\nSELECT\n3\n;\n",
          "SELECT 1;\n--\nSELECT 2;\n--\n;\n--\nSELECT\n3\n;\n--\n");
    check("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);\nSELECT 3;",
          "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);\n--\nSELECT 3;\n--\n");
}

static void
test_comments(void **state)
{
    (void) state;
    check("--\n-- PostgreSQL database dump; complete\n--\n", "");
    check("-- it's \"open\n-- $$\nSELECT 1; -- ;\n-- /*\n", "SELECT 1;\n--\n");
    check("SELECT 1 -- one;\n+ 2;", "SELECT 1 -- one;\n+ 2;\n--\n");
    check("SELECT /* a; /* b;\n */ ; */ 1;", "SELECT /* a; /* b;\n */ ; */ 1;\n--\n");
}

static void
test_quotes(void **state)
{
    (void) state;
    check("SELECT 'a;''b\n\n;\\', \"c;\"\"d\n;\";", "SELECT 'a;''b\n\n;\\', \"c;\"\"d\n;\";\n--\n");
    check("SELECT E'a\\';\\\\';SELECT U&'\\0441;', B'0', N'x;';",
          "SELECT E'a\\';\\\\';\n--\nSELECT U&'\\0441;', B'0', N'x;';\n--\n");
    check("SELECT $$;'$a$$$, $b$ ; $$ $B$ $b$, $1;",
          "SELECT $$;'$a$$$, $b$ ; $$ $B$ $b$, $1;\n--\n");
    check("SELECT '\n\\restrict x\n', $$\n\\unrestrict x\n\\d\n$$, \"\n\\restrict a\n\";",
          "SELECT '\n\\restrict x\n', $$\n\\unrestrict x\n\\d\n$$, \"\n\\restrict a\n\";\n--\n");
}

static void
test_strings_of_old(void **state)
{
    (void) state;
    check("SET standard_conforming_strings = off;\nSELECT 'a\\';b';\n"
          "SET standard_conforming_strings = on;\nSELECT 'a\\';SELECT 'b';\n",
          "SET standard_conforming_strings = off;\n--\nSELECT 'a\\';b';\n--\n"
          "SET standard_conforming_strings = on;\n--\nSELECT 'a\\';\n--\nSELECT 'b';\n--\n");
}

/* Not a blank of a function's body may change: pg_dump of both sides must be the same. */
static void
test_bodies(void **state)
{
    static const char body[] =
        "CREATE FUNCTION public.f() RETURNS trigger\n    LANGUAGE plpgsql\n    AS $_$\n\n\nBEGIN\n"
        "\tx := 'it''s; $1';  \r\n\n   -- a comment; here\n\n  RETURN NEW; /* ; */\nEND;\n\n$_$;";
    char expected[sizeof body + 8];
    (void) state;

    snprintf(expected, sizeof expected, "%s\n--\n", body);
    check(body, expected);
    check("SELECT 1;\r\nSELECT\r\n2;\r\n", "SELECT 1;\n--\nSELECT\r\n2;\n--\n");
}

static void
test_atomic_bodies(void **state)
{
    static const char *const bodies[] = {
        "CREATE FUNCTION public.f(a integer) RETURNS integer\n    LANGUAGE sql\n    BEGIN ATOMIC\n"
        " SELECT 1;\n SELECT CASE\n             WHEN (f.a > 0) THEN 'END;'::text\n"
        "             ELSE 'b;'::text\n         END AS \"case\";\nEND;",
        "CREATE OR REPLACE PROCEDURE public.p()\n    LANGUAGE sql\n    BEGIN ATOMIC\nEND;",
        "CREATE FUNCTION public.g() RETURNS integer\n    LANGUAGE sql\n    BEGIN ATOMIC\n"
        " SELECT '\nEND;\n'::text AS text, t.begin,\n    t.\"end\"\n   FROM public.t;\nEND;",
        "CREATE FUNCTION public.begin() RETURNS integer\n    LANGUAGE sql\n    AS $$SELECT 1$$;",
        "CREATE FUNCTION begin.f() RETURNS begin.begin\n    LANGUAGE sql\n    AS $$\nEND;\n$$;",
        "CREATE FUNCTION public.begin() RETURNS begin.begin\n    LANGUAGE sql\n    BEGIN ATOMIC\n"
        " SELECT t.begin\n   FROM begin.begin t;\n SELECT 2;\nEND;",
    };
    struct text text = {0}, statements = {0};
    (void) state;

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        text_addf(&text, "%s\n\n\n--\n-- Name: x; Type: y\n--\n\nSELECT %zu;\n", bodies[i], i);
        text_addf(&statements, "%s\n--\nSELECT %zu;\n--\n", bodies[i], i);
    }
    check(text_of(&text), text_of(&statements));
    text_free(&text);
    text_free(&statements);
}

static void
test_commands(void **state)
{
    (void) state;
    check("\\restrict aB3\nSELECT 1;\n\n\\unrestrict aB3\n\n", "SELECT 1;\n--\n");
    check("\\unrestrict aB3", "");
    check_refused("\\connect other\n", "\\connect other");
    check_refused("SELECT 1;\n\\! ls\n", "\\! ls");
    check_refused("\\restrictions x\n", "\\restrictions");
    check_refused(" \\restrict x\n", "psql command");
    check_refused("SELECT 1 \\gexec\n", "\\gexec");
    check_refused("SELECT 1\n\\restrict x\n;", "\\restrict");
    check_refused("SELECT 1; \\restrict x\n", "\\restrict");
}

static void
test_ends(void **state)
{
    static const char *const texts[] = {
        "SELECT 1", "SELECT 1\n", "SELECT 'a;\n", "SELECT \"a;", "SELECT $$;", "SELECT $a$;$$;",
        "SELECT E'\\';", "SELECT (1;", "SELECT /* ;", "SELECT 1; SELECT /* /* */ 2;",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC\n SELECT 1;\n", "/* a comment alone */"};
    (void) state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_refused(texts[i], "the SQL ends inside a statement");
}

static void
test_zero_bytes(void **state)
{
    static const char text[] = "SELECT 'a\0b';\n";
    struct bytes result = {0};
    struct fault fault = {0};
    (void) state;

    assert_false(split_at(text, sizeof text - 1, 3, &result, &fault));
    assert_int_equal(fault.err, ERR_INTEGRITY);
    bytes_free(&result);
}

/* psql would put its own variables there. */
static void
test_colons(void **state)
{
    (void) state;
    check("SELECT a[1:2], b::text, c := 1, a[x:\"y\"], ':e', \":f\", $$:g$$ /* :h */;\n",
          "SELECT a[1: 2], b::text, c := 1, a[x: \"y\"], ':e', \":f\", $$:g$$ /* :h */;\n--\n");
    check("SELECT :c, :'d', :\"DBNAME\", :_1\xc3\xa9;\n",
          "SELECT : c, : 'd', : \"DBNAME\", : _1\xc3\xa9;\n--\n");
}

static void
test_two_in_one(void **state)
{
    (void) state;
    check_refused("SELECT 1\\; BEGIN;\n", "two statements in one: SELECT 1;");
    check_refused("SELECT 0; SELECT 1\\; BEGIN;\n", "two statements in one: SELECT 1;");
    check_refused("SELECT 1\n\\;\nBEGIN\n;\n", "two statements in one: SELECT 1");
    check_refused("SELECT 1\\;;\n", "two statements in one");
    check_refused("SELECT 1\\:x;\n", "two statements in one");
    check("SELECT '\\; \\:', $$\\;$$, E'\\\\\\;', \"\\;\" -- \\;\n;\n",
          "SELECT '\\; \\:', $$\\;$$, E'\\\\\\;', \"\\;\" -- \\;\n;\n--\n");
}

static void
test_strings_changed_on_a_line(void **state)
{
    (void) state;
    check_refused("SET standard_conforming_strings = off; SELECT '\\'' ; x';\n", "on its line");
    check_refused("SET standard_conforming_strings = off; SELECT\n1;\n", "on its line");
    check("SET standard_conforming_strings = on; SELECT 1;\n",
          "SET standard_conforming_strings = on;\n--\nSELECT 1;\n--\n");
}

/* How many END psql waits for, a number behind each statement. */
static bool
collect_ahead(void *argument, const char *sql, struct fault *fault)
{
    struct sql_split **split = argument;
    (void) fault;

    (void) sql;
    split[1] = (struct sql_split *) ((uintptr_t) split[1] * 10 + split[0]->ahead + 1);
    return true;
}

static void
test_what_psql_waits_for(void **state)
{
    static const char text[] =
        "CREATE FUNCTION public.begin() RETURNS integer\n    LANGUAGE sql\n    AS 'SELECT 1';\n"
        "CREATE FUNCTION begin.begin() RETURNS begin\n    LANGUAGE sql\n    AS 'SELECT 1';\n"
        "SELECT 1;\n"
        "CREATE FUNCTION f() RETURNS int\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT 1;\nEND;\n"
        "CREATE FUNCTION f() RETURNS begin\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT 1;\nEND;\n"
        "CREATE FUNCTION f() RETURNS integer\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT begin"
        ";\nEND;\n";
    struct sql_split split;
    struct sql_split *argument[2] = {&split, NULL};
    struct fault fault = {0};
    (void) state;

    sql_split_init(&split);
    assert_true(sql_split_feed(&split, text, sizeof text - 1, collect_ahead, argument, &fault));
    assert_true(sql_split_end(&split, collect_ahead, argument, &fault));
    assert_int_equal((uintptr_t) argument[1], 241122);
    sql_split_free(&split);
}

static bool
give_up(void *argument, const char *sql, struct fault *fault)
{
    unsigned *left = argument;
    (void) sql;
    return --*left > 0 || fault_set(fault, ERR_TARGET, "enough");
}

static void
test_callback_ends_it(void **state)
{
    static const char text[] = "SELECT 1; SELECT 2; SELECT 3;\nSELECT 4;\n";
    (void) state;

    for (unsigned after = 1; after <= 4; after++) {
        struct sql_target target;
        struct fault fault = {0};
        unsigned left = after;
        struct stage *stage = sql_target_init(&target, (struct sql_promise){0}, give_up, &left);
        assert_false(windows_push(stage, text, sizeof text - 1, 64, 0, NULL, &fault));
        stage_free(stage);
        assert_int_equal(left, 0);
        assert_string_equal(fault.text, "enough");
    }
}

static void
test_target_windows(void **state)
{
    struct text text = {0};
    (void) state;

    for (int i = 0; i < 500; i++)
        text_addf(&text, "SELECT '%0*d;', $$\n%d;\n$$;\n-- nothing\n", i, 0, i);
    for (size_t window = 1; window <= 65536; window = window * 4 + 1) {
        struct sql_target target;
        struct bytes result = {0};
        struct fault fault = {0};
        struct stage *stage = sql_target_init(&target, (struct sql_promise){0}, collect, &result);
        assert_true(windows_push(stage, text.data, text.size, window, 0, NULL, &fault));
        stage_free(stage);
        assert_int_equal(result.size, text.size - 500 * strlen("\n-- nothing\n") + 500 * 4);
        bytes_free(&result);
    }
    text_free(&text);
}

/* ---- the filter ---------------------------------------------------------------------- */

struct filtering {
    struct sql_filter filter;
    uint64_t bytes; /* of the pass before */
};

static bool
keep(const void *argument, const char *sql)
{
    return strncmp(sql, argument, strlen(argument)) != 0;
}

static struct stage *
filter_begin(void *context)
{
    struct filtering *filtering = context;
    return sql_filter_init(&filtering->filter, (struct sql_promise){0}, keep, "ALTER");
}

static void
filter_end(void *context)
{
    struct filtering *filtering = context;
    filtering->bytes = filtering->filter.bytes;
}

static const char filter_text[] =
    "--\n-- a dump\n--\n\n\\restrict x\n\nSET a = 1;\nALTER TABLE a OWNER TO b;\n"
    "CREATE EVENT TRIGGER e ON ddl_command_end\n   EXECUTE FUNCTION f();\n"
    "COMMENT ON EVENT TRIGGER e IS 'comes last';\n"
    "CREATE TABLE t (\n    a integer, -- kept\n\n    b text\n);\nALTER TABLE c\n ADD d; GRANT x;\n"
    "SELECT 'this one is longer than the windows of 64 bytes, so that it waits in parts';\n"
    "ALTER a;\n\n\\unrestrict x\n";
static const char filter_expected[] =
    "SET a = 1;\nCREATE TABLE t (\n    a integer, -- kept\n\n    b text\n);\n"
    "GRANT x;\n"
    "SELECT 'this one is longer than the windows of 64 bytes, so that it waits in parts';\n"
    "CREATE EVENT TRIGGER e ON ddl_command_end\n   EXECUTE FUNCTION f();\n"
    "COMMENT ON EVENT TRIGGER e IS 'comes last';\n";

static void
test_filter_windows(void **state)
{
    struct filtering filtering = {0};
    struct windows_stage how = {.begin = filter_begin, .end = filter_end, .context = &filtering};
    struct bytes expected = {0};
    (void) state;

    bytes_add(&expected, filter_expected, strlen(filter_expected));
    windows_check(&how, NULL, filter_text, strlen(filter_text), &expected, NULL);
    assert_int_equal(filtering.bytes, expected.size);
    windows_check(&how, NULL, filter_expected, strlen(filter_expected), &expected, NULL);
    bytes_free(&expected);

    windows_check(&how, NULL, "", 0, &(struct bytes){0}, NULL);
    windows_check(&how, NULL, "ALTER a;\n", 9, &(struct bytes){0}, NULL);
    windows_check_abandoned(&how, filter_text, strlen(filter_text));
}

static void
test_filter_truncated(void **state)
{
    static const char text[] = "GRANT a\nTO b;";
    struct filtering filtering = {0};
    struct windows_stage how = {.begin = filter_begin, .end = filter_end, .context = &filtering};
    (void) state;

    windows_check_truncated(&how, text, sizeof text - 1, 1, ERR_INTEGRITY);
}

enum { SOURCE_STATEMENTS = 400 };

static bool
keep_most(const void *argument, const char *sql)
{
    (void) argument;
    return strstr(sql, "drop") == NULL;
}

/* Take one object of a text in small windows; its size in the store is what was taken so far. */
static void
object_take(struct sql_source *sql, size_t window_bytes, uint64_t object_bytes,
            struct bytes *object)
{
    _Atomic uint64_t stored = 0;
    struct stage *stage = sql_source_init(sql, &stored, object_bytes);
    uint8_t *window = malloc(window_bytes);
    enum step step = STEP_AGAIN;

    while (step == STEP_AGAIN) {
        struct source_span nothing = {0};
        struct target_span target = {.data = window, .size = window_bytes};
        struct fault fault = {0};
        step = stage_step(stage, &nothing, &target, true, &fault);
        bytes_add(object, window, target.used);
        atomic_store(&stored, object->size);
    }
    assert_int_equal(step, STEP_DONE);
    assert_int_equal(sql->bytes, object->size);
    free(window);
}

/* The pieces are whole statements, each of its size or the last, and together they are the text. */
static void
test_source_is_cut(void **state)
{
    static const size_t windows[] = {1, 3, 64, 65536};
    static const uint64_t sizes[] = {1, 1000, 20000, UINT64_MAX};
    struct bytes text = {0}, expected = {0};
    (void) state;

    for (int i = 0; i < SOURCE_STATEMENTS; i++) {
        char line[200];
        int size = snprintf(line, sizeof line, "SELECT %d, '%0*d';\n", i, i % 150, i);
        bytes_add(&text, line, (size_t) size);
        bytes_add(&text, "-- a comment\nSELECT 'drop me';\n", 31);
        bytes_add(&expected, line, (size_t) size);
    }
    for (size_t i = 0; i < 16; i++) {
        struct memory_source memory;
        struct sql_source sql;
        struct bytes whole = {0};
        size_t objects = 0;
        sql_source_open(&sql, memory_source_init(&memory, text.data, text.size, 700), NULL,
                        keep_most, NULL);
        do {
            struct bytes object = {0};
            object_take(&sql, windows[i / 4], sizes[i % 4], &object);
            assert_true(object.size == 0 || object.data[object.size - 1] == '\n');
            assert_true(!sql.more || object.size >= sizes[i % 4]);
            bytes_add(&whole, object.data, object.size);
            bytes_free(&object);
            objects++;
        } while (sql.more);
        assert_bytes_equal(&whole, &expected);
        assert_true(sizes[i % 4] == UINT64_MAX ? objects == 1 : objects > 1);
        bytes_free(&whole);
        sql_source_close(&sql);
    }
    bytes_free(&text);
    bytes_free(&expected);
}

/* A limit holds for the statement and the line that goes on with it, whichever way it is cut; blank
 * lines and comments between statements are no part of one. */
static void
test_limit(void **state)
{
    (void) state;
    enum { LIMIT = 64 };
    static const char *const shapes[][2] = {
        {"SELECT '", "x"}, {"SELECT '\n", "\n"}, {"/", "*"}, {"/*", "/*"}, {"SELECT $$", "a\n"},
        {"SELECT 1", " "}, {"(", "("}, {"--", "-"},
    };

    sql_statement_max_set(LIMIT, 1 << 30);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct text text = {0};
        text_add(&text, shapes[i][0]);
        while (text.size <= LIMIT + 4)
            text_add(&text, shapes[i][1]);
        for (size_t cut = 0; cut <= text.size; cut++) {
            struct bytes result = {0};
            struct fault fault = {0};
            assert_false(split_at(text.data, text.size, cut, &result, &fault));
            assert_int_equal(fault.err, ERR_CONFIG);
            assert_non_null(strstr(fault.text, "longer than 64 B, and REPLICA_MEMORY leaves no"));
            assert_non_null(strstr(fault.text, "one of 1.0 GiB would serve"));
            bytes_free(&result);
        }
        text_free(&text);
    }
    check("\n\n\r\n \t\n-- a comment, and another one behind it, on lines of their own\n\n\n"
          "SELECT 1;\n\n--\n   \n -- x\nSELECT 2;\n\n", "SELECT 1;\n--\nSELECT 2;\n--\n");
    check("-- a comment\rSELECT 1;\n", "SELECT 1;\n--\n");
    check("SELECT '\n\n-- no comment\n';", "SELECT '\n\n-- no comment\n';\n--\n");
    sql_statement_max_set(SQL_STATEMENT_BYTES_MAX, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),      cmocka_unit_test(test_comments),
        cmocka_unit_test(test_quotes),          cmocka_unit_test(test_strings_of_old),
        cmocka_unit_test(test_bodies),          cmocka_unit_test(test_atomic_bodies),
        cmocka_unit_test(test_commands),        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_colons),          cmocka_unit_test(test_two_in_one),
        cmocka_unit_test(test_strings_changed_on_a_line),
        cmocka_unit_test(test_what_psql_waits_for),
        cmocka_unit_test(test_zero_bytes),      cmocka_unit_test(test_callback_ends_it),
        cmocka_unit_test(test_target_windows),  cmocka_unit_test(test_filter_windows),
        cmocka_unit_test(test_filter_truncated), cmocka_unit_test(test_source_is_cut),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
