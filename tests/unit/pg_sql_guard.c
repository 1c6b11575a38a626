/* sql_guard: what pg_dump writes passes, and nothing by which a script could be other than it
 * looks; and what was promised of a text is held to it. */
#include "support.h"

#include <libpq-fe.h>

#include "pg/sql_target.h"

static const char begin[] =
    "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n";

struct reading {
    struct sql_guard guard;
    struct sql_target target;
    struct bytes taken;
};

static bool
take(void *argument, const char *sql, struct fault *fault)
{
    (void) fault;
    bytes_add(argument, sql, strlen(sql));
    return true;
}

/* Read a script that begins as it should and goes on with text. */
static bool
script_read(const char *first, const char *text, bool transactions, struct reading *reading,
            struct fault *fault)
{
    struct bytes all = {0};

    *reading = (struct reading){0};
    bytes_add(&all, first, strlen(first));
    bytes_add(&all, text, strlen(text));
    bool done = sql_guard_init(&reading->guard, "UTF8", transactions, ERR_INTEGRITY, fault);
    assert_true(done);
    struct sql_promise promise = {.guard = &reading->guard, .name = "1.sql",
                                  .bytes_wanted = all.size};
    struct stage *stage = sql_target_init(&reading->target, promise, take, &reading->taken);
    done = windows_push(stage, all.data, all.size, 64, 0, NULL, fault) &&
           sql_guard_end(&reading->guard, fault);
    stage_free(stage);
    bytes_free(&all);
    bytes_free(&reading->taken);
    return done;
}

static void
test_what_pg_dump_writes(void **state)
{
    static const char *const scripts[] = {
        "",
        "SET statement_timeout = 0;\nSET transaction_timeout = 0;\nSET row_security = off;\n"
        "SELECT pg_catalog.set_config('search_path', '', false);\nSET default_tablespace = a;\n",
        "CREATE USER MAPPING FOR a SERVER b;\nALTER USER MAPPING FOR a SERVER b OPTIONS (a 'b');\n",
        "SET SESSION AUTHORIZATION 'x';\nGRANT SELECT ON TABLE t TO y;\n"
        "RESET SESSION AUTHORIZATION;\n",
        "REFRESH MATERIALIZED VIEW public.m;\nSECURITY LABEL FOR p ON TABLE t IS 'x';\n;\n",
        "SELECT pg_catalog.setval('public.s', 1, false);\nCOMMENT ON TABLE t IS 'COPY x;';\n",
        "SET standard_conforming_strings = off;\nCOMMENT ON TABLE t IS '\\\\';\n",
    };
    (void) state;

    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct reading reading;
        struct fault fault = {0};
        if (!script_read(begin, scripts[i], false, &reading, &fault))
            fail_msg("%s: %s", scripts[i], fault.text);
    }
}

static void
test_transactions(void **state)
{
    static const char whole[] = "BEGIN;\nSELECT pg_catalog.lo_create('1');\nCOMMIT;\n";
    static const char *const broken[] = {"BEGIN;\n", "COMMIT;\n", "BEGIN;\nBEGIN;\n",
                                         "BEGIN;\nCOMMIT;\nCOMMIT;\n", "begin;\ncommit;\n"};
    struct reading reading;
    struct fault fault = {0};
    (void) state;

    assert_true(script_read(begin, whole, true, &reading, &fault));
    assert_false(script_read(begin, whole, false, &reading, &fault));
    assert_non_null(strstr(fault.text, "no dump holds: BEGIN;"));
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        fault = (struct fault){0};
        assert_false(script_read(begin, broken[i], true, &reading, &fault));
        assert_int_equal(fault.err, ERR_INTEGRITY);
    }
    fault = (struct fault){0};
    assert_false(script_read(begin, "BEGIN;\n", true, &reading, &fault));
    assert_string_equal(fault.text, "the SQL ends inside a transaction");
}

static void
test_refused(void **state)
{
    static const char *const statements[] = {
        "COPY t FROM stdin;", "copy t from stdin;", "COPY t FROM PROGRAM 'id';",
        "DO $$ BEGIN END $$;", "SET client_encoding = 'SJIS';", "SET client_encoding = 'LATIN1';",
        "SET client_encoding TO UTF8;", "set client_encoding = 'UTF8';", "SET NAMES 'SJIS';",
        "SET client_encoding = UTF8;", "SET standard_conforming_strings = 0;",
        "SET standard_conforming_strings TO off;", "SET LOCAL standard_conforming_strings = off;",
        "SET \"standard_conforming_strings\" = off;",
        "SET SESSION standard_conforming_strings = off;", "RESET ALL;", "DISCARD ALL;",
        "SELECT set_config('standard_conforming_strings', 'off', false);", "SELECT 1;",
        "SELECT pg_catalog.set_config('client_encoding', 'SJIS', false);", "SET ROLE postgres;",
        "SET session_replication_role = replica;", "SET TRANSACTION READ ONLY;", "ROLLBACK;",
        "END;", "START TRANSACTION;", "SAVEPOINT a;", "PREPARE TRANSACTION 'x';", "LISTEN x;",
        "LOAD 'x';", "PREPARE x AS SELECT 1;", "EXECUTE x;", "DECLARE c CURSOR FOR SELECT 1;",
        "LOCK TABLE t;", "ALTER SYSTEM SET x = 1;", "ALTER DATABASE d SET x = 1;",
        "ALTER ROLE r SET x = 1;", "ALTER USER r SET x = 1;", "CREATE DATABASE d;",
        "CREATE ROLE r;", "DROP TABLE t;", "INSERT INTO t VALUES (1);",
        "WITH x AS (SELECT 1) SELECT 2;", "VACUUM;", "EXPLAIN SELECT 1;", "CALL p();",
        "TRUNCATE t;", "SET a;", "SET row_security off;", "SET unknown_setting = 1;",
    };
    (void) state;

    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        struct reading reading;
        struct fault fault = {0};
        if (script_read(begin, statements[i], true, &reading, &fault))
            fail_msg("%s passes", statements[i]);
        assert_int_equal(fault.err, ERR_INTEGRITY);
        if (strstr(fault.text, statements[i]) == NULL)
            fail_msg("%s: %s", statements[i], fault.text);
    }
}

static void
test_settings_come_first(void **state)
{
    static const char *const firsts[] = {"", "SET client_encoding = 'UTF8';\n",
                                         "SET standard_conforming_strings = on;\n"};
    (void) state;

    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        struct reading reading;
        struct fault fault = {0};
        assert_false(script_read(firsts[i], "CREATE TABLE t ();\n", false, &reading, &fault));
        assert_non_null(strstr(fault.text, "does not set client_encoding"));
    }
}

static void
test_encodings(void **state)
{
    static const char *const good[] = {"UTF8", "LATIN1", "EUC_JP", "EUC_JIS_2004", "SQL_ASCII",
                                       "MULE_INTERNAL", "WIN1252", "KOI8R"};
    static const char *const bad[] = {"SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB",
                                      "SHIFT_JIS_2004", "", "nonsense"};
    struct sql_guard guard;
    (void) state;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct fault fault = {0};
        assert_true(sql_guard_init(&guard, good[i], false, ERR_INTEGRITY, &fault));
        assert_string_equal(pg_encoding_to_char(guard.encoding), good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fault fault = {0};
        assert_false(sql_guard_init(&guard, bad[i], false, ERR_INTEGRITY, &fault));
        assert_int_equal(fault.err, ERR_INTEGRITY);
    }
}

/* What is refused is told behind the last byte, unless there are more than were promised. */
static void
test_promised_bytes(void **state)
{
    static const char text[] = "SELECT 1;\nSELECT 2;\n";
    static const size_t wrong[] = {0, 10, sizeof text - 2, sizeof text};
    (void) state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sql_promise promise = {.name = "1.sql", .bytes_wanted = wrong[i]};
        struct sql_target target;
        struct bytes taken = {0};
        struct fault fault = {0};
        struct stage *stage = sql_target_init(&target, promise, take, &taken);
        assert_false(windows_push(stage, text, sizeof text - 1, 10, 0, NULL, &fault));
        stage_free(stage);
        assert_int_equal(fault.err, ERR_INTEGRITY);
        assert_non_null(strstr(fault.text, "1.sql holds "));
        assert_non_null(strstr(fault.text, "plain bytes, the manifest says "));
        bytes_free(&taken);
    }
}

static void
test_nothing_behind_a_refusal(void **state)
{
    static const char text[] = "SELECT 1;\n\\! id\nSELECT 2;\n";
    struct sql_target target;
    struct bytes taken = {0};
    struct fault fault = {0};
    (void) state;

    struct stage *stage = sql_target_init(&target, (struct sql_promise){0}, take, &taken);
    assert_false(windows_push(stage, text, sizeof text - 1, 4, 0, NULL, &fault));
    stage_free(stage);
    assert_non_null(strstr(fault.text, "psql command"));
    assert_int_equal(taken.size, strlen("SELECT 1;"));
    bytes_free(&taken);
}

static bool
keep(const void *argument, const char *sql)
{
    (void) argument;
    return strncmp(sql, "SET ", 4) != 0;
}

/* Whatever psql's settings are by then, and however it counts BEGIN. */
static void
test_for_psql(void **state)
{
#define SETTINGS "SET client_encoding = 'UTF8'; SET standard_conforming_strings = "
    static const char text[] =
        "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\nCREATE a;\n"
        "COMMENT ON x IS '\\';\nCREATE EVENT TRIGGER '\\';\nCOMMENT ON \xc3\xa9;\n"
        "SET standard_conforming_strings = off;\nCOMMENT ON x IS '\\\\';\n"
        "CREATE FUNCTION begin()\n    LANGUAGE x;\nCREATE b;\n";
    static const char expected[] =
        "CREATE a;\n" SETTINGS "on;\nCOMMENT ON x IS '\\';\n" SETTINGS "on;\nCOMMENT ON \xc3\xa9;\n"
        SETTINGS "off;\nCOMMENT ON x IS '\\\\';\nCREATE FUNCTION begin()\n    LANGUAGE x;\nEND;\n"
        "CREATE b;\n" SETTINGS "on;\nCREATE EVENT TRIGGER '\\';\n";
    struct sql_filter filter;
    struct sql_guard guard;
    struct bytes taken = {0};
    struct fault fault = {0};
    (void) state;

    assert_true(sql_guard_init(&guard, "UTF8", false, ERR_INTEGRITY, &fault));
    struct stage *stage = sql_filter_init(&filter, (struct sql_promise){.guard = &guard}, keep,
                                          NULL);
    sql_filter_for_psql(&filter);
    if (!windows_push(stage, text, sizeof text - 1, 64, 64, &taken, &fault))
        fail_msg("%s", fault.text);
    stage_free(stage);
    bytes_add(&taken, "", 1);
    assert_string_equal((char *) taken.data, expected);
    bytes_free(&taken);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_pg_dump_writes), cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_refused),             cmocka_unit_test(test_settings_come_first),
        cmocka_unit_test(test_encodings),           cmocka_unit_test(test_promised_bytes),
        cmocka_unit_test(test_nothing_behind_a_refusal), cmocka_unit_test(test_for_psql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
