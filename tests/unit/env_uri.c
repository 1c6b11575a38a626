/* env_uri: what passes libpq reads as we do; what does not is refused, and nothing of it seen. */
#include "support.h"

#include <libpq-fe.h>

#include "env/env_uri.h"

static const char *
option(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val == NULL ? "" : options->val;
    return "";
}

static void
test_fine(void **state)
{
    static const struct {
        const char *uri, *safe, *user, *password, *host, *port, *database;
    } cases[] = {
        {"postgres://", "postgres://", "", "", "", "", ""},
        {"postgresql://h", "postgresql://h", "", "", "h", "", ""},
        {"postgres://u:pw@h:1/d", "postgres://u@h:1/d", "u", "pw", "h", "1", "d"},
        {"postgres://u:p:w@h/d", "postgres://u@h/d", "u", "p:w", "h", "", "d"},
        {"postgres://:pw@h", "postgres://@h", "", "pw", "h", "", ""},
        {"postgres://u:@h", "postgres://u@h", "u", "", "h", "", ""},
        {"postgres://u%40x:p%2Fw%3f@h/d%40", "postgres://u%40x@h/d%40", "u@x", "p/w?", "h", "",
         "d@"},
        {"postgres://u@a:1,[::1]:2,c/d", "postgres://u@a:1,[::1]:2,c/d", "u", "", "a,::1,c", "1,2,",
         "d"},
        {"postgres://%2Ftmp:5/d?password=pw", "postgres://%2Ftmp:5/d", "", "pw", "/tmp", "5", "d"},
        {"postgres:///d?host=/tmp&user=a%40b&sslmode=disable",
         "postgres:///d?host=/tmp&user=a%40b&sslmode=disable", "a@b", "", "/tmp", "", "d"},
        {"postgres://h/d?pass%77ord=pw&port=7", "postgres://h/d?port=7", "", "pw", "h", "7", "d"},
        {"postgres://h/?sslpassword=pw&ssl=true", "postgres://h/?ssl=true", "", "", "h", "", ""},
        {"postgres://h?options=-c%20a.key%3Dpw", "postgres://h", "", "", "h", "", ""},
        {"postgres://h/d/e?", "postgres://h/d/e", "", "", "h", "", "d/e"},
        {"postgres://u#x:p#w@h", "postgres://u#x@h", "u#x", "p#w", "h", "", ""},
    };
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text text = {0};
        const char *mistake = uri_mistake(cases[i].uri);
        if (mistake != NULL)
            fail_msg("%s: %s", cases[i].uri, mistake);
        uri_add_safe(&text, cases[i].uri);
        assert_string_equal(text_of(&text), cases[i].safe);
        text_free(&text);
        PQconninfoOption *options = PQconninfoParse(cases[i].uri, NULL);
        if (options == NULL)
            fail_msg("libpq refuses %s", cases[i].uri);
        assert_string_equal(option(options, "user"), cases[i].user);
        assert_string_equal(option(options, "password"), cases[i].password);
        assert_string_equal(option(options, "host"), cases[i].host);
        assert_string_equal(option(options, "port"), cases[i].port);
        assert_string_equal(option(options, "dbname"), cases[i].database);
        PQconninfoFree(options);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *uri, *words;
    } cases[] = {
        {"postgres://u:pw/x@h/db", "an @"},        {"postgres://u:12/pw@h/db", "an @"},
        {"postgres://u:p@pw@h/db", "an @"},        {"postgres://u@h/d@pw", "an @"},
        {"postgres://u:pw/x", "port"},             {"postgres://u:pw", "port"},
        {"postgres://h:0", "1 to 65535"},          {"postgres://h:65536", "1 to 65535"},
        {"postgres://h:99999999999999999999", "1 to 65535"},
        {"postgres://u:p?pw@h", "a ?"},            {"postgres://h?user=a@pw", "a ?"},
        {"postgres://u:p%pw@h", "hexadecimal"},    {"postgres://u:pw%", "hexadecimal"},
        {"postgres://u:pw%4@h", "hexadecimal"},    {"postgres://u:pw%00@h", "%00"},
        {"postgres://u:p pw@h", "blank"},          {"postgres://u:pw\n@h", "blank"},
        {"postgres://[::1", "IPv6"},               {"postgres://[]", "IPv6"},
        {"postgres://[::1]pw", "IPv6"},            {"postgres://u:[pw@h:x", "port"},
        {"postgres://h/d?passwrod=pw", "libpq"},   {"postgres://h/d?pw", "no ="},
        {"postgres://h/d?port=1&&user=pw", "no ="}, {"postgres://h/d?user=a=pw", "more than one"},
        {"postgres://h/d?ssl=pw", "ssl"},          {"postgres://h/d?=pw", "libpq"},
        {"postgres://h/d?averyveryveryverylongnamethatnobodyhas=pw", "libpq"},
    };
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text text = {0};
        const char *mistake = uri_mistake(cases[i].uri);
        if (mistake == NULL || strstr(mistake, cases[i].words) == NULL)
            fail_msg("%s: %s", cases[i].uri, mistake == NULL ? "fine" : mistake);
        assert_null(strstr(mistake, "pw"));
        uri_add_safe(&text, cases[i].uri);
        assert_string_equal(text_of(&text), "postgres://...");
        text_free(&text);
    }
    print_message("%zu URIs refused\n", sizeof cases / sizeof *cases);
}

static void
test_meant(void **state)
{
    (void) state;
    assert_string_equal(uri_parameter_meant("postgres://h/d?port=1&passwrod=x"), "password");
    assert_string_equal(uri_parameter_meant("postgres://h/d?ssl_mode=x"), "sslmode");
    assert_null(uri_parameter_meant("postgres://h/d?zzzzzz=x"));
    assert_null(uri_parameter_meant("postgres://h/d?port=1"));
    assert_null(uri_parameter_meant("postgres://h/d"));
}

/* The table is libpq's own list, and ssl. */
static void
test_parameters(void **state)
{
    PQconninfoOption *options = PQconndefaults();
    size_t count = 0, rows = 0;
    bool known;
    (void) state;

    for (const PQconninfoOption *each = options; each->keyword != NULL; each++, count++) {
        uri_parameter_shown(each->keyword, strlen(each->keyword), &known);
        if (!known)
            fail_msg("%s is unknown", each->keyword);
        if (each->dispchar[0] == '*') /* libpq's mark for what is to be hidden */
            assert_false(uri_parameter_shown(each->keyword, strlen(each->keyword), NULL));
    }
    PQconninfoFree(options);
#define PARAMETER(name, shown) rows++;
#include "env/uri.def"
#undef PARAMETER
    assert_int_equal(rows, count + 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fine),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_meant),
        cmocka_unit_test(test_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
