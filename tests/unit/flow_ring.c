/* flow_ring - every size 1..70 between two threads with pieces of any size, its end, and its
 * failure. */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "flow/ring.h"
#include "support.h"

enum { STREAM_BYTES = 3000 };

struct side {
    struct ring *ring;
    const struct bytes *stream;
    uint64_t noise;
    bool whole;    /* move all that can be moved, not a random piece of it */
    bool ended;    /* the reader saw the end */
    bool failed;
    size_t moved;
    size_t fail_at; /* fail the ring after so many bytes; 0 never */
};

static size_t
piece(struct side *side, size_t there)
{
    uint64_t noise = noise_next(&side->noise);

    if (noise >> 60 == 0)
        sched_yield();
    return side->whole ? there : (size_t) (noise % (there + 1));
}

static void *
write_all(void *argument)
{
    struct side *side = argument;
    struct target_span span;

    while (side->moved < side->stream->size) {
        if (side->fail_at != 0 && side->moved >= side->fail_at) {
            ring_fail(side->ring);
            return NULL;
        }
        if (!ring_reserve(side->ring, &span)) {
            side->failed = true;
            return NULL;
        }
        assert(span.size > 0 && span.size <= side->ring->size && span.used == 0);
        size_t left = side->stream->size - side->moved;
        size_t size = piece(side, span.size < left ? span.size : left);
        memcpy(span.data, side->stream->data + side->moved, size);
        side->moved += size;
        ring_commit(side->ring, size);
    }
    ring_close(side->ring);
    return NULL;
}

/* The reader often takes nothing, or only a part: it must not lose or repeat a byte. */
static void *
read_all(void *argument)
{
    struct side *side = argument;
    struct source_span span;

    for (;;) {
        if (side->fail_at != 0 && side->moved >= side->fail_at) {
            ring_fail(side->ring);
            return NULL;
        }
        if (!ring_peek(side->ring, &span)) {
            side->failed = true;
            return NULL;
        }
        if (span.size == 0)
            break;
        size_t size = piece(side, span.size);
        assert(side->moved + size <= side->stream->size);
        assert(memcmp(span.data, side->stream->data + side->moved, size) == 0);
        side->moved += size;
        ring_consume(side->ring, size);
    }
    side->ended = true;
    return NULL;
}

static void
run(size_t ring_bytes, struct side *writer, struct side *reader)
{
    uint8_t *storage = test_malloc(ring_bytes);
    struct ring ring;
    pthread_t thread;

    ring_init(&ring, storage, ring_bytes);
    writer->ring = reader->ring = &ring;
    assert_int_equal(pthread_create(&thread, NULL, write_all, writer), 0);
    read_all(reader);
    pthread_join(thread, NULL);
    ring_free(&ring);
    test_free(storage);
}

static void
test_sizes(void **state)
{
    struct bytes *stream = *state;

    for (size_t size = 1; size <= 70; size++)
        for (int whole = 0; whole < 4; whole++) {
            struct side writer = {.stream = stream, .noise = size, .whole = whole & 1};
            struct side reader = {.stream = stream, .noise = ~size, .whole = whole & 2};
            run(size, &writer, &reader);
            assert_true(reader.ended);
            assert_int_equal(reader.moved, stream->size);
            assert_int_equal(writer.moved, stream->size);
        }
}

static void
test_fails(void **state)
{
    struct bytes *stream = *state;

    for (size_t at = 1; at < 200; at++) {
        struct side writer = {.stream = stream, .noise = at, .fail_at = at};
        struct side reader = {.stream = stream, .noise = ~at};
        run(13, &writer, &reader);
        assert_true(reader.failed);
        assert_false(reader.ended);

        writer = (struct side){.stream = stream, .noise = at};
        reader = (struct side){.stream = stream, .noise = ~at, .fail_at = at};
        run(13, &writer, &reader);
        assert_true(writer.failed);
        assert_true(writer.moved < stream->size);
    }
}

static void *
fail_soon(void *argument)
{
    usleep(2000);
    ring_fail(argument);
    return NULL;
}

/* A third party fails the ring while a side sleeps: before an empty one, and before a full one. */
static void
test_wakes_sleepers(void **state)
{
    (void) state;
    uint8_t storage[4];
    struct ring ring;
    struct source_span source = {0};
    struct target_span target = {0};
    pthread_t thread;

    ring_init(&ring, storage, sizeof storage);
    pthread_create(&thread, NULL, fail_soon, &ring);
    assert_false(ring_peek(&ring, &source));
    pthread_join(thread, NULL);
    assert_false(ring_reserve(&ring, &target));
    ring_free(&ring);

    ring_init(&ring, storage, sizeof storage);
    assert_true(ring_reserve(&ring, &target));
    assert_int_equal(target.size, 4);
    ring_commit(&ring, 4);
    pthread_create(&thread, NULL, fail_soon, &ring);
    assert_false(ring_reserve(&ring, &target));
    pthread_join(thread, NULL);
    assert_false(ring_peek(&ring, &source));
    ring_free(&ring);
}

/* What was committed before the end is still read, and the end stays the end. */
static void
test_end(void **state)
{
    (void) state;
    uint8_t storage[4];
    struct ring ring;
    struct source_span source;
    struct target_span target;

    ring_init(&ring, storage, sizeof storage);
    assert_true(ring_reserve(&ring, &target));
    ring_commit(&ring, 3);
    ring_close(&ring);
    assert_true(ring_peek(&ring, &source));
    assert_int_equal(source.size, 3);
    ring_consume(&ring, 3);
    for (int i = 0; i < 2; i++) {
        assert_true(ring_peek(&ring, &source));
        assert_int_equal(source.size, 0);
    }
    ring_free(&ring);
}

static int
setup(void **state)
{
    static struct bytes stream;
    bytes_add_noise(&stream, 7, STREAM_BYTES);
    *state = &stream;
    return 0;
}

static int
teardown(void **state)
{
    bytes_free(*state);
    return 0;
}

int
main(void)
{
    alarm(120); /* a deadlock is a failure */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_fails),
        cmocka_unit_test(test_wakes_sleepers),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
