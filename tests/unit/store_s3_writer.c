/* s3_writer: one PUT or equal parts, at every size around them; failures, aborts, the switch. */
#include "support_bucket.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/s3_writer.h"

enum { PART = S3_PART_BYTES };

static struct store *
opened(struct bucket *bucket)
{
    struct fault fault = {0};
    struct store *store = store_open(bucket->url, &bucket->config, true, &bucket->stop, &fault);

    if (store == NULL)
        fail_msg("%s", fault.text);
    return store;
}

/* Bytes whose place can be told from their value. */
static uint8_t *
noise(size_t size)
{
    uint8_t *data = malloc(size + 8);
    uint64_t seed = size;

    assert_non_null(data);
    for (size_t at = 0; at < size; at += 8) {
        uint64_t number = noise_next(&seed);
        memcpy(data + at, &number, 8);
    }
    return data;
}

static bool
put(struct store *store, const char *name, const uint8_t *data, size_t size, size_t piece,
    struct fault *fault)
{
    struct store_writer *writer = store->ops->put_begin(store, name, fault);

    assert_non_null(writer);
    for (size_t at = 0; at < size; at += piece)
        if (!store->ops->put_write(writer, data + at, size - at < piece ? size - at : piece,
                                   fault)) {
            store->ops->put_abort(writer);
            return false;
        }
    return store->ops->put_commit(writer, fault);
}

static void
sizes(void **state)
{
    static const struct {
        size_t size, piece;
        unsigned puts, parts;
    } cases[] = {
        {0, 1, 1, 0},
        {1, 1, 1, 0},
        {PART - 1, 65536, 1, 0},
        {PART, PART, 1, 0},
        {PART, 65536, 1, 0},
        {PART + 1, 65536, 0, 2},
        {PART + 1, PART + 1, 0, 2},
        {2 * PART, 1000003, 0, 2},
        {2 * PART + 1, 65536, 0, 3},
        {5 * (size_t) PART + 12345, 262144, 0, 6},
    };
    struct bucket bucket;
    struct fault fault = {0};
    (void) state;

    bucket_begin(&bucket);
    struct store *store = opened(&bucket);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *data = noise(cases[i].size);
        bucket.puts = bucket.parts = 0;
        if (!put(store, "dump-1/1.sql", data, cases[i].size, cases[i].piece, &fault))
            fail_msg("%s", fault.text);
        assert_int_equal(bucket.puts, cases[i].puts);
        assert_int_equal(bucket.parts, cases[i].parts);
        struct bytes there = bucket_read(&bucket, "dump-1/1.sql");
        assert_int_equal(there.size, cases[i].size);
        assert_true(there.size == 0 || memcmp(there.data, data, there.size) == 0);
        if (cases[i].parts > 0)
            assert_int_equal(bucket.sizes_count, cases[i].parts);
        for (size_t j = 0; cases[i].parts > 0 && j + 1 < bucket.sizes_count; j++)
            assert_int_equal(bucket.sizes[j], PART);
        bytes_free(&there);
        free(data);
    }
    assert_true(bucket.parts_at_once <= S3_PARTS_AT_ONCE);
    assert_int_equal(bucket_uploads(&bucket), 0);
    store_close(store);
    bucket_end(&bucket);
}

/* The store's limits: smaller parts, and two buffers, which is one upload at a time. */
static void
limited(void **state)
{
    enum { SMALL = 1024 * 1024, SIZE = 4 * SMALL + 5 };
    struct bucket bucket;
    struct fault fault = {0};
    uint8_t *data = noise(SIZE);
    (void) state;

    bucket_begin(&bucket);
    struct store *store = opened(&bucket);
    store->limits = (struct store_limits){.part_bytes = SMALL, .buffers = S3_BUFFERS_MIN};
    assert_int_equal(s3_writer_bytes(&store->limits),
                     2 * SMALL + S3_STACK_BYTES + S3_CONNECTION_BYTES);
    if (!put(store, "dump-1/1.sql", data, SIZE, 65536, &fault))
        fail_msg("%s", fault.text);
    assert_int_equal(bucket.sizes_count, 5);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(bucket.sizes[i], SMALL);
    assert_int_equal(bucket.parts_at_once, 1);
    struct bytes there = bucket_read(&bucket, "dump-1/1.sql");
    assert_int_equal(there.size, SIZE);
    assert_memory_equal(there.data, data, SIZE);
    bytes_free(&there);
    free(data);
    store_close(store);
    bucket_end(&bucket);
}

/* A part that fails is the failure of a later write or of the commit; the writer serves on. */
static void
failing_parts(void **state)
{
    uint8_t *data = noise(4 * PART);
    struct bucket bucket;
    (void) state;

    bucket_begin(&bucket);
    struct store *store = opened(&bucket);
    for (int nth = 1; nth <= 4; nth++) {
        struct fault fault = {0};
        atomic_store(&bucket.deny_part, nth);
        assert_false(put(store, "dump-1/1.sql", data, 4 * PART, 65536, &fault));
        assert_int_equal(fault.err, ERR_STORE);
        assert_non_null(strstr(fault.text, "team/shop/dump-1/1.sql"));
        assert_non_null(strstr(fault.text, "AccessDenied"));
        assert_false(bucket_has(&bucket, "dump-1/1.sql"));
        assert_int_equal(bucket_uploads(&bucket), 0);
        atomic_store(&bucket.deny_part, 0);
        fault = (struct fault){0};
        if (!put(store, "dump-1/2.sql", data, 2 * PART, 65536, &fault))
            fail_msg("%s", fault.text);
    }
    free(data);
    store_close(store);
    bucket_end(&bucket);
}

static void
aborted(void **state)
{
    uint8_t *data = noise(4 * PART);
    struct bucket bucket;
    struct fault fault = {0};
    (void) state;

    bucket_begin(&bucket);
    struct store *store = opened(&bucket);
    for (size_t size = 0; size <= 4 * PART; size += PART / 2) {
        struct store_writer *writer = store->ops->put_begin(store, "dump-1/1.sql", &fault);
        assert_true(store->ops->put_write(writer, data, size, &fault));
        store->ops->put_abort(writer);
        assert_int_equal(bucket_uploads(&bucket), 0);
        assert_int_equal(bucket_count(&bucket, ""), 0);
    }
    free(data);
    store_close(store);
    bucket_end(&bucket);
}

/* The switch is thrown while a part is under way: the write fails soon, and the upload is aborted
 * all the same. */
static void
throw_switch(struct bucket *bucket, const char *method, const char *name)
{
    (void) name;
    if (strcmp(method, "PUT") == 0)
        stop_request(&bucket->stop, SIGTERM);
}

static void
stopped(void **state)
{
    uint8_t *data = noise(4 * PART);
    struct bucket bucket;
    struct fault fault = {0};
    (void) state;

    bucket_begin(&bucket);
    bucket.before = throw_switch;
    struct store *store = opened(&bucket);
    assert_false(put(store, "dump-1/1.sql", data, 4 * PART, 65536, &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    assert_int_equal(bucket_uploads(&bucket), 0);
    assert_int_equal(bucket_count(&bucket, ""), 0);
    free(data);
    store_close(store);
    bucket_end(&bucket);
}

enum { WRITERS = 4, OBJECTS = 3 };

struct many {
    struct store *store;
    int number;
};

static void *
many_run(void *argument)
{
    struct many *many = argument;
    size_t size = PART + (size_t) many->number;
    uint8_t *data = malloc(size);
    char name[64];

    memset(data, 'a' + many->number, size);
    for (int i = 0; i < OBJECTS; i++) {
        struct fault fault = {0};
        snprintf(name, sizeof name, "dump-1/%d.sql", many->number * OBJECTS + i + 1);
        if (!put(many->store, name, data, size, 100000, &fault))
            abort();
    }
    free(data);
    return NULL;
}

static void
many_at_once(void **state)
{
    struct bucket bucket;
    struct many many[WRITERS];
    pthread_t threads[WRITERS];
    (void) state;

    bucket_begin(&bucket);
    struct store *store = opened(&bucket);
    for (int i = 0; i < WRITERS; i++) {
        many[i] = (struct many){store, i};
        assert_int_equal(pthread_create(&threads[i], NULL, many_run, &many[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WRITERS * OBJECTS; i++) {
        char name[64];
        snprintf(name, sizeof name, "dump-1/%d.sql", i + 1);
        struct bytes there = bucket_read(&bucket, name);
        assert_int_equal(there.size, PART + i / OBJECTS);
        assert_int_equal(there.data[0], 'a' + i / OBJECTS);
        assert_int_equal(there.data[there.size - 1], 'a' + i / OBJECTS);
        bytes_free(&there);
    }
    store_close(store);
    bucket_end(&bucket);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),         cmocka_unit_test(limited),
        cmocka_unit_test(failing_parts), cmocka_unit_test(aborted),
        cmocka_unit_test(stopped),       cmocka_unit_test(many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
