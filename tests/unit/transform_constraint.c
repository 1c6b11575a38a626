/* transform_constraint - the decisions about rules and constraints that need no server: how many
 * results a transformer has, which pairs of rules keep a foreign key, when keys must meet. */
#include <math.h>

#include "transform/constraint.h"
#include "transform_apply.h"

enum { TRIES = 4000, RESULT_MAX = 64 };

static int
by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* How many different results come out of many tries. */
static size_t
results_counted(const char *name, const struct column *column, const char *value)
{
    static char results[TRIES][RESULT_MAX];
    size_t count = 1;

    for (size_t i = 0; i < TRIES; i++) {
        const char *result = apply(name, column, value);
        if (result == NULL)
            result = "(null)";
        size_t size = strlen(result);
        assert_true(size < RESULT_MAX);
        memcpy(results[i], result, size + 1);
    }
    qsort(results, TRIES, RESULT_MAX, by_text);
    for (size_t i = 1; i < TRIES; i++)
        count += strcmp(results[i - 1], results[i]) != 0;
    return count;
}

static double
choices(const char *name, const char *key, const char *parameter, const struct column *column,
        const char *value, struct kept *kept)
{
    struct settings settings;
    struct mask mask;

    assert_true(bind(&mask, &settings, name, key, parameter, column));
    return mask_choices(&mask, (const uint8_t *) value, strlen(value), false, kept);
}

/* As many results as are told, where they can all be met; the original itself may be missing. */
static void
test_choices_are_as_told(void **state)
{
    (void) state;
    const struct column small = integer(2), digits = numeric(3, 1), share = numeric(2, 2),
                        flag = other(VALUE_BOOLEAN), one = varchar(1), two = varchar(2),
                        three = varchar(3), day = other(VALUE_DATE);
    const struct {
        const char *name;
        const struct column *column;
        const char *value;
        double choices; /* 0: too many to meet, only told to be more than 4,000 */
    } tries[] = {
        {"random", &text, "x", 62},          {"random", &one, "xyz", 62},
        {"random", &text, "", 1},            {"random", &text, "xy", 3844},
        {"random", &flag, "t", 2},           {"random", &small, "7", 0},
        {"random", &digits, "7", 10},        {"random", &digits, "0.5", 100},
        {"random", &day, "2000-01-01", 0},   {"first-name", &two, "x", 8},
        {"first-name", &three, "x", 50},     {"first-name", &one, "x", 26},
        {"keep-first-char", &text, "abc", 1}, {"keep-first-char", &text, "a", 62},
        {"keep-first-char", &small, "123", 1}, {"keep-first-char", &small, "7", 10},
        {"keep-first-char", &small, "-70", 1}, {"keep-first-char", &digits, "7.0", 10},
        {"keep-first-char", &share, "0.25", 1}, {"phone-number", &one, "x", 8},
        {"phone-number", &two, "x", 80},     {"phone-number", &text, "x", 0},
        {"email", &one, "x", 36},            {"email", &two, "x", 1296},
        {"email", &three, "x", 0},           {"redacted", &text, "abcdef", 1},
        {"null", &text, "x", 1},             {"credit-card", &text, "x", 0},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct kept kept;
        double told = choices(tries[i].name, NULL, NULL, tries[i].column, tries[i].value, &kept);
        size_t counted = results_counted(tries[i].name, tries[i].column, tries[i].value);
        if (tries[i].choices > 0 ? told != tries[i].choices : told < TRIES)
            fail_msg("%s of %s: %g choices", tries[i].name, tries[i].value, told);
        if (tries[i].choices == 1)
            assert_int_equal(counted, 1);
        /* Of 3,844 results 4,000 tries meet two thirds. */
        if ((!kept.others && (double) counted > told) ||
            (told < TRIES && (double) counted < told * 0.6 - 1))
            fail_msg("%s of %s: %zu of %g results", tries[i].name, tries[i].value, counted, told);
    }
}

/* What is told to be deterministic is, for texts that no result equals. */
static void
test_flags(void **state)
{
    (void) state;
    static const struct {
        const char *name;
        bool function, unique, keeps_empty;
    } facts[] = {
        {"transient", true, false, true},     {"random", false, true, true},
        {"random-date", false, false, true},  {"first-name", false, false, true},
        {"email", false, true, true},         {"keep-first-char", false, false, true},
        {"phone-number", false, false, true}, {"credit-card", false, true, true},
        {"redacted", true, false, true},      {"null", true, false, false},
        {"fixed", true, false, false},
    };

    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        enum transformer transformer = transformer_find(facts[i].name);
        assert_int_equal(transformer, i);
        assert_int_equal(transformer_has(transformer, FUNCTION), facts[i].function);
        assert_int_equal(transformer_has(transformer, UNIQUE), facts[i].unique);
        assert_int_equal(transformer_has(transformer, KEEPS_EMPTY), facts[i].keeps_empty);
        assert_int_equal(transformer_has(transformer, SEES), facts[i].keeps_empty);
    }
}

/* email(domain=keep): two domains never meet. */
static void
test_what_is_kept(void **state)
{
    (void) state;
    struct kept kept;

    assert_true(choices("email", "domain", "keep", &text, "me@here.example", &kept) > 1e18);
    assert_int_equal(kept.size, 12);
    assert_memory_equal(kept.data, "here.example", 12);
    choices("email", "domain", "keep", &text, "nobody", &kept);
    assert_int_equal(kept.size, 0);
    choices("email", NULL, NULL, &text, "me@here.example", &kept);
    assert_int_equal(kept.size, 0);
}

struct rule_of {
    const char *name, *key, *value;
    const struct column *column;
};

static enum key_verdict
verdict(const struct rule_of *from, const struct rule_of *to)
{
    struct settings settings[2];
    struct mask masks[2];
    const struct rule_of *rules[] = {from, to};

    for (size_t i = 0; i < 2; i++)
        if (rules[i]->name != NULL)
            assert_true(bind(&masks[i], &settings[i], rules[i]->name, rules[i]->key,
                             rules[i]->value, rules[i]->column));
    return key_verdict(from->name != NULL ? &masks[0] : NULL, to->name != NULL ? &masks[1] : NULL);
}

static void
test_keys(void **state)
{
    (void) state;
    const struct column short_text = varchar(8), long_text = varchar(100), longer = varchar(200),
                        padded = bpchar(100), number = integer(4);
    const struct {
        struct rule_of from, to;
        enum key_verdict verdict;
    } pairs[] = {
        {{NULL}, {NULL}, KEY_HOLDS},
        {{NULL}, {"random", .column = &text}, KEY_TO_ALONE},
        {{"random", .column = &text}, {NULL}, KEY_FROM_ALONE},
        {{"fixed", NULL, "x", &text}, {NULL}, KEY_FROM_ALONE},
        {{"null", .column = &text}, {NULL}, KEY_NULL},
        {{"null", .column = &text}, {"random", .column = &text}, KEY_NULL},
        {{NULL}, {"null", .column = &text}, KEY_TO_ALONE},
        {{"random", .column = &text}, {"random", .column = &text}, KEY_DIFFERS},
        {{"email", .column = &text}, {"email", .column = &text}, KEY_DIFFERS},
        {{"random", .column = &number}, {"random", .column = &number}, KEY_DIFFERS},
        {{"keep-first-char", .column = &text}, {"keep-first-char", .column = &text}, KEY_DIFFERS},
        {{"first-name", .column = &text}, {"redacted", .column = &text}, KEY_DIFFERS},
        {{"redacted", .column = &text}, {"redacted", .column = &text}, KEY_HOLDS},
        {{"redacted", "width", "3", &text}, {"redacted", .column = &text}, KEY_DIFFERS},
        {{"redacted", "character", "#", &text}, {"redacted", .column = &text}, KEY_DIFFERS},
        {{"redacted", .column = &long_text}, {"redacted", .column = &text}, KEY_HOLDS},
        {{"redacted", .column = &short_text}, {"redacted", .column = &text}, KEY_DIFFERS},
        {{"redacted", "width", "90", &long_text}, {"redacted", "width", "90", &longer},
         KEY_DIFFERS},
        {{"redacted", .column = &padded}, {"redacted", .column = &long_text}, KEY_DIFFERS},
        {{"fixed", NULL, "x", &text}, {"fixed", NULL, "x", &text}, KEY_HOLDS},
        {{"fixed", NULL, "x", &text}, {"fixed", NULL, "y", &text}, KEY_DIFFERS},
        {{"fixed", NULL, "1", &number}, {"fixed", NULL, "1", &number}, KEY_HOLDS},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (verdict(&pairs[i].from, &pairs[i].to) != pairs[i].verdict)
            fail_msg("pair %zu: %d", i, verdict(&pairs[i].from, &pairs[i].to));
}

static void
test_pairs(void **state)
{
    (void) state;
    struct drawn certain[] = {{{1, 1}, 1, false}, {{2, 1}, 1, false}, {{1, 2}, 1, false}};
    struct drawn same[] = {{{1, 1}, 1, false}, {{2, 1}, 1, false}, {{1, 1}, 1, false}};
    struct drawn few[] = {{{1, 1}, 10, false}, {{1, 1}, 10, false}, {{1, 1}, 10, false},
                          {{1, 1}, 20, false}, {{2, 1}, 10, false}};
    struct drawn loose[] = {{{1, 1}, 2, true}, {{1, 1}, 2, true}, {{1, 1}, 2, true}};
    struct drawn full[] = {{{1, 1}, 2, false}, {{1, 1}, 2, false}, {{1, 1}, 2, false}};

    assert_true(drawn_pairs(certain, 0) == 0);
    assert_true(drawn_pairs(certain, 3) == 0);
    assert_true(isinf(drawn_pairs(same, 3)));
    assert_true(fabs(drawn_pairs(few, 5) - 0.3) < 1e-9);
    assert_true(isinf(drawn_pairs(full, 3)));
    assert_true(fabs(drawn_pairs(loose, 3) - 1.5) < 1e-9);
    assert_true(fabs(drawn_pairs(full, 2) - 0.5) < 1e-9);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choices_are_as_told), cmocka_unit_test(test_flags),
        cmocka_unit_test(test_what_is_kept),        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_pairs),
    };
    return cmocka_run_group_tests(tests, noise_setup, NULL);
}
