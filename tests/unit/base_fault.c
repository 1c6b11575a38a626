/* base_fault - the first sentence wins, a long one is cut visibly, and the exit statuses are the
 * promise. */
#include "base/fault.h"
#include "support.h"

static void
test_first_wins(void **state)
{
    (void) state;
    struct fault fault = {0};

    assert_false(fault_because(&fault, "while nothing happened"));
    assert_int_equal(fault.err, ERR_NONE);
    assert_false(fault_set(&fault, ERR_STORE, "unable to put part %d", 7));
    assert_false(fault_set(&fault, ERR_SOURCE, "something else"));
    assert_false(fault_because(&fault, "while dumping %s", "film"));
    assert_int_equal(fault.err, ERR_STORE);
    assert_string_equal(fault.text, "unable to put part 7, while dumping film");
}

/* Names and servers' words can't end the line or command a terminal; a list of ours has lines. */
static void
test_tame(void **state)
{
    (void) state;
    struct fault fault = {0}, list = {0};

    fault_set(&fault, ERR_STORE, "no table %s", "a\n2026 info restore done\033[2J\xc2\x9b");
    fault_because(&fault, "while dumping %s", "b\r\xff");
    assert_string_equal(fault.text, "no table a\\n2026 info restore done\\x1b[2J\\u009b, while "
                                    "dumping b\\r\\xff");
    assert_false(fault_set_lines(&list, ERR_CONFIG, "one\ntwo"));
    assert_string_equal(list.text, "one\ntwo");
    assert_false(fault_set_lines(&list, ERR_STORE, "three"));
    assert_int_equal(list.err, ERR_CONFIG);
}

static void
test_hand_over(void **state)
{
    (void) state;
    struct fault first = {0}, second = {0}, none = {0};

    fault_hand_over(&first, &none);
    assert_int_equal(first.err, ERR_NONE);
    fault_set(&second, ERR_LOCKED, "taken");
    fault_hand_over(&first, &second);
    assert_int_equal(first.err, ERR_LOCKED);
    fault_set(&none, ERR_CONFIG, "later");
    fault_hand_over(&first, &none);
    assert_string_equal(first.text, "taken");
}

/* Every length around the limit, with a reason added after it. */
static void
test_cut(void **state)
{
    (void) state;
    char long_text[FAULT_TEXT_MAX + 20];

    memset(long_text, 'x', sizeof long_text);
    for (int length = FAULT_TEXT_MAX - 20; length < FAULT_TEXT_MAX + 20; length++) {
        struct fault fault = {0};
        fault_set(&fault, ERR_INTERNAL, "%.*s", length, long_text);
        size_t size = strlen(fault.text);
        assert_true(size < FAULT_TEXT_MAX);
        bool cut = length >= FAULT_TEXT_MAX;
        assert_int_equal(cut, strcmp(fault.text + size - 3, "...") == 0);
        fault_because(&fault, "while dumping the table public.film");
        assert_true(strlen(fault.text) < FAULT_TEXT_MAX);
        assert_string_equal(fault.text + strlen(fault.text) - 3, "...");
    }
}

/* A cut never leaves half a character. */
static void
test_cut_keeps_utf8(void **state)
{
    (void) state;
    char names[FAULT_TEXT_MAX * 2 + 1];

    for (size_t offset = 0; offset < 3; offset++) {
        struct fault fault = {0};
        for (size_t i = 0; i + 3 < sizeof names; i += 3)
            memcpy(names + i, "\xe2\x82\xac", 3);
        names[sizeof names - 3] = '\0';
        fault_set(&fault, ERR_INTERNAL, "%.*s%s", (int) offset, "ab", names);
        size_t size = strlen(fault.text);
        assert_string_equal(fault.text + size - 3, "...");
        assert_int_equal((uint8_t) fault.text[size - 4], 0xac);
    }
}

static void
test_exit_statuses(void **state)
{
    (void) state;
    static const int statuses[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 130};
    static const enum err errs[] = {ERR_NONE,  ERR_INTERNAL,  ERR_CONFIG, ERR_SOURCE, ERR_TARGET,
                                    ERR_STORE, ERR_INTEGRITY, ERR_LOCKED, ERR_SLOT,   ERR_STOPPED};

    for (size_t i = 0; i < sizeof errs / sizeof *errs; i++) {
        assert_int_equal(err_exit_status(errs[i]), statuses[i]);
        assert_true(strlen(err_name(errs[i])) > 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_wins),     cmocka_unit_test(test_hand_over),
        cmocka_unit_test(test_cut),            cmocka_unit_test(test_cut_keeps_utf8),
        cmocka_unit_test(test_exit_statuses),  cmocka_unit_test(test_tame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
