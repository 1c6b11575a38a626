/* transform_mask_number - the transformers of numbers, dates and uuids, to the edges of each
 * type. */
#include "transform_apply.h"

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
    static const char *const values[] = {
        "0",      "-0",  "1.5",      "-2.25",     "1.7976931348623157e+308",
        "5e-324", "NaN", "Infinity", "-Infinity", "123456789012345"};
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
    static const char *const values[] = {"infinity", "-infinity", "2024-02-29", "0044-03-15 BC",
                                         "x"};
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
    struct column good[] = {text,       varchar(16),   bpchar(20),
                            integer(8), numeric(0, 0), numeric(16, 0)};
    struct column bad[] = {varchar(15), integer(4), numeric(16, 1), numeric(20, -2),
                           other(VALUE_FLOAT)};

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_integer),
        cmocka_unit_test(test_numeric),
        cmocka_unit_test(test_float),
        cmocka_unit_test(test_boolean_uuid),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_credit_card),
    };
    return cmocka_run_group_tests(tests, noise_setup, NULL);
}
