/* sql_secrets: what is secret is cut, what is not stays, byte for byte. */
#include "support.h"

#include "pg/sql_secrets.h"

static const struct {
    const char *sql, *cut, *said; /* cut: NULL when it stays as it is */
} cases[] = {
    {"CREATE TABLE t (a text DEFAULT 'OPTIONS (password ''x'')');", NULL, NULL},
    {"CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (\n    dbname 'd',\n    host 'h'\n);", NULL,
     NULL},
    {"CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (\n    host 'h',\n    password 'pw'\n);",
     "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (\n    host 'h'\n);",
     "password of «CREATE SERVER s FOREIGN DATA WRAPPER w»"},
    {"CREATE SERVER \"OPTIONS (password 'x'\" FOREIGN DATA WRAPPER w;", NULL, NULL},
    {"CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (\n    url 'http://u:pw@h'\n);",
     "CREATE SERVER s FOREIGN DATA WRAPPER w ;", "url"},
    {"CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (\n    url 'http://h:80/a'\n);", NULL, NULL},
    {"CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (\n    a 'x',\n    b E'\\\\'' pw PWD=1'\n);",
     "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (\n    a 'x'\n);", "b of"},
    {"CREATE USER MAPPING FOR u SERVER s OPTIONS (\n    \"user\" 'u',\n    anything 'pw'\n);",
     "CREATE USER MAPPING FOR u SERVER s OPTIONS (\n    \"user\" 'u'\n);",
     "anything of «CREATE USER MAPPING FOR u SERVER s»"},
    {"CREATE USER MAPPING FOR u SERVER s;", NULL, NULL},
    /* What pg_dump does not write. */
    {"CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'u', password $$pw)$$ || 'pw');",
     "CREATE USER MAPPING FOR u SERVER s ;", "what follows"},
    {"CREATE USER MAPPING FOR u SERVER s OPTIONS (password 'pw",
     "CREATE USER MAPPING FOR u SERVER s ;", "what follows"},
    {"ALTER USER MAPPING FOR u SERVER s OPTIONS (ADD password 'pw');",
     "ALTER USER MAPPING FOR u SERVER s ;", "what follows"},
    {"CREATE SUBSCRIPTION s CONNECTION 'host=h' PUBLICATION p WITH (connect = false);", NULL, NULL},
    {"CREATE SUBSCRIPTION s CONNECTION 'host=''a b'' password=''pw ''' PUBLICATION p;",
     "CREATE SUBSCRIPTION s CONNECTION E'host=''a b'' password=''left-out''' PUBLICATION p;",
     "password of «CREATE SUBSCRIPTION s»"},
    {"CREATE SUBSCRIPTION s CONNECTION 'postgresql://u:pw@h:1/d' PUBLICATION p;",
     "CREATE SUBSCRIPTION s CONNECTION E'user=''u'' dbname=''d'' host=''h'' port=''1'' "
     "password=''left-out''' PUBLICATION p;", "password of"},
    {"CREATE SUBSCRIPTION s CONNECTION 'host=h passwrod=pw' PUBLICATION p;",
     "CREATE SUBSCRIPTION s CONNECTION E'password=''left-out''' PUBLICATION p;",
     "the whole connection of"},
};

static void
test_cases(void **state)
{
    struct text cut = {0}, said = {0};
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool changed = sql_secrets_cut(cases[i].sql, true, &cut, &said);
        if (changed != (cases[i].cut != NULL))
            fail_msg("%s: %s", cases[i].sql, text_of(&cut));
        if (!changed)
            continue;
        assert_string_equal(text_of(&cut), cases[i].cut);
        if (strstr(text_of(&said), cases[i].said) == NULL)
            fail_msg("%s: %s", cases[i].sql, text_of(&said));
        assert_null(strstr(text_of(&said), "pw"));
    }
    text_free(&cut);
    text_free(&said);
    print_message("%zu statements\n", sizeof cases / sizeof *cases);
}

/* A backslash hides a quote where standard_conforming_strings is off. */
static void
test_old_strings(void **state)
{
    static const char sql[] = "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'u\\'', x 'pw');";
    struct text cut = {0}, said = {0};
    (void) state;

    assert_true(sql_secrets_cut(sql, false, &cut, &said));
    assert_string_equal(text_of(&cut),
                        "CREATE USER MAPPING FOR u SERVER s OPTIONS (\n    user 'u\\''\n);");
    text_free(&cut);
    text_free(&said);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_old_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
