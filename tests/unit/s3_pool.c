/* s3_pool - which connections are kept, and which are not. */
#include "s3/pool.h"
#include "support.h"

static struct endpoint places[2];
static struct stop stops[2];

static int
places_make(void **state)
{
    (void) state;
    struct s3_config config = {.bucket = "bucket", .endpoint = "", .region = "eu-west-1"};
    struct fault fault = {0};

    return endpoint_init(&places[0], &config, &fault) &&
           endpoint_move(&places[1], &places[0], "eu-north-1") ? 0 : -1;
}

/* The last one given is the first one taken, and only by whoever wants the same. */
static void
test_wishes(void **state)
{
    (void) state;
    const struct pool_wish wish = {.place = &places[0], .stop = &stops[0], .idle_ms = 7};
    const struct pool_wish others[] = {
        {.place = &places[1], .stop = &stops[0], .idle_ms = 7},
        {.place = &places[0], .stop = &stops[1], .idle_ms = 7},
        {.place = &places[0], .stop = &stops[0], .idle_ms = 8},
        {.place = &places[0], .stop = &stops[0], .idle_ms = 7, .fresh = true},
    };
    struct pool pool;
    pool_init(&pool, NULL);
    struct pool_connection *one = pool_take(&pool, &wish), *two = pool_take(&pool, &wish);

    assert_ptr_not_equal(one, two);
    pool_give(&pool, one);
    pool_give(&pool, two);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct pool_connection *other = pool_take(&pool, &others[i]);
        assert_ptr_not_equal(other, one);
        assert_ptr_not_equal(other, two);
        pool_drop(other);
    }
    assert_int_equal(pool.idle_count, 2);
    assert_ptr_equal(pool_take(&pool, &wish), two);
    assert_ptr_equal(pool_take(&pool, &wish), one);
    assert_int_equal(pool.idle_count, 0);
    pool_drop(one);
    pool_drop(two);
    pool_drop(NULL);
    pool_free(&pool);
}

static void
test_bound(void **state)
{
    (void) state;
    const struct pool_wish wish = {.place = &places[0], .stop = &stops[0], .idle_ms = 7};
    struct pool_connection *all[POOL_IDLE_MAX + 3];
    struct pool pool;
    pool_init(&pool, NULL);

    for (size_t i = 0; i < POOL_IDLE_MAX + 3; i++)
        all[i] = pool_take(&pool, &wish);
    for (size_t i = 0; i < POOL_IDLE_MAX + 3; i++)
        pool_give(&pool, all[i]);
    assert_int_equal(pool.idle_count, POOL_IDLE_MAX);
    /* The three that were idle longest are gone. */
    for (size_t i = POOL_IDLE_MAX + 3; i-- > 3;) {
        struct pool_connection *taken = pool_take(&pool, &wish);
        assert_ptr_equal(taken, all[i]);
        pool_drop(taken);
    }
    assert_int_equal(pool.idle_count, 0);
    pool_free(&pool);
}

/* After a move neither the idle ones stay nor those that were under way. */
static void
test_move(void **state)
{
    (void) state;
    const struct pool_wish old = {.place = &places[0], .stop = &stops[0], .idle_ms = 7};
    const struct pool_wish new = {.place = &places[1], .stop = &stops[0], .idle_ms = 7};
    struct pool pool;
    pool_init(&pool, NULL);
    struct pool_connection *idle = pool_take(&pool, &old), *busy = pool_take(&pool, &old);
    struct pool_connection *early = pool_take(&pool, &new);

    pool_give(&pool, idle);
    pool_give(&pool, early);
    pool_move(&pool, &places[1]);
    assert_int_equal(pool.idle_count, 1);
    pool_give(&pool, busy);
    assert_int_equal(pool.idle_count, 1);
    assert_ptr_equal(pool_take(&pool, &new), early);
    pool_drop(early);
    pool_free(&pool);
}

/* A session that was agreed on is the seed of the next connection to the same place. */
static void
test_seed(void **state)
{
    (void) state;
    const struct pool_wish here = {.place = &places[0], .stop = &stops[0], .idle_ms = 7};
    const struct pool_wish there = {.place = &places[1], .stop = &stops[0], .idle_ms = 7};
    struct pool pool;
    pool_init(&pool, NULL);
    struct pool_connection *first = pool_take(&pool, &here);

    assert_false(first->resume.valid);
    pool_learn(&pool, first);
    first->resume.valid = true;
    first->resume.parameters.session_id_len = 5;
    pool_learn(&pool, first);
    struct pool_connection *second = pool_take(&pool, &here), *other = pool_take(&pool, &there);
    assert_true(second->resume.valid);
    assert_int_equal(second->resume.parameters.session_id_len, 5);
    assert_false(other->resume.valid);
    pool_drop(first);
    pool_drop(second);
    pool_drop(other);
    pool_free(&pool);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_move),
        cmocka_unit_test(test_seed),
    };
    return cmocka_run_group_tests(tests, places_make, NULL);
}
