/* transform_mask_text - the transformers of texts, on columns of every length. */
#include "transform_apply.h"

static void
test_random_text(void **state)
{
    (void) state;
    static const char *const values[] = {"",  "a",           "abc",        "Smith",
                                         "é", "Élodie 漢字", "a\tb\nc\\d", "-12"};

    for (int length = 0; length <= 12; length++)
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            struct column column = varchar(length);
            if (length > 0 && characters(values[i]) > (size_t) length)
                continue;
            for (int draw = 0; draw < DRAWS; draw++) {
                const char *result = apply("random", &column, values[i]);
                assert_int_equal(strlen(result), characters(values[i]));
                assert_int_equal(strspn(result, "0123456789abcdefghijklmnopqrstuvwxyz"
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), strlen(result));
                assert_true(*result == '\0' || strcasecmp(result, values[i]) != 0);
            }
        }
}

/* What is not UTF-8 is counted in bytes, and never longer than the column. */
static void
test_other_encodings(void **state)
{
    (void) state;
    struct column narrow = varchar(3);

    assert_int_equal(strlen(apply("random", &text, "caf\xe9")), 4);
    assert_int_equal(strlen(apply("random", &narrow, "\xb4\xc1\xbb\xfa\xb4\xc1")), 3);
    assert_string_equal(apply("keep-first-char", &text, "\xe9t\xe9"), "*");
    assert_string_equal(apply("keep-first-char", &text, "t\xe9"), "t");
    assert_string_equal(apply("redacted", &text, "a\xe9" "bcd"), "a*b**********");
    assert_string_equal(apply("redacted", &narrow, "\xb4\xc1\xbb\xfa\xb4\xc1"), "***");
    /* LATIN1 that looks like UTF-8 stays within the bytes it had. */
    struct column eight = varchar(8);
    assert_int_equal(strlen(apply("redacted", &eight, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9")), 8);
    const char *address = apply_with("email", "domain", "keep", &text, "x@caf\xe9.org");
    assert_non_null(strstr(address, "@example.com"));
}

static void
test_first_name(void **state)
{
    (void) state;
    for (int length = 0; length <= 12; length++)
        for (int draw = 0; draw < DRAWS; draw++) {
            struct column column = varchar(length);
            const char *result = apply("first-name", &column, "a");
            assert_true(length == 0 || strlen(result) <= (size_t) length);
            assert_true(result[0] >= 'A' && result[0] <= 'Z');
            assert_true(strcasecmp(result, "a") != 0);
        }
    assert_string_equal(apply("first-name", &text, ""), "");
}

static void
test_email(void **state)
{
    (void) state;
    for (int length = 1; length <= 40; length++)
        for (int draw = 0; draw < DRAWS; draw++) {
            struct column column = varchar(length);
            const char *result = apply("email", &column, "x");
            size_t size = strlen(result);
            assert_in_range(size, 1, length);
            assert_int_equal(strchr(result, '@') != NULL, length >= 8);
            if (length >= 24)
                assert_int_equal(size, 24);
        }
    assert_int_equal(strlen(apply("email", &text, "jane.doe@corp.example.org")), 24);
    assert_string_equal(apply("email", &text, ""), "");
}

static void
test_email_domain(void **state)
{
    (void) state;
    struct column narrow = varchar(9);
    struct mask mask;
    struct settings settings;

    assert_string_equal(apply_with("email", "domain", "keep", &text, "a@b@corp.fr") + 12,
                        "@corp.fr");
    assert_string_equal(apply_with("email", "domain", "keep", &text, "a@é.fr") + 12, "@é.fr");
    assert_string_equal(apply_with("email", "domain", "keep", &narrow, "a@corp.fr") + 1,
                        "@corp.fr");
    assert_string_equal(apply_with("email", "domain", "keep", &text, "no address") + 12,
                        "@example.com");
    assert_string_equal(apply_with("email", "domain", "keep", &text, "a@") + 12, "@example.com");
    assert_string_equal(apply_with("email", "domain", "keep", &text, "a@b secret") + 12,
                        "@example.com");
    assert_string_equal(apply_with("email", "domain", "x.org", &text, "a@b.c") + 12, "@x.org");
    assert_true(bind(&mask, &settings, "email", "domain", "abcd.de", &narrow));
    assert_int_equal(strlen(apply_bytes(&mask, "x", 1, false)), 9);
    assert_false(bind(&mask, &settings, "email", "domain", "abcde.de", &narrow));
    /* 36^12 addresses: no two of a few are the same. */
    char first[32];
    snprintf(first, sizeof first, "%s", apply("email", &text, "a@b.c"));
    assert_string_not_equal(first, apply("email", &text, "a@b.c"));
}

static void
test_keep_first_char(void **state)
{
    (void) state;
    struct column integers = integer(4), plain = numeric(0, 0), fixed_width = bpchar(5);

    assert_string_equal(apply("keep-first-char", &text, "Smith"), "S");
    assert_string_equal(apply("keep-first-char", &text, "ab"), "a");
    assert_string_equal(apply("keep-first-char", &text, "漢字"), "漢");
    assert_string_equal(apply("keep-first-char", &text, ""), "");
    assert_string_equal(apply("keep-first-char", &integers, "1234"), "1");
    assert_string_equal(apply("keep-first-char", &integers, "-1234"), "-1");
    assert_string_equal(apply("keep-first-char", &plain, "98.76"), "9");
    assert_string_equal(apply("keep-first-char", &plain, "-0.5"), "-0");
    for (int draw = 0; draw < DRAWS; draw++) {
        assert_string_not_equal(apply("keep-first-char", &text, "a"), "a");
        assert_string_not_equal(apply("keep-first-char", &text, "é"), "é");
        assert_int_equal(strlen(apply("keep-first-char", &text, "é")), 1);
        assert_int_not_equal(apply("keep-first-char", &fixed_width, "x    ")[0], 'x');
        const char *digit = apply("keep-first-char", &integers, "5");
        assert_true(strlen(digit) == 1 && digit[0] != '5');
        digit = apply("keep-first-char", &integers, "-5");
        assert_true(strlen(digit) == 2 && digit[0] == '-' && digit[1] != '5' && digit[1] != '0');
        assert_string_not_equal(apply("keep-first-char", &plain, "5.00"), "5");
    }
}

static void
test_phone_number(void **state)
{
    (void) state;
    for (int length = 0; length <= 20; length++)
        for (int draw = 0; draw < DRAWS; draw++) {
            struct column column = varchar(length);
            const char *result = apply("phone-number", &column, "5");
            size_t size = strlen(result);
            if (length >= 14 || length == 0)
                assert_true(size == 14 && result[0] == '(' && memcmp(result + 4, ") 555-", 6) == 0);
            else if (length >= 12)
                assert_true(size == 12 && memcmp(result + 3, "-555-", 5) == 0);
            else
                assert_true(size == strspn(result, "0123456789") &&
                            size == (size_t) (length < 10 ? length : 10));
            assert_string_not_equal(result, "5");
        }
}

static void
test_redacted(void **state)
{
    (void) state;
    struct column five = varchar(5), two = varchar(2), padded = bpchar(6);

    assert_string_equal(apply("redacted", &text, "4242424242424242"), "424**********");
    assert_string_equal(apply("redacted", &text, ""), "");
    assert_string_equal(apply("redacted", &text, "a"), "*");
    assert_string_equal(apply("redacted", &text, "abc"), "***");
    assert_string_equal(apply("redacted", &text, "abcd"), "abc**********");
    assert_string_equal(apply("redacted", &text, "日本語x"), "日本語**********");
    assert_string_equal(apply("redacted", &text, "日本語"), "***");
    assert_string_equal(apply("redacted", &five, "abcde"), "abc**");
    assert_string_equal(apply("redacted", &five, "ééééé"), "ééé**");
    assert_string_equal(apply("redacted", &two, "ab"), "**");
    assert_string_equal(apply("redacted", &padded, "abc   "), "***");
    assert_string_equal(apply_with("redacted", "character", "#", &text, "abcd"), "abc##########");
    assert_string_equal(apply_with("redacted", "width", "0", &text, "abcd"), "abc");
    assert_int_equal(strlen(apply_with("redacted", "width", "255", &text, "abcd")), 258);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_text),
        cmocka_unit_test(test_other_encodings),
        cmocka_unit_test(test_first_name),
        cmocka_unit_test(test_email),
        cmocka_unit_test(test_email_domain),
        cmocka_unit_test(test_keep_first_char),
        cmocka_unit_test(test_phone_number),
        cmocka_unit_test(test_redacted),
    };
    return cmocka_run_group_tests(tests, noise_setup, NULL);
}
