/* put, get: what went in comes out, under every window; what was changed behind our back is noticed
 * under every window too. */
#include "support_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/put.h"

static const size_t windows[] = {1, 2, 3, 7, 64, 4096};
enum { WINDOWS = sizeof windows / sizeof *windows };

/* SHA-256 of "abc", from FIPS 180-2. */
static const uint8_t digest_of_abc[32] = {
    0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
    0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};

static void
digest_of(const void *data, size_t size, uint8_t digest[static 32])
{
    br_sha256_context context;

    br_sha256_init(&context);
    br_sha256_update(&context, data, size);
    br_sha256_out(&context, digest);
}

static void
put(struct place *place, const char *name, const void *data, size_t size, size_t window)
{
    struct store_put stage;
    struct fault fault = {0};
    uint8_t digest[32];

    store_put_init(&stage, place->store, name);
    if (!windows_push(&stage.stage, data, size, window, 0, NULL, &fault))
        fail_msg("%s", fault.text);
    stage_free(&stage.stage);
    digest_of(data, size, digest);
    assert_memory_equal(stage.digest, digest, 32);
    assert_int_equal(stage.bytes, size);
}

static bool
get(struct place *place, const char *name, uint64_t bytes, const uint8_t digest[static 32],
    size_t window, struct bytes *result, struct fault *fault)
{
    struct store_get stage;

    store_get_init(&stage, place->store, name, bytes, digest);
    bool done = windows_push(&stage.stage, NULL, 0, 0, window, result, fault);
    stage_free(&stage.stage);
    return done;
}

static void
test_round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, 10000};
    struct place place;
    struct bytes noise = {0};
    (void) state;

    place_begin(&place);
    bytes_add_noise(&noise, 5, 10000);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t w = 0; w < WINDOWS; w++) {
            struct bytes back = {0};
            struct fault fault = {0};
            uint8_t digest[32];
            digest_of(noise.data, sizes[i], digest);
            put(&place, "dump-1/1.sql", noise.data, sizes[i], windows[w]);
            assert_true(get(&place, "dump-1/1.sql", sizes[i], digest, windows[WINDOWS - 1 - w],
                            &back, &fault));
            assert_int_equal(back.size, sizes[i]);
            if (back.size > 0)
                assert_memory_equal(back.data, noise.data, back.size);
            bytes_free(&back);
        }
    }
    assert_int_equal(place_count(&place, "dump-1", ""), 1);
    bytes_free(&noise);
    place_end(&place);
}

static void
test_known_digest(void **state)
{
    struct place place;
    struct store_put stage;
    struct fault fault = {0};
    (void) state;

    place_begin(&place);
    store_put_init(&stage, place.store, "dump-1/1.sql");
    assert_true(windows_push(&stage.stage, "abc", 3, 1, 0, NULL, &fault));
    assert_memory_equal(stage.digest, digest_of_abc, 32);
    stage_free(&stage.stage);
    place_end(&place);
}

/* An object left before its end, at any offset, is no object. */
static void
test_abandoned(void **state)
{
    struct place place;
    (void) state;

    place_begin(&place);
    for (size_t taken = 0; taken < 5; taken++) {
        struct store_put stage;
        struct fault fault = {0};
        store_put_init(&stage, place.store, "dump-1/1.sql");
        struct source_span source = {.data = (const uint8_t *) "abcde", .size = taken};
        struct target_span target = {0};
        if (taken > 0)
            assert_int_equal(stage_step(&stage.stage, &source, &target, false, &fault), STEP_AGAIN);
        stage_free(&stage.stage);
        assert_true(taken == 0 || place_count(&place, "dump-1", "") == 0);
    }
    place_end(&place);
}

static void
says(struct place *place, const char *name, uint64_t bytes, const uint8_t digest[static 32],
     const char *words)
{
    for (size_t w = 0; w < WINDOWS; w++) {
        struct fault fault = {0};
        struct bytes back = {0};
        assert_false(get(place, name, bytes, digest, windows[w], &back, &fault));
        assert_int_equal(fault.err, ERR_INTEGRITY);
        if (strstr(fault.text, words) == NULL || strstr(fault.text, name) == NULL)
            fail_msg("'%s' does not say '%s' of %s", fault.text, words, name);
        assert_true(back.size <= bytes);
        bytes_free(&back);
    }
}

static void
test_damage(void **state)
{
    struct place place;
    struct bytes noise = {0};
    uint8_t digest[32], other[32];
    (void) state;

    place_begin(&place);
    bytes_add_noise(&noise, 6, 5000);
    digest_of(noise.data, noise.size, digest);
    put(&place, "dump-1/1.sql", noise.data, noise.size, 4096);

    says(&place, "dump-1/2.sql", 5000, digest, "is missing from the store");
    says(&place, "dump-2/1.sql", 5000, digest, "is missing from the store");
    says(&place, "dump-1/1.sql", 5001, digest, "cut short: it has 5000 bytes");
    says(&place, "dump-1/1.sql", 4999, digest, "longer than the 4999 bytes");
    says(&place, "dump-1/1.sql", 0, digest, "longer than the 0 bytes");
    memcpy(other, digest, sizeof other);
    other[31] ^= 1;
    says(&place, "dump-1/1.sql", 5000, other, "is damaged: its sha-256 is");

    static const size_t offsets[] = {0, 1, 63, 64, 2500, 4095, 4096, 4999};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        noise.data[offsets[i]] ^= 0x20;
        place_write(&place, "dump-1/1.sql", noise.data, noise.size);
        says(&place, "dump-1/1.sql", 5000, digest, "is damaged");
        noise.data[offsets[i]] ^= 0x20;
        place_write(&place, "dump-1/1.sql", noise.data, offsets[i]);
        says(&place, "dump-1/1.sql", 5000, digest, "cut short");
    }
    bytes_free(&noise);
    place_end(&place);
}

static void
test_stopped(void **state)
{
    struct place place;
    struct store_put stage;
    struct fault fault = {0};
    struct bytes back = {0};
    (void) state;

    place_begin(&place);
    put(&place, "dump-1/1.sql", "abc", 3, 1);
    stop_request(&place.stop, 0);
    assert_false(get(&place, "dump-1/1.sql", 3, digest_of_abc, 64, &back, &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    fault = (struct fault){0};
    store_put_init(&stage, place.store, "dump-1/2.sql");
    assert_false(windows_push(&stage.stage, "abc", 3, 1, 0, NULL, &fault));
    stage_free(&stage.stage);
    assert_int_equal(fault.err, ERR_STOPPED);
    assert_int_equal(place_count(&place, "dump-1", ""), 1);
    bytes_free(&back);
    place_end(&place);
}

/* A store that can not be written fails with the first byte, and leaves nothing. */
static void
test_put_fails(void **state)
{
    struct place place;
    struct store_put stage;
    struct fault fault = {0};
    (void) state;

    place_begin(&place);
    place_write(&place, "dump-1", "a file where a directory should be", 3);
    store_put_init(&stage, place.store, "dump-1/1.sql");
    assert_false(windows_push(&stage.stage, "abc", 3, 1, 0, NULL, &fault));
    stage_free(&stage.stage);
    assert_int_equal(fault.err, ERR_STORE);
    assert_non_null(strstr(fault.text, "not a directory"));
    place_end(&place);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_known_digest),
        cmocka_unit_test(test_abandoned),  cmocka_unit_test(test_damage),
        cmocka_unit_test(test_stopped),    cmocka_unit_test(test_put_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
