/* sql_kind: statements as pg_dump 18 wrote them, and some that only look like others. */
#include "support.h"

#include "pg/sql_kind.h"

static const struct {
    enum sql_kind kind;
    const char *sql;
} cases[] = {
    {SQL_SESSION, "SET statement_timeout = 0;"},
    {SQL_SESSION, "SET client_encoding = 'UTF8';"},
    {SQL_SESSION, "SET default_tablespace = '';"},
    {SQL_SESSION, "SELECT pg_catalog.set_config('search_path', '', false);"},
    {SQL_SERIAL, "SELECT pg_catalog.setval('public.a_seq', 80000, true);"},
    {SQL_SERIAL, "SELECT pg_catalog.lo_create('16400');"},
    {SQL_SERIAL, "BEGIN;"},
    {SQL_SERIAL, ""},
    {SQL_SERIAL, ";"},

    {SQL_INDEX, "CREATE INDEX a_idx ON public.a USING btree (b);"},
    {SQL_INDEX, "CREATE UNIQUE INDEX a_idx ON ONLY public.a USING btree (b);"},
    {SQL_KEY, "ALTER TABLE ONLY public.orders\n"
                   "    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);"},
    {SQL_KEY, "ALTER TABLE ONLY \"Awkward \"\"Zoo\"\"\".\"T.x\"\n"
                   "    ADD CONSTRAINT \"pk \"\"it\"\"\" PRIMARY KEY (a) WITH (fillfactor='50');"},
    {SQL_KEY, "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT \"a\n"
                   "    ADD CONSTRAINT b PRIMARY KEY (\" UNIQUE (begin);"},
    {SQL_KEY, "ALTER TABLE ONLY public.t\n"
                   "    ADD CONSTRAINT t_key UNIQUE NULLS NOT DISTINCT (a);"},
    {SQL_KEY, "ALTER TABLE ONLY s.bookings\n"
                   "    ADD CONSTRAINT x EXCLUDE USING gist (room WITH =, during WITH &&);"},
    {SQL_KEY, "ALTER TABLE ONLY \xd0\xba.\xd1\x82\n    ADD CONSTRAINT a$1 UNIQUE (a);"},

    {SQL_FOREIGN_KEY, "ALTER TABLE ONLY public.a\n"
                      "    ADD CONSTRAINT a_fkey FOREIGN KEY (b) REFERENCES public.b(id);"},
    {SQL_FOREIGN_KEY, "ALTER TABLE ONLY public.\"a\n    ADD CONSTRAINT b PRIMARY KEY (\"\n"
                      "    ADD CONSTRAINT a_fkey FOREIGN KEY (b) REFERENCES public.b(id);"},
    {SQL_SERIAL, "ALTER TABLE public.a\n"
                 "    ADD CONSTRAINT \"not valid\" CHECK ((a > 0)) NOT VALID;"},
    {SQL_SERIAL, "ALTER TABLE ONLY public.a ATTACH PARTITION public.b FOR VALUES IN (1);"},
    {SQL_SERIAL, "ALTER TABLE ONLY public.a ALTER COLUMN begin SET STATISTICS 100;"},
    {SQL_SERIAL, "ALTER TABLE ONLY public.a REPLICA IDENTITY USING INDEX a_idx;"},
    {SQL_SERIAL, "ALTER TABLE public.a CLUSTER ON a_pkey;"},
    {SQL_SERIAL, "ALTER INDEX public.a_pkey ATTACH PARTITION public.b_pkey;"},
    {SQL_SERIAL, "CREATE STATISTICS public.s (ndistinct) ON a, b FROM public.a;"},
    {SQL_SERIAL, "CREATE TRIGGER t BEFORE DELETE ON public.a FOR EACH ROW EXECUTE FUNCTION f();"},
    {SQL_SERIAL, "COMMENT ON INDEX public.a_idx IS 'CREATE INDEX ';"},
    {SQL_SERIAL, "REFRESH MATERIALIZED VIEW public.m;"},
    {SQL_SERIAL, "CREATE TABLE public.a (\n    b integer\n);"},
    {SQL_SERIAL, "ALTER TABLE ONLY"},
    {SQL_SERIAL, "ALTER TABLE ONLY "},
    {SQL_SERIAL, "ALTER TABLE ONLY \"a"},
    {SQL_SERIAL, "ALTER TABLE ONLY a.\n    ADD CONSTRAINT b UNIQUE (c);"},
    {SQL_SERIAL, "ALTER TABLE ONLY a\n    ADD CONSTRAINT "},

    {SQL_OWNER, "ALTER TABLE public.customers OWNER TO shop_owner;"},
    {SQL_OWNER, "ALTER SCHEMA \"Awkward \"\"Zoo\"\"\" OWNER TO \"Zoo \"\"Keeper\"\"\";"},
    {SQL_OWNER, "ALTER FUNCTION public.f(a text) OWNER TO postgres;"},
    {SQL_OWNER, "ALTER EVENT TRIGGER \"closed OWNER TO a;\" OWNER TO postgres;"},
    {SQL_OWNER, "ALTER LARGE OBJECT 16400 OWNER TO \"a;b\nc\";"},
    {SQL_OWNER, "ALTER OPERATOR ext.=> (text, text) OWNER TO postgres;"},
    {SQL_SERIAL, "ALTER TABLE public.a ALTER COLUMN b SET DEFAULT ' OWNER TO x;';"},
    {SQL_SERIAL, "ALTER TABLE public.a ALTER COLUMN b SET DEFAULT ' OWNER TO x';"},
    {SQL_SERIAL, "ALTER TABLE public.a OWNER TO"},
    {SQL_SERIAL, "ALTER TABLE public.a OWNER TO ;"},
    {SQL_SERIAL, "ALTER TABLE public.a OWNER TO \"b;"},
    {SQL_SERIAL, "ALTER TABLE public.a OWNER TO b; DROP TABLE c;"},
    {SQL_SERIAL, "COMMENT ON TABLE public.a IS 'ALTER TABLE a OWNER TO b;';"},

    {SQL_PRIVILEGE, "GRANT SELECT(id) ON TABLE public.customers TO shop_reader;"},
    {SQL_PRIVILEGE, "REVOKE ALL ON FUNCTION public.f() FROM PUBLIC;"},
    {SQL_PRIVILEGE, "ALTER DEFAULT PRIVILEGES FOR ROLE o IN SCHEMA public GRANT SELECT ON TABLES "
                    "TO shop_reader;"},
    {SQL_PRIVILEGE, "SET SESSION AUTHORIZATION shop_owner;"},
    {SQL_PRIVILEGE, "RESET SESSION AUTHORIZATION;"},
};

static void
test_kinds(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (sql_facts(cases[i].sql).kind != cases[i].kind)
            fail_msg("<<%s>> is of kind %d", cases[i].sql, sql_facts(cases[i].sql).kind);
}

/* No prefix of a statement is read beyond its end. */
static void
test_prefixes(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t size = 0; size < strlen(cases[i].sql); size++) {
            char *prefix = test_malloc(size + 1);
            memcpy(prefix, cases[i].sql, size);
            prefix[size] = '\0';
            struct text index = {0}, constraint = {0};
            assert_in_range(sql_facts(prefix).kind, SQL_SERIAL, SQL_PRIVILEGE);
            assert_false(sql_key_split(prefix, &index, &constraint));
            assert_int_equal(index.size + constraint.size, 0);
            test_free(prefix);
        }
    }
}

static void
check_tables(const char *sql, const char *first, const char *second)
{
    struct sql_facts facts = sql_facts(sql);
    const char *wanted[] = {first, second};

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(facts.tables[i].size, strlen(wanted[i]));
        if (facts.tables[i].size > 0)
            assert_memory_equal(facts.tables[i].text, wanted[i], strlen(wanted[i]));
    }
}

static void
test_tables(void **state)
{
    (void) state;
    check_tables("CREATE INDEX i ON ONLY public.a USING btree (b);", "public.a", "");
    check_tables("CREATE UNIQUE INDEX \"i ON x\" ON \"S\".\"a \"\"b\" USING hash (c);",
                 "\"S\".\"a \"\"b\"", "");
    check_tables("ALTER TABLE ONLY s.t\n    ADD CONSTRAINT c EXCLUDE USING gist (a WITH =);", "s.t",
                 "");
    check_tables("ALTER TABLE s.t\n    ADD CONSTRAINT c FOREIGN KEY (a, \"b) REFERENCES x\") "
                 "REFERENCES \"S\".u(x, y) ON DELETE CASCADE NOT VALID;", "s.t", "\"S\".u");
    check_tables("ALTER TABLE ONLY s.t\n    ADD CONSTRAINT c FOREIGN KEY (a, PERIOD b) REFERENCES "
                 "s.u(a, PERIOD b);", "", "");
    check_tables("ALTER TABLE s.t\n    ADD CONSTRAINT c CHECK ((a > 0));", "", "");
}

#define ALTER "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT c "

static void
check_split(const char *sql, const char *index, const char *constraint)
{
    struct text one = {0}, other = {0};

    assert_int_equal(sql_key_split(sql, &one, &other), index != NULL);
    assert_string_equal(text_of(&one), index == NULL ? "" : index);
    assert_string_equal(text_of(&other), index == NULL ? "" : constraint);
    text_free(&one);
    text_free(&other);
}

static void
test_split(void **state)
{
    (void) state;
    check_split(ALTER "PRIMARY KEY (id);", "CREATE UNIQUE INDEX c ON s.t (id);",
                "ALTER TABLE ONLY s.t ADD CONSTRAINT c PRIMARY KEY USING INDEX c;");
    check_split(ALTER "UNIQUE (a, \"b, c)\") INCLUDE (d, e) DEFERRABLE INITIALLY DEFERRED;",
                "CREATE UNIQUE INDEX c ON s.t (a, \"b, c)\") INCLUDE (d, e);",
                "ALTER TABLE ONLY s.t ADD CONSTRAINT c UNIQUE USING INDEX c DEFERRABLE "
                "INITIALLY DEFERRED;");
    check_split(ALTER "UNIQUE NULLS NOT DISTINCT (a);", NULL, NULL);
    check_split(ALTER "PRIMARY KEY (id) WITH (fillfactor='50');", NULL, NULL);
    check_split(ALTER "PRIMARY KEY (a, b WITHOUT OVERLAPS);", NULL, NULL);
    check_split(ALTER "EXCLUDE USING gist (a WITH =);", NULL, NULL);
    check_split(ALTER "PRIMARY KEY (id); DROP TABLE x;", NULL, NULL);
    check_split(ALTER "PRIMARY KEY USING INDEX c;", NULL, NULL);
}

/* The name of the table that an index is on, both parts in quotes. */
static void
check_name(const char *sql, const char *wanted)
{
    struct sql_facts facts = sql_facts(sql);
    struct text name = {0};

    sql_name_add(&name, &facts.tables[0]);
    assert_string_equal(text_of(&name), wanted);
    text_free(&name);
}

static void
test_names(void **state)
{
    (void) state;
    check_name("CREATE INDEX i ON json.t USING btree (b);", "\"json\".\"t\"");
    check_name("CREATE INDEX i ON \"json\".t USING btree (b);", "\"json\".\"t\"");
    check_name("CREATE INDEX i ON \"a.\"\"b\".\"c.d\" USING btree (b);",
               "\"a.\"\"b\".\"c.d\"");
    check_name("CREATE INDEX i ON t USING btree (b);", "\"t\"");
    check_name("COMMENT ON TABLE t IS 'a';", "");
}

static void
test_event_triggers(void **state)
{
    static const char *const ours[] = {
        "CREATE EVENT TRIGGER e ON sql_drop\n   EXECUTE FUNCTION public.f();",
        "ALTER EVENT TRIGGER \"closed OWNER TO a;\" OWNER TO postgres;",
        "ALTER EVENT TRIGGER e DISABLE;",
        "ALTER EVENT TRIGGER e ENABLE REPLICA;",
        "COMMENT ON EVENT TRIGGER e IS 'why';",
        "SECURITY LABEL FOR \"a b\" ON EVENT TRIGGER e IS 'x';",
    };
    static const char *const others[] = {
        "", "CREATE TRIGGER e BEFORE DELETE ON t EXECUTE FUNCTION f();", "CREATE EVENT TRIGGER",
        "COMMENT ON TRIGGER e ON t IS ' ON EVENT TRIGGER ';", "SECURITY LABEL FOR ",
        "SECURITY LABEL FOR a ON TABLE t IS ' ON EVENT TRIGGER ';", "SECURITY LABEL FOR \"a",
        "SELECT 'CREATE EVENT TRIGGER ';",
    };
    (void) state;

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_true(sql_is_event_trigger(ours[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(sql_is_event_trigger(others[i]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_event_triggers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
