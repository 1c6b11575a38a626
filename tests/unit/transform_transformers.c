/* transform_transformers - the table of transformers, their parameters, and what they share. */
#include "transform_apply.h"

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
test_parameters(void **state)
{
    (void) state;
    static const struct {
        enum transformer transformer;
        const char *key, *value;
        bool good;
    } tries[] = {
        {TRANSFORMER_redacted, "character", "#", true},
        {TRANSFORMER_redacted, "character", "", false},
        {TRANSFORMER_redacted, "character", "##", false},
        {TRANSFORMER_redacted, "character", " ", false},
        {TRANSFORMER_redacted, "character", "é", false},
        {TRANSFORMER_redacted, "width", "255", true},
        {TRANSFORMER_redacted, "width", "256", false},
        {TRANSFORMER_redacted, "width", "-1", false},
        {TRANSFORMER_redacted, "width", "", false},
        {TRANSFORMER_redacted, "colour", "x", false},
        {TRANSFORMER_redacted, NULL, "x", false},
        {TRANSFORMER_email, "domain", "a b", false},
        {TRANSFORMER_email, "domain", ".a", false},
        {TRANSFORMER_email, "domain", "", false},
        {TRANSFORMER_random, NULL, "x", false},
        {TRANSFORMER_fixed, "val", "x", false},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct settings settings = settings_default();
        struct text why = {0};
        assert_int_equal(
            settings_put(&settings, tries[i].transformer, tries[i].key, tries[i].value, &why),
            tries[i].good);
        assert_int_equal(why.size == 0, tries[i].good);
        text_free(&why);
    }
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
    struct column three = varchar(3), name = varchar(63), padded = bpchar(3),
                  stamp = other(VALUE_TIMESTAMP);
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
    assert_int_equal(strlen(apply_bytes(&mask, data, TRANSFORM_FIELD_BYTES, true)),
                     TRANSFORM_FIELD_BYTES);
    assert_true(bind(&mask, &settings, "random", NULL, NULL, &digits));
    assert_int_equal(strlen(apply_bytes(&mask, data, TRANSFORM_FIELD_BYTES, true)),
                     TRANSFORM_FIELD_BYTES);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_serves_words),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_null_fixed),
        cmocka_unit_test(test_fixed_values),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_wrong_values),
    };
    return cmocka_run_group_tests(tests, noise_setup, NULL);
}
