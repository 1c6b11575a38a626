/* support_stages - stages made of memory, and a middle one that misbehaves; see support.h.  They
 * run in threads of their own, where cmocka's assertions cannot go; so they use assert(). */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

void
bytes_add(struct bytes *bytes, const void *data, size_t size)
{
    if (bytes->capacity - bytes->size < size) {
        bytes->capacity = bytes->capacity * 2 > bytes->size + size ? bytes->capacity * 2
                                                                   : bytes->size + size;
        bytes->data = realloc(bytes->data, bytes->capacity);
        assert_non_null(bytes->data);
    }
    if (size > 0)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void
bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

void
assert_bytes_equal(const struct bytes *a, const struct bytes *b)
{
    assert_int_equal(a->size, b->size);
    for (size_t i = 0; i < a->size; i++)
        if (a->data[i] != b->data[i])
            fail_msg("the bytes differ at offset %zu of %zu", i, a->size);
}

uint64_t
noise_next(uint64_t *state)
{
    /* splitmix64, after Steele, Lea and Flood (2014) */
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

void
bytes_add_noise(struct bytes *bytes, uint64_t seed, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t) noise_next(&seed);
        bytes_add(bytes, &byte, 1);
    }
}

void
bytes_add_rows(struct bytes *bytes, uint64_t seed, size_t size)
{
    static const char *const words[] = {"ada", "grace", "barbara", "edsger", "\\N", "", "donald"};
    size_t wanted = bytes->size + size;

    for (unsigned row = 1; bytes->size < wanted; row++) {
        char line[128];
        uint64_t noise = noise_next(&seed);
        unsigned month = 1 + (unsigned) (noise >> 60) % 12;
        unsigned amount = (unsigned) (noise >> 40 & 65535);
        int length = snprintf(line, sizeof line, "%u\t%s\t%s@example.org\t%u.%02u\t2021-%02u-01\n",
                              row, words[noise % 7], words[noise / 7 % 7], amount / 100,
                              amount % 100, month);
        bytes_add(bytes, line, (size_t) length < wanted - bytes->size ? (size_t) length
                                                                      : wanted - bytes->size);
    }
}

/* 1 .. max, and never more than there is. */
static size_t
piece(uint64_t *noise, size_t max, size_t there)
{
    size_t size = 1 + (size_t) (noise_next(noise) % max);
    return size < there ? size : there;
}

static enum step
stage_fails(struct fault *fault, const char *who, uint64_t at)
{
    fault_set(fault, ERR_SOURCE, "%s fails at byte %llu", who, (unsigned long long) at);
    return STEP_FAILED;
}

static enum step
memory_source_step(struct stage *stage, struct source_span *source, struct target_span *target,
                   bool last, struct fault *fault)
{
    struct memory_source *self = (struct memory_source *) stage;
    assert(last);
    assert(source->size == 0);

    if (self->fail_at != NEVER && self->used >= (size_t) self->fail_at)
        return stage_fails(fault, "the source", self->used);
    if (self->used == self->size)
        return STEP_DONE;
    size_t size = piece(&self->noise, self->piece_max, self->size - self->used);
    size_t given = 0;
    span_put(target, self->data + self->used, size, &given);
    self->used += given;
    return STEP_AGAIN;
}

struct stage *
memory_source_init(struct memory_source *source, const void *data, size_t size, size_t piece_max)
{
    static const struct stage_ops ops = {.name = "memory source", .step = memory_source_step};
    *source = (struct memory_source){.stage.ops = &ops, .data = data, .size = size,
                                     .piece_max = piece_max, .fail_at = NEVER, .noise = 1};
    return &source->stage;
}

static enum step
memory_target_step(struct stage *stage, struct source_span *source, struct target_span *target,
                   bool last, struct fault *fault)
{
    struct memory_target *self = (struct memory_target *) stage;
    assert(target->size == 0);
    assert(!self->done);

    if (last && self->fail_last)
        return stage_fails(fault, "the target's last step", self->bytes.size);
    if (self->fail_at != NEVER && self->bytes.size >= (size_t) self->fail_at)
        return stage_fails(fault, "the target", self->bytes.size);
    if (last) {
        self->done = true;
        return STEP_DONE;
    }
    size_t size = piece(&self->noise, self->piece_max, source->size - source->used);
    bytes_add(&self->bytes, source->data + source->used, size);
    source->used += size;
    return STEP_AGAIN;
}

static void
memory_target_free(struct stage *stage)
{
    struct memory_target *self = (struct memory_target *) stage;
    assert(!self->freed);
    self->freed = true;
}

struct stage *
memory_target_init(struct memory_target *target, size_t piece_max)
{
    static const struct stage_ops ops = {
        .name = "memory target", .step = memory_target_step, .free = memory_target_free};
    *target = (struct memory_target){
        .stage.ops = &ops, .piece_max = piece_max, .fail_at = NEVER, .noise = 2};
    return &target->stage;
}

/* Give out what is owed: copies of the last byte, and at the end what was held back. */
static void
faulty_give(struct faulty *self, struct target_span *target, bool last)
{
    for (; self->owed > 0 && target->used < target->size; self->owed--)
        target->data[target->used++] = self->byte;
    if (last)
        span_put(target, self->kept, self->held, &self->given);
}

static void
faulty_take(struct faulty *self, uint8_t byte)
{
    if (self->consumed++ < self->hold) {
        self->kept[self->held++] = byte;
    } else if ((self->consumed - self->hold) % self->shrink == 0) {
        self->byte = byte;
        self->owed = self->expand;
    }
}

/* Whether the next bytes go through as they are: then they go at once, for the sake of time. */
static bool
faulty_is_plain(const struct faulty *self, size_t size)
{
    bool fails = self->fail_at != NEVER && self->consumed + size > (uint64_t) self->fail_at;
    bool plain = self->owed == 0 && self->expand == 1 && self->shrink == 1;

    return plain && !fails && self->consumed >= self->hold;
}

static enum step
faulty_pass(struct faulty *self, struct source_span *source, struct target_span *target,
            size_t size)
{
    size_t used = 0;

    span_put(target, source->data + source->used, size, &used);
    source->used += used;
    self->consumed += used;
    return STEP_AGAIN;
}

static enum step
faulty_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
            struct fault *fault)
{
    struct faulty *self = (struct faulty *) stage;

    if (last && self->fail_last)
        return stage_fails(fault, "the middle's last step", self->consumed);
    faulty_give(self, target, last);
    if (last)
        return self->owed == 0 && self->given == self->held ? STEP_DONE : STEP_AGAIN;

    size_t size = piece(&self->noise, self->piece_max, source->size - source->used);
    if (faulty_is_plain(self, size))
        return faulty_pass(self, source, target, size);
    for (; size > 0 && self->owed == 0; size--) {
        if (self->fail_at != NEVER && self->consumed >= (uint64_t) self->fail_at)
            return stage_fails(fault, "the middle", self->consumed);
        faulty_take(self, source->data[source->used++]);
        faulty_give(self, target, false);
    }
    return STEP_AGAIN;
}

static void
faulty_free(struct stage *stage)
{
    struct faulty *self = (struct faulty *) stage;
    assert(!self->freed);
    self->freed = true;
}

struct stage *
faulty_init(struct faulty *faulty)
{
    static const struct stage_ops ops = {
        .name = "faulty", .step = faulty_step, .free = faulty_free};
    *faulty = (struct faulty){.stage.ops = &ops, .expand = 1, .shrink = 1, .piece_max = 1 << 20,
                              .fail_at = NEVER, .noise = 3};
    return &faulty->stage;
}
