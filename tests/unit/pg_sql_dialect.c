/* sql_dialect: statements as pg_dump 18 wrote them, and what is told to older servers. */
#include "support.h"

#include <stdlib.h>

#include "pg/sql_dialect.h"

static const struct {
    int major;
    enum sql_fate fate;
    const char *sql;
    const char *wanted; /* the other text, | and one that follows; or a part of what is said */
} cases[] = {
    /* NOT NULL of inherited columns. */
    {17, SQL_REWRITTEN,
     "CREATE TABLE public.c (\n    NOT NULL a,\n    b integer\n)\nINHERITS (public.p);",
     "CREATE TABLE public.c (\n    b integer\n)\nINHERITS (public.p);|"
     "ALTER TABLE ONLY public.c ALTER COLUMN a SET NOT NULL;"},
    {13, SQL_REWRITTEN,
     "CREATE TABLE public.c (\n    NOT NULL a,\n    CONSTRAINT \"x y\" NOT NULL \"NOT NULL\"\n)\n"
     "INHERITS (public.p)\nWITH (fillfactor='50');",
     "CREATE TABLE public.c ()\nINHERITS (public.p)\nWITH (fillfactor='50');|"
     "ALTER TABLE ONLY public.c ALTER COLUMN a SET NOT NULL, "
     "ALTER COLUMN \"NOT NULL\" SET NOT NULL;"},
    {13, SQL_REWRITTEN,
     "CREATE FOREIGN TABLE \"a (\".\"NOT NULL\" (\n    x text DEFAULT ',NOT NULL a'::text,\n"
     "    NOT NULL a\n)\nINHERITS (public.p)\nSERVER s;",
     "CREATE FOREIGN TABLE \"a (\".\"NOT NULL\" (\n    x text DEFAULT ',NOT NULL a'::text)\n"
     "INHERITS (public.p)\nSERVER s;|"
     "ALTER FOREIGN TABLE ONLY \"a (\".\"NOT NULL\" ALTER COLUMN a SET NOT NULL;"},
    {18, SQL_KEPT, "CREATE TABLE public.c (\n    NOT NULL a\n)\nINHERITS (public.p);", NULL},
    {13, SQL_KEPT, "CREATE TABLE t (\n    a integer CONSTRAINT n NOT NULL,\n"
                   "    CONSTRAINT c CHECK (((a IS NOT NULL) AND (b > 0)))\n);", NULL},
    {13, SQL_KEPT, "CREATE TABLE t (\n    \"NOT\" integer,\n    \"CONSTRAINT\" text\n);", NULL},
    {17, SQL_REFUSED, "CREATE TABLE s.t (\n    a integer NOT NULL NO INHERIT\n);",
     "table s.t: a NOT NULL that is not inherited, which PostgreSQL has since 18"},
    {17, SQL_REFUSED, "CREATE TABLE s.t (\n    NOT NULL a NO INHERIT\n)\nINHERITS (p);",
     "table s.t: a NOT NULL that is not inherited"},
    {17, SQL_REFUSED, "ALTER TABLE s.t\n    ADD CONSTRAINT n NOT NULL a NOT VALID;",
     "table s.t, constraint n: a NOT NULL that is not valid yet"},

    /* Generated columns. */
    {17, SQL_REFUSED, "CREATE TABLE s.t (\n    v integer GENERATED ALWAYS AS ((a * 2))\n);",
     "table s.t: a virtual generated column"},
    {17, SQL_KEPT,
     "CREATE TABLE s.t (\n    v integer GENERATED ALWAYS AS (((a * 2) + f(1))) STORED,\n"
     "    w text DEFAULT 'GENERATED ALWAYS AS (1)'::text\n);", NULL},

    /* Sequences. */
    {13, SQL_REWRITTEN,
     "ALTER TABLE s.t ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY (\n"
     "    SEQUENCE NAME s.\"LOGGED\"\n    LOGGED\n    START WITH 1\n);",
     "ALTER TABLE s.t ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY (\n"
     "    SEQUENCE NAME s.\"LOGGED\"\n    START WITH 1\n);"},
    {14, SQL_REWRITTEN, "CREATE UNLOGGED SEQUENCE s.q\n    START WITH 1;",
     "CREATE SEQUENCE s.q\n    START WITH 1;"},
    {15, SQL_KEPT, "CREATE UNLOGGED SEQUENCE s.q\n    START WITH 1;", NULL},

    /* Types and domains. */
    {13, SQL_REWRITTEN,
     "CREATE TYPE s.r AS RANGE (\n    subtype = text,\n    multirange_type_name = s.\"m,)\",\n"
     "    collation = pg_catalog.\"C\"\n);",
     "CREATE TYPE s.r AS RANGE (\n    subtype = text,\n    collation = pg_catalog.\"C\"\n);"},
    {13, SQL_REWRITTEN,
     "CREATE TYPE s.b (\n    INTERNALLENGTH = 8,\n    SUBSCRIPT = raw_array_subscript_handler,\n"
     "    ELEMENT = integer\n);",
     "CREATE TYPE s.b (\n    INTERNALLENGTH = 8,\n    ELEMENT = integer\n);"},
    {13, SQL_REFUSED, "CREATE TYPE s.b (\n    INTERNALLENGTH = 8,\n    SUBSCRIPT = s.f\n);",
     "type s.b: a function for subscripts, which PostgreSQL has since 14"},
    {13, SQL_KEPT, "CREATE TYPE s.c AS (\n\tmultirange_type_name integer\n);", NULL},
    {13, SQL_KEPT, "CREATE TYPE s.e AS ENUM (\n    'SUBSCRIPT = x'\n);", NULL},
    {16, SQL_REWRITTEN, "ALTER DOMAIN s.d\n    ADD CONSTRAINT n NOT NULL;",
     "ALTER DOMAIN s.d SET NOT NULL;"},
    {16, SQL_KEPT, "ALTER DOMAIN s.d\n    ADD CONSTRAINT n CHECK ((VALUE IS NOT NULL));", NULL},

    /* Storage. */
    {13, SQL_LEFT_OUT, "ALTER TABLE ONLY s.t ALTER COLUMN a SET COMPRESSION pglz;", ""},
    {13, SQL_LEFT_OUT, "ALTER TABLE ONLY s.t ALTER COLUMN a SET COMPRESSION lz4;",
     "table s.t: its compression is left out"},
    {14, SQL_KEPT, "ALTER TABLE ONLY s.t ALTER COLUMN a SET COMPRESSION lz4;", NULL},
    {13, SQL_KEPT, "ALTER TABLE ONLY s.t ALTER COLUMN a SET STORAGE external;", NULL},
    {16, SQL_LEFT_OUT, "ALTER TABLE s.t SET ACCESS METHOD heap;", ""},
    {16, SQL_REFUSED, "ALTER TABLE s.t SET ACCESS METHOD columnar;", "an access method"},
    {17, SQL_REWRITTEN,
     "CREATE TABLE s.t (\n    a integer\n)\nWITH (autovacuum_vacuum_max_threshold='5');",
     "CREATE TABLE s.t (\n    a integer\n);"},
    {13, SQL_REWRITTEN,
     "CREATE TABLE s.t (\n    a integer\n)\nWITH (vacuum_index_cleanup=auto, fillfactor='9', "
     "toast.vacuum_index_cleanup='auto');",
     "CREATE TABLE s.t (\n    a integer\n)\nWITH ( fillfactor='9');"},
    {13, SQL_KEPT, "CREATE TABLE s.t (\n    a integer\n)\nWITH (vacuum_index_cleanup='off');",
     NULL},

    /* Keys. */
    {14, SQL_REFUSED, "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k UNIQUE NULLS NOT DISTINCT (a);",
     "table s.t, constraint k: NULLS NOT DISTINCT, which PostgreSQL has since 15"},
    {15, SQL_KEPT, "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k UNIQUE NULLS NOT DISTINCT (a);",
     NULL},
    {14, SQL_REFUSED, "CREATE UNIQUE INDEX i ON s.t USING btree (a) NULLS NOT DISTINCT;",
     "index i: NULLS NOT DISTINCT"},
    {17, SQL_REFUSED,
     "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k PRIMARY KEY (a, b WITHOUT OVERLAPS);",
     "WITHOUT OVERLAPS"},
    {17, SQL_REFUSED, "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k FOREIGN KEY (a, PERIOD b) "
                      "REFERENCES s.p(a, PERIOD b);", "PERIOD"},
    {17, SQL_KEPT, "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k UNIQUE (\"PERIOD\");", NULL},
    {17, SQL_REFUSED, "ALTER TABLE s.t\n    ADD CONSTRAINT k CHECK ((a > 0)) NOT ENFORCED;",
     "NOT ENFORCED"},
    {14, SQL_REFUSED, "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k FOREIGN KEY (a, b) REFERENCES "
                      "s.p(a, b) ON DELETE SET NULL (b);", "ON DELETE SET NULL"},
    {14, SQL_KEPT, "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES "
                   "s.p(a) ON DELETE SET NULL;", NULL},
    {14, SQL_KEPT, "ALTER TABLE ONLY s.t ALTER COLUMN a SET DEFAULT (1 + 2);", NULL},
    {17, SQL_REFUSED, "ALTER TABLE s.t\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES "
                      "s.p(a) NOT VALID;", "a foreign key of a partitioned table"},
    {17, SQL_KEPT, "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES "
                   "s.p(a) NOT VALID;", NULL},
    {17, SQL_KEPT, "ALTER TABLE s.t\n    ADD CONSTRAINT k CHECK ((a > 0)) NOT VALID;", NULL},

    /* Functions, views and what they say. */
    {13, SQL_REFUSED, "CREATE FUNCTION s.f(a integer) RETURNS integer\n    LANGUAGE sql\n"
                      "    BEGIN ATOMIC\n SELECT 1;\nEND;", "function s.f: a body in SQL"},
    {13, SQL_REFUSED, "CREATE FUNCTION s.f(a integer) RETURNS integer\n    LANGUAGE sql\n"
                      "    RETURN (a + 1);", "a body in SQL"},
    {13, SQL_KEPT, "CREATE FUNCTION s.f(a integer) RETURNS integer\n    LANGUAGE plpgsql\n"
                   "    AS $_$BEGIN ATOMIC RETURN $1; END$_$;", NULL},
    {13, SQL_REFUSED, "CREATE PROCEDURE s.p(IN a integer, OUT b integer)\n    LANGUAGE plpgsql\n"
                      "    AS $$BEGIN END$$;", "procedure s.p: an argument OUT"},
    {13, SQL_KEPT, "CREATE FUNCTION s.f(OUT b integer) RETURNS integer\n    LANGUAGE sql\n"
                   "    AS 'SELECT 1';", NULL},
    {14, SQL_REFUSED, "CREATE VIEW s.v WITH (security_invoker='true') AS\n SELECT 1 AS a;",
     "view s.v: security_invoker"},
    {14, SQL_REWRITTEN,
     "CREATE VIEW s.v WITH (security_invoker='false') AS\n SELECT 1 AS a;",
     "CREATE VIEW s.v AS\n SELECT 1 AS a;"},
    {14, SQL_KEPT, "CREATE VIEW s.v AS\n SELECT t.security_invoker FROM s.t;", NULL},
    {16, SQL_REFUSED, "CREATE VIEW s.v AS\n SELECT JSON_VALUE(t.j, '$.a') AS x FROM s.t;",
     "JSON_VALUE()"},
    {15, SQL_REFUSED, "CREATE TABLE s.t (\n    a text,\n    CONSTRAINT c CHECK ((a IS JSON))\n);",
     "IS JSON"},
    {13, SQL_KEPT,
     "CREATE VIEW s.v AS\n SELECT 'IS JSON MERGE INTO' AS \"IS JSON\", json_value(1);", NULL},
    {13, SQL_REFUSED, "CREATE STATISTICS s.s (ndistinct) ON (a + b), c FROM s.t;",
     "statistics s.s: statistics on an expression"},
    {13, SQL_REFUSED, "CREATE STATISTICS s.s ON lower(b) FROM s.t;", "on an expression"},
    {13, SQL_KEPT, "CREATE STATISTICS s.s (ndistinct, mcv) ON a, b FROM s.t;", NULL},
    {16, SQL_REFUSED, "CREATE EVENT TRIGGER e ON login\n   EXECUTE FUNCTION s.f();",
     "event trigger e: the event login"},
    {16, SQL_REFUSED, "CREATE COLLATION s.c (provider = builtin, locale = 'C.UTF-8');", "builtin"},
    {15, SQL_REFUSED, "CREATE COLLATION s.c (provider = icu, locale = 'und', rules = '&a<b');",
     "rules of a collation"},
    {15, SQL_KEPT, "CREATE COLLATION s.c (provider = icu, locale = 'rules = ');", NULL},

    /* Replication. */
    {14, SQL_REFUSED, "ALTER PUBLICATION p ADD TABLE ONLY s.t (a, b);", "publication p: "},
    {14, SQL_REFUSED, "ALTER PUBLICATION p ADD TABLE ONLY s.t WHERE ((a > 1));", "WHERE"},
    {14, SQL_REFUSED, "ALTER PUBLICATION p ADD TABLES IN SCHEMA s;", "a whole schema"},
    {13, SQL_KEPT, "ALTER PUBLICATION p ADD TABLE ONLY s.\"t (\";", NULL},
    {13, SQL_REWRITTEN,
     "CREATE SUBSCRIPTION s CONNECTION 'x, streaming = off' PUBLICATION p WITH (connect = false, "
     "slot_name = 's', streaming = off, run_as_owner = true);",
     "CREATE SUBSCRIPTION s CONNECTION 'x, streaming = off' PUBLICATION p WITH (connect = false, "
     "slot_name = 's');"},
    {14, SQL_REWRITTEN,
     "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false, slot_name = NONE, "
     "streaming = parallel, run_as_owner = true);",
     "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false, slot_name = NONE, "
     "streaming = on);"},
    {15, SQL_KEPT, "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false, "
                   "streaming = off);", "applied by the subscription's owner"},
    {16, SQL_KEPT, "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false, "
                   "streaming = parallel, run_as_owner = true);", NULL},
    {15, SQL_REFUSED, "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false, "
                      "origin = none);", "subscription s: origin"},
    {16, SQL_REFUSED, "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false, "
                      "failover = true);", "failover"},
    {14, SQL_REFUSED, "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false, "
                      "two_phase = on);", "two_phase"},

    /* Privileges. */
    {16, SQL_REWRITTEN, "GRANT SELECT,MAINTAIN,UPDATE ON TABLE s.t TO r;",
     "GRANT SELECT,UPDATE ON TABLE s.t TO r;"},
    {16, SQL_REWRITTEN, "REVOKE MAINTAIN,UPDATE ON TABLE s.t FROM r;",
     "REVOKE UPDATE ON TABLE s.t FROM r;"},
    {16, SQL_LEFT_OUT, "GRANT MAINTAIN ON TABLE s.t TO r WITH GRANT OPTION;",
     "table s.t: the privilege MAINTAIN is left out"},
    {17, SQL_KEPT, "GRANT MAINTAIN ON TABLE s.t TO r;", NULL},
    {16, SQL_LEFT_OUT, "ALTER DEFAULT PRIVILEGES FOR ROLE r GRANT MAINTAIN ON TABLES TO x;",
     "MAINTAIN"},
    {17, SQL_LEFT_OUT, "ALTER DEFAULT PRIVILEGES FOR ROLE r GRANT ALL ON LARGE OBJECTS TO x;",
     "large objects"},
    {13, SQL_KEPT, "GRANT ALL ON TABLE s.\"MAINTAIN\" TO \"MAINTAIN\";", NULL},
    {13, SQL_KEPT, "COMMENT ON CONSTRAINT c ON s.t IS 'x';", NULL},
    {13, SQL_KEPT, "SELECT 'MERGE INTO';", NULL},
    {13, SQL_KEPT, "", NULL},
};

static void
statements_are_told_in_older_words(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sql_dialect dialect;
        struct text rewritten = {0}, said = {0};
        sql_dialect_init(&dialect, cases[i].major * 10000 + 4);
        enum sql_fate fate = sql_dialect_statement(&dialect, cases[i].sql, &rewritten, &said);
        if (fate != cases[i].fate)
            fail_msg("fate %d instead of %d of: %s (%s)", fate, cases[i].fate, cases[i].sql,
                     text_of(&said));
        if (dialect.then.size > 0)
            text_addf(&rewritten, "|%s", text_of(&dialect.then));
        if (fate == SQL_REWRITTEN)
            assert_string_equal(text_of(&rewritten), cases[i].wanted);
        else if (cases[i].wanted == NULL || cases[i].wanted[0] == '\0')
            assert_string_equal(text_of(&said), "");
        else if (strstr(text_of(&said), cases[i].wanted) == NULL)
            fail_msg("«%s» is not in: %s", cases[i].wanted, text_of(&said));
        sql_dialect_free(&dialect);
        text_free(&rewritten);
        text_free(&said);
    }
}

static enum sql_fate
fate_of(struct sql_dialect *dialect, const char *sql)
{
    struct text rewritten = {0}, said = {0};
    enum sql_fate fate = sql_dialect_statement(dialect, sql, &rewritten, &said);

    text_free(&rewritten);
    text_free(&said);
    return fate;
}

/* Before 18 a NOT NULL has no name, so nothing can be said about it. */
static void
comments_on_not_nulls_are_left_out(void **state)
{
    struct sql_dialect dialect;
    (void) state;

    sql_dialect_init(&dialect, 160004);
    fate_of(&dialect, "CREATE TABLE s.\"T\" (\n    a integer CONSTRAINT \"n 1\" NOT NULL,\n"
                      "    CONSTRAINT c CHECK ((a > 0))\n);");
    fate_of(&dialect, "CREATE TABLE s.u (\n    CONSTRAINT inherited NOT NULL b\n)\nINHERITS (p);");
    fate_of(&dialect, "CREATE DOMAIN s.d AS integer NOT NULL\n\tCONSTRAINT c CHECK ((VALUE > 0));");
    fate_of(&dialect, "CREATE DOMAIN s.\"D\" AS integer CONSTRAINT own NOT NULL;");
    fate_of(&dialect, "CREATE DOMAIN s.\"F\" AS integer NOT NULL DEFAULT 5;");
    assert_int_equal(fate_of(&dialect, "COMMENT ON CONSTRAINT \"n 1\" ON s.\"T\" IS 'x';"),
                     SQL_LEFT_OUT);
    assert_int_equal(fate_of(&dialect, "COMMENT ON CONSTRAINT inherited ON s.u IS 'x';"),
                     SQL_LEFT_OUT);
    assert_int_equal(fate_of(&dialect, "COMMENT ON CONSTRAINT d_not_null ON DOMAIN s.d IS 'x';"),
                     SQL_LEFT_OUT);
    assert_int_equal(fate_of(&dialect, "COMMENT ON CONSTRAINT own ON DOMAIN s.\"D\" IS 'x';"),
                     SQL_LEFT_OUT);
    assert_int_equal(fate_of(&dialect, "COMMENT ON CONSTRAINT \"F_not_null\" ON DOMAIN s.\"F\" "
                                       "IS 'x';"), SQL_LEFT_OUT);
    assert_int_equal(fate_of(&dialect, "COMMENT ON CONSTRAINT c ON s.\"T\" IS 'x';"), SQL_KEPT);
    assert_int_equal(fate_of(&dialect, "COMMENT ON CONSTRAINT c ON DOMAIN s.d IS 'x';"), SQL_KEPT);
    assert_int_equal(fate_of(&dialect, "COMMENT ON CONSTRAINT inherited ON s.other IS 'x';"),
                     SQL_KEPT);
    sql_dialect_free(&dialect);
}

/* What is said alike to all versions is said so to a store, and nothing else is touched. */
static void
a_store_gets_what_newer_servers_read_alike(void **state)
{
    static const char inherited[] = "CREATE TABLE c (\n    NOT NULL a\n)\nINHERITS (p);";
    static const char *const kept[] = {
        "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false, "
        "streaming = off, run_as_owner = true);",
        "ALTER TABLE t ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY (\n    SEQUENCE NAME q\n"
        "    LOGGED\n    START WITH 1\n);",
        "CREATE VIEW s.v WITH (security_invoker='true') AS\n SELECT 1 AS a;",
    };
    struct text rewritten = {0}, said = {0};
    struct sql_dialect dialect;
    (void) state;

    sql_dialect_init_stored(&dialect, 130004);
    assert_int_equal(sql_dialect_statement(&dialect, inherited, &rewritten, &said), SQL_REWRITTEN);
    assert_string_equal(text_of(&rewritten), "CREATE TABLE c ()\nINHERITS (p);");
    assert_string_equal(text_of(&dialect.then), "ALTER TABLE ONLY c ALTER COLUMN a SET NOT NULL;");
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        assert_int_equal(fate_of(&dialect, kept[i]), SQL_KEPT);
    sql_dialect_free(&dialect);
    sql_dialect_init_stored(&dialect, 180004);
    assert_int_equal(fate_of(&dialect, inherited), SQL_KEPT);
    sql_dialect_free(&dialect);
    text_free(&rewritten);
    text_free(&said);
}

/* Without standard strings a backslash hides the quote behind it, and the words behind that. */
static void
strings_end_where_the_setting_says(void **state)
{
    static const char sql[] = "CREATE TABLE t (\n    a text DEFAULT '\\', NOT NULL b, "
                              "c text DEFAULT '--'\n);";
    struct sql_dialect dialect;
    (void) state;

    sql_dialect_init(&dialect, 130004);
    assert_int_equal(fate_of(&dialect, sql), SQL_REWRITTEN);
    fate_of(&dialect, "SET standard_conforming_strings = off;");
    assert_int_equal(fate_of(&dialect, sql), SQL_KEPT);
    fate_of(&dialect, "SET standard_conforming_strings = on;");
    assert_int_equal(fate_of(&dialect, sql), SQL_REWRITTEN);
    sql_dialect_free(&dialect);
}

/* Every beginning of a statement is looked at without a step beyond its end. */
static void
cut_statements_are_harmless(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t size = 0; size <= strlen(cases[i].sql); size++) {
            struct sql_dialect dialect;
            char *sql = malloc(size + 1);
            assert_non_null(sql);
            memcpy(sql, cases[i].sql, size);
            sql[size] = '\0';
            sql_dialect_init(&dialect, 130004);
            fate_of(&dialect, sql);
            sql_dialect_free(&dialect);
            free(sql);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_are_told_in_older_words),
        cmocka_unit_test(comments_on_not_nulls_are_left_out),
        cmocka_unit_test(a_store_gets_what_newer_servers_read_alike),
        cmocka_unit_test(strings_end_where_the_setting_says),
        cmocka_unit_test(cut_statements_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
