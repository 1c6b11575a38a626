/* nearest: what was probably meant. */
#include <string.h>

#include "base/nearest.h"
#include "support.h"

static void
test_steps(void **state)
{
    char longer[2 * NEAREST_BYTES_MAX];
    (void) state;

    assert_int_equal(nearest_steps("", ""), 0);
    assert_int_equal(nearest_steps("", "abc"), 3);
    assert_int_equal(nearest_steps("abc", ""), 3);
    assert_int_equal(nearest_steps("kitten", "sitting"), 3);
    assert_int_equal(nearest_steps("jbos", "jobs"), 1);
    assert_int_equal(nearest_steps("JOBS", "job"), 1);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(nearest_steps(longer, longer), 0);
}

static void
test_nearest(void **state)
{
    (void) state;
    static const char *const names[] = {"Users", "orders", "order_items", "user_roles", ""};
    static const struct {
        const char *wanted, *best;
    } tries[] = {{"users", "Users"},    {"order", "orders"}, {"odrers", "orders"},
                 {"orderitems", "order_items"}, {"xyz", NULL}, {"order_itmes", "order_items"}};
    char longer[300];

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct nearest nearest = {.wanted = tries[i].wanted};
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            nearest_offer(&nearest, names[j], names[j]);
        if (tries[i].best == NULL)
            assert_null(nearest.best);
        else
            assert_string_equal(nearest.best, tries[i].best);
    }
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct nearest nearest = {.wanted = longer};
    nearest_offer(&nearest, longer, longer);
    assert_ptr_equal(nearest.best, longer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
