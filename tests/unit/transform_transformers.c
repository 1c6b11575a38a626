/* transform_transformers - every transformer on every kind of column and every awkward value. */
#include <stdlib.h>
#include <strings.h>

#include "support.h"
#include "transform/mask.h"

enum { DRAWS = 50 };

static struct random noise;
static uint8_t result_bytes[TRANSFORM_FIELD_BYTES + 1];

static const struct column text = {.name = "t", .base_type = "text", .kind = VALUE_TEXT};

static struct column
varchar(int length)
{
    return (struct column){
        .name = "v", .base_type = "varchar", .kind = VALUE_TEXT, .length_max = length};
}

static struct column
bpchar(int length)
{
    struct column column = varchar(length);
    column.base_type = "bpchar";
    column.blank_padded = true;
    return column;
}

static struct column
integer(int width)
{
    return (struct column){.name = "i", .base_type = "int", .kind = VALUE_INTEGER, .byte_width = width};
}

static struct column
numeric(int precision, int scale)
{
    return (struct column){.name = "n", .base_type = "numeric", .kind = VALUE_NUMERIC,
                           .precision = precision, .scale = scale};
}

static struct column
other(enum value_kind kind)
{
    return (struct column){.name = "o", .base_type = "o", .kind = kind, .byte_width = 4};
}

/* Bind with parameters written "key=value,key=value"; false: the column is refused. */
static bool
bind(struct mask *mask, struct settings *settings, const char *name, const char *key, const char *value,
     const struct column *column)
{
    struct text why = {0};
    enum transformer transformer = transformer_find(name);

    assert_int_not_equal(transformer, TRANSFORMERS_COUNT);
    *settings = settings_default();
    if (value != NULL)
        assert_true(settings_put(settings, transformer, key, value, &why));
    bool good = mask_init(mask, transformer, settings, column, &why);
    assert_int_equal(good, why.size == 0);
    text_free(&why);
    return good;
}

/* Apply once; the result is valid until the next call, and ends with a zero. */
static const char *
apply_bytes(const struct mask *mask, const void *data, size_t size, bool cut)
{
    struct result result = {.data = result_bytes};
    uint8_t *flush = malloc(size); /* so that the sanitizer sees a read too far */

    if (size > 0)
        memcpy(flush, data, size);
    mask_apply(mask, flush, size, cut, &noise, &result);
    free(flush);
    if (result.null)
        return NULL;
    assert_true(result.size <= TRANSFORM_FIELD_BYTES);
    result_bytes[result.size] = '\0';
    return (const char *) result_bytes;
}

static const char *
apply_with(const char *name, const char *key, const char *value, const struct column *column,
           const char *original)
{
    struct mask mask;
    struct settings settings;

    assert_true(bind(&mask, &settings, name, key, value, column));
    return apply_bytes(&mask, original, strlen(original), false);
}

static const char *
apply(const char *name, const struct column *column, const char *original)
{
    return apply_with(name, NULL, NULL, column, original);
}

static size_t
characters(const char *string)
{
    return utf8_characters((const uint8_t *) string, strlen(string));
}

static void
test_lookup(void **state)
{
    (void) state;
    size_t count;
    const struct transformer_info *list = transformers_list(&count);

    assert_int_equal(count, 11);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(transformer_find(list[i].name), i);
        assert_true(transformer_serves(i, VALUE_TEXT));
        assert_true(strlen(list[i].sentence) > 10);
    }
    assert_int_equal(transformer_find("Email"), TRANSFORMERS_COUNT);
    assert_int_equal(transformer_find(""), TRANSFORMERS_COUNT);
    assert_true(transformer_serves(TRANSFORMER_random, VALUE_UUID));
    assert_false(transformer_serves(TRANSFORMER_random, VALUE_OTHER));
    assert_false(transformer_serves(TRANSFORMER_email, VALUE_INTEGER));
    assert_true(transformer_serves(TRANSFORMER_null, VALUE_OTHER));
    assert_true(transformer_serves(TRANSFORMER_fixed, VALUE_OTHER));
}

/* Every word of every "serves" is the name of a kind. */
static void
test_serves_words(void **state)
{
    (void) state;
    size_t count;
    const struct transformer_info *list = transformers_list(&count);

    for (size_t i = 0; i < count; i++) {
        size_t words = 1, kinds = 0;
        if (strcmp(list[i].serves, "any") == 0)
            continue;
        for (const char *at = list[i].serves; *at != '\0'; at++)
            words += *at == ',';
        for (enum value_kind kind = VALUE_OTHER; kind <= VALUE_UUID; kind++)
            kinds += transformer_serves(i, kind);
        assert_int_equal(words, kinds);
    }
}

static void
test_random_text(void **state)
{
    (void) state;
    static const char *const values[] = {"", "a", "abc", "Smith", "é", "Élodie 漢字", "a\tb\nc\\d", "-12"};

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
test_random_integer(void **state)
{
    (void) state;
    static const struct {
        int width;
        const char *values[4];
    } tries[] = {
        {2, {"0", "-1", "32767", "-32768"}},
        {4, {"0", "-1", "2147483647", "-2147483648"}},
        {8, {"0", "-1", "9223372036854775807", "-9223372036854775808"}},
    };

    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 4; j++)
            for (int draw = 0; draw < DRAWS; draw++) {
                struct column column = integer(tries[i].width);
                struct text why = {0};
                const char *result = apply("random", &column, tries[i].values[j]);
                assert_true(fixed_value_check(&column, result, &why));
                assert_int_equal(result[0] == '-', tries[i].values[j][0] == '-');
                assert_string_not_equal(result, tries[i].values[j]);
            }
}

static const struct {
    int precision, scale;
    const char *values[7];
} numerics[] = {
    {0, 0, {"0", "-1", "7", "12345678901234567890.123", "NaN", "-Infinity", "0.00"}},
    {1, 0, {"0", "9", "-9", "NaN", "1", "-1", "5"}},
    {5, 2, {"0.00", "999.99", "-999.99", "1.00", "-0.50", "NaN", "10.00"}},
    {2, 2, {"0.00", "0.99", "-0.99", "0.10", "NaN", "0.01", "-0.01"}},
    {2, 4, {"0.0000", "0.0099", "-0.0099", "0.0010", "NaN", "0.0001", "0.0050"}},
    {2, -3, {"0", "99000", "-99000", "1000", "NaN", "10000", "5000"}},
    {1000, 1000, {"0", "NaN", "0", "0", "0", "0", "0"}},
};

static void
numerics_check(const char *name)
{
    for (size_t i = 0; i < sizeof numerics / sizeof *numerics; i++)
        for (size_t j = 0; j < 7; j++)
            for (int draw = 0; draw < DRAWS; draw++) {
                struct column column = numeric(numerics[i].precision, numerics[i].scale);
                const char *value = numerics[i].values[j];
                const char *result = apply(name, &column, value);
                struct text why = {0};
                if (numerics[i].scale >= 0 && !fixed_value_check(&column, result, &why))
                    fail_msg("%s of %s gives %s: %s", name, value, result, why.data);
                assert_int_equal(result[0] == '-', value[0] == '-');
                assert_false(numbers_same((const uint8_t *) value, strlen(value),
                                          (const uint8_t *) result, strlen(result)));
            }
}

static void
test_numeric(void **state)
{
    (void) state;
    numerics_check("random");
    numerics_check("keep-first-char");
    struct column plain = numeric(0, 0);
    assert_int_equal(strlen(apply("random", &plain, "-123.45")), 7);
    assert_int_not_equal(apply("random", &plain, "-123.45")[1], '0');
}

static void
test_float(void **state)
{
    (void) state;
    static const char *const values[] = {"0", "-0", "1.5", "-2.25", "1.7976931348623157e+308", "5e-324",
                                         "NaN", "Infinity", "-Infinity", "123456789012345"};
    struct column column = other(VALUE_FLOAT);

    column.byte_width = 8;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (int draw = 0; draw < DRAWS; draw++) {
            struct text why = {0};
            const char *result = apply("random", &column, values[i]);
            assert_true(fixed_value_check(&column, result, &why));
            assert_string_not_equal(result, values[i]);
            result = apply("keep-first-char", &column, values[i]);
            assert_true(fixed_value_check(&column, result, &why));
            assert_string_not_equal(result, values[i]);
        }
    assert_string_equal(apply("keep-first-char", &column, "-2.25"), "-2");
    assert_string_equal(apply("keep-first-char", &column, "1e+20"), "1");
}

static void
test_boolean_uuid(void **state)
{
    (void) state;
    struct column boolean = other(VALUE_BOOLEAN), uuid = other(VALUE_UUID);
    int trues = 0;

    for (int draw = 0; draw < 1000; draw++)
        trues += apply("random", &boolean, "t")[0] == 't';
    assert_in_range(trues, 350, 650);
    for (int draw = 0; draw < DRAWS; draw++) {
        struct text why = {0};
        const char *result = apply("random", &uuid, "00000000-0000-0000-0000-000000000000");
        assert_true(fixed_value_check(&uuid, result, &why));
        assert_int_equal(result[14], '4');
        assert_non_null(strchr("89ab", result[19]));
    }
}

static void
test_dates(void **state)
{
    (void) state;
    static const char *const values[] = {"infinity", "-infinity", "2024-02-29", "0044-03-15 BC", "x"};
    struct column columns[4] = {other(VALUE_DATE), other(VALUE_TIMESTAMP), other(VALUE_TIMESTAMP),
                                varchar(10)};

    columns[2].with_zone = true;
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 5; j++)
            for (int draw = 0; draw < DRAWS; draw++) {
                struct text why = {0};
                const char *result = apply("random-date", &columns[i], values[j]);
                assert_true(fixed_value_check(&columns[i], result, &why));
                assert_string_not_equal(result, values[j]);
                assert_int_equal(strlen(result), i == 1 ? 19 : i == 2 ? 22 : 10);
                assert_in_range(atoi(result), 1950, 2030);
            }
    struct mask mask;
    struct settings settings;
    struct column nine = varchar(9);
    assert_false(bind(&mask, &settings, "random-date", NULL, NULL, &nine));
    assert_int_equal(strlen(apply("random", &columns[1], "2024-01-01 00:00:00")), 19);
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

    assert_string_equal(apply_with("email", "domain", "keep", &text, "a@b@corp.fr") + 12, "@corp.fr");
    assert_string_equal(apply_with("email", "domain", "keep", &text, "a@é.fr") + 12, "@é.fr");
    assert_string_equal(apply_with("email", "domain", "keep", &narrow, "a@corp.fr") + 1, "@corp.fr");
    assert_string_equal(apply_with("email", "domain", "keep", &text, "no address") + 12, "@example.com");
    assert_string_equal(apply_with("email", "domain", "keep", &text, "a@") + 12, "@example.com");
    assert_string_equal(apply_with("email", "domain", "keep", &text, "a@b secret") + 12, "@example.com");
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

static unsigned
luhn(const char *digits)
{
    unsigned sum = 0;

    for (size_t i = 0, size = strlen(digits); i < size; i++) {
        unsigned digit = (unsigned) (digits[size - 1 - i] - '0') * (i % 2 + 1);
        sum += digit / 10 + digit % 10;
    }
    return sum % 10;
}

static void
test_credit_card(void **state)
{
    (void) state;
    struct mask mask;
    struct settings settings;
    struct column good[] = {text, varchar(16), bpchar(20), integer(8), numeric(0, 0), numeric(16, 0)};
    struct column bad[] = {varchar(15), integer(4), numeric(16, 1), numeric(20, -2), other(VALUE_FLOAT)};

    assert_int_equal(luhn("4111111111111111"), 0);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (int draw = 0; draw < DRAWS; draw++) {
            const char *result = apply("credit-card", &good[i], "4111111111111111");
            assert_int_equal(strspn(result, "0123456789"), 16);
            assert_int_equal(strlen(result), 16);
            assert_int_equal(luhn(result), 0);
            assert_string_not_equal(result, "4111111111111111");
        }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(bind(&mask, &settings, "credit-card", NULL, NULL, &bad[i]));
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

static void
test_null_fixed(void **state)
{
    (void) state;
    struct column never = text, any = other(VALUE_OTHER);
    struct mask mask;
    struct settings settings;

    never.not_null = true;
    assert_null(apply("null", &text, "x"));
    assert_null(apply("null", &text, ""));
    assert_null(apply("null", &any, "{1,2}"));
    assert_false(bind(&mask, &settings, "null", NULL, NULL, &never));
    assert_string_equal(apply_with("fixed", NULL, "x", &text, "abc"), "x");
    assert_string_equal(apply_with("fixed", "value", "x", &text, ""), "x");
    assert_string_equal(apply_with("fixed", NULL, "", &text, "abc"), "");
    assert_string_equal(apply_with("fixed", NULL, "{}", &any, "{1,2}"), "{}");
    assert_false(bind(&mask, &settings, "random", NULL, NULL, &any));
}

static void
test_fixed_values(void **state)
{
    (void) state;
    struct column three = varchar(3), name = varchar(63), padded = bpchar(3), stamp = other(VALUE_TIMESTAMP);
    struct column zoned = stamp, wide = other(VALUE_FLOAT);
    name.base_type = "name";
    zoned.with_zone = true;
    wide.byte_width = 8;
    const struct {
        struct column column;
        const char *good[6], *bad[6];
    } tries[] = {
        {three, {"", "abc", "ééé"}, {"abcd"}},
        {padded, {"abc   "}, {"abcd"}},
        {name, {"x"}, {"é234567890123456789012345678901234567890123456789012345678901234"}},
        {integer(2), {"0", "-32768", "+32767"}, {"32768", "-32769", "", "-", "1.0", " 1"}},
        {integer(8), {"9223372036854775807"}, {"9223372036854775808", "99999999999999999999999"}},
        {numeric(0, 0), {"1e10", "NaN", "-.5", "5."}, {"", ".", "e5", "1e", "--1", "x"}},
        {numeric(4, 2), {"99.99", "-0.1", "0099.9900"}, {"100", "1.234", "1e1", "99.995"}},
        {numeric(2, 2), {"0.99", ".5", "0"}, {"1", "0.999"}},
        {numeric(2, 4), {"0.0099", "0"}, {"0.01", "0.1", "1"}},
        {numeric(2, -3), {"99000", "0"}, {"99500", "100000", "1.5"}},
        {other(VALUE_FLOAT), {"1.5", "-inFinity", "3e38", "0e9"}, {"4e38", "1e-46", "0x1p3", ""}},
        {wide, {"4e38", "0.000"}, {"1e309", "1e-400", "1 "}},
        {other(VALUE_BOOLEAN), {"t", "FALSE", "1"}, {"", "2", "maybe"}},
        {other(VALUE_DATE), {"2024-02-29", "infinity"}, {"2023-02-29", "2024-13-01", "2024-1-1",
                                                         "today", "2024-01-01 00:00:00", ""}},
        {stamp, {"2024-02-29", "2024-01-01 23:59:59.5"}, {"2024-01-01 24:00:00", "2024-01-01 1:00",
                                                         "2024-01-01 00:00:00+00", "2024-01-01 "}},
        {zoned, {"2024-01-01T00:00Z", "2024-01-01 00:00:00-05:30"}, {"2024-01-01 00:00:00 UTC"}},
        {other(VALUE_UUID), {"0188f0a0-0000-4000-8000-00000000000F"},
         {"", "0188f0a0-0000-4000-8000-00000000000g", "{0188f0a0-0000-4000-8000-000000000000}"}},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct text why = {0};
        for (size_t j = 0; j < 6 && tries[i].good[j] != NULL; j++)
            if (!fixed_value_check(&tries[i].column, tries[i].good[j], &why))
                fail_msg("'%s' is refused in try %zu: %s", tries[i].good[j], i, why.data);
        for (size_t j = 0; j < 6 && tries[i].bad[j] != NULL; j++, text_free(&why))
            if (fixed_value_check(&tries[i].column, tries[i].bad[j], &why))
                fail_msg("'%s' is accepted in try %zu", tries[i].bad[j], i);
    }
}

/* 16 KiB of a longer value, cut inside a character. */
static void
test_long_values(void **state)
{
    (void) state;
    static const char *const names[] = {"random", "first-name", "email", "keep-first-char",
                                        "phone-number", "credit-card", "redacted", "random-date"};
    uint8_t *data = malloc(TRANSFORM_FIELD_BYTES);
    struct column digits = numeric(0, 0);
    struct mask mask;
    struct settings settings;

    for (size_t i = 0; i < TRANSFORM_FIELD_BYTES; i++)
        data[i] = (uint8_t) "\xe6\xbc\xa2"[i % 3];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(bind(&mask, &settings, names[i], NULL, NULL, &text));
        const char *result = apply_bytes(&mask, data, TRANSFORM_FIELD_BYTES, true);
        assert_true(strlen(result) > 0);
        assert_int_equal(utf8_valid_size((const uint8_t *) result, strlen(result)), strlen(result));
    }
    assert_true(bind(&mask, &settings, "random", NULL, NULL, &text));
    assert_int_equal(strlen(apply_bytes(&mask, data, TRANSFORM_FIELD_BYTES, true)),
                     TRANSFORM_FIELD_BYTES / 3);
    memset(data, '7', TRANSFORM_FIELD_BYTES);
    assert_int_equal(strlen(apply_bytes(&mask, data, TRANSFORM_FIELD_BYTES, true)), TRANSFORM_FIELD_BYTES);
    assert_true(bind(&mask, &settings, "random", NULL, NULL, &digits));
    assert_int_equal(strlen(apply_bytes(&mask, data, TRANSFORM_FIELD_BYTES, true)), TRANSFORM_FIELD_BYTES);
    free(data);
}

/* No value, however wrong for its type, breaks a transformer. */
static void
test_wrong_values(void **state)
{
    (void) state;
    static const char *const values[] = {"", "-", ".", "-.", "+", "\xff", "e", "0x", "1.2.3", "--"};

    for (enum transformer t = 0; t < TRANSFORMERS_COUNT; t++)
        for (enum value_kind kind = VALUE_OTHER; kind <= VALUE_UUID; kind++) {
            struct column column = other(kind);
            struct mask mask;
            struct settings settings;
            const char *name = transformer_info(t)->name;
            if (t == TRANSFORMER_transient || t == TRANSFORMER_fixed ||
                !bind(&mask, &settings, name, NULL, NULL, &column))
                continue;
            for (size_t i = 0; i < sizeof values / sizeof *values; i++)
                apply_bytes(&mask, values[i], strlen(values[i]), false);
        }
}

static void
test_parameters(void **state)
{
    (void) state;
    static const struct {
        enum transformer transformer;
        const char *key, *value;
        bool good;
    } tries[] = {
        {TRANSFORMER_redacted, "character", "#", true},   {TRANSFORMER_redacted, "character", "", false},
        {TRANSFORMER_redacted, "character", "##", false}, {TRANSFORMER_redacted, "character", " ", false},
        {TRANSFORMER_redacted, "character", "é", false},  {TRANSFORMER_redacted, "width", "255", true},
        {TRANSFORMER_redacted, "width", "256", false},    {TRANSFORMER_redacted, "width", "-1", false},
        {TRANSFORMER_redacted, "width", "", false},       {TRANSFORMER_redacted, "colour", "x", false},
        {TRANSFORMER_redacted, NULL, "x", false},         {TRANSFORMER_email, "domain", "a b", false},
        {TRANSFORMER_email, "domain", ".a", false},       {TRANSFORMER_email, "domain", "", false},
        {TRANSFORMER_random, NULL, "x", false},           {TRANSFORMER_fixed, "val", "x", false},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct settings settings = settings_default();
        struct text why = {0};
        assert_int_equal(settings_put(&settings, tries[i].transformer, tries[i].key, tries[i].value, &why),
                         tries[i].good);
        assert_int_equal(why.size == 0, tries[i].good);
        text_free(&why);
    }
}

static int
setup(void **state)
{
    (void) state;
    random_init(&noise);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_serves_words),
        cmocka_unit_test(test_random_text),
        cmocka_unit_test(test_other_encodings),
        cmocka_unit_test(test_random_integer),
        cmocka_unit_test(test_numeric),
        cmocka_unit_test(test_float),
        cmocka_unit_test(test_boolean_uuid),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_first_name),
        cmocka_unit_test(test_email),
        cmocka_unit_test(test_email_domain),
        cmocka_unit_test(test_keep_first_char),
        cmocka_unit_test(test_phone_number),
        cmocka_unit_test(test_credit_card),
        cmocka_unit_test(test_redacted),
        cmocka_unit_test(test_null_fixed),
        cmocka_unit_test(test_fixed_values),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_parameters),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
