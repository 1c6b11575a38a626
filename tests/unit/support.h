/* support - what the unit tests of several rooms share: stages made of memory, stages that
 * misbehave on purpose, and a driver that pushes bytes through any stage window by window.
 *
 * Everything fails by cmocka's own assertions, so it is called from inside a test. */
#ifndef UNIT_SUPPORT_H
#define UNIT_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h> /* lint: cmocka.h wants it */
#include <string.h>

#include <cmocka.h>

#include "base/fault.h"
#include "flow/stage.h"

/* ---- bytes --------------------------------------------------------------------------- */

/* A growing piece of memory; zeroed is empty. */
struct bytes {
    uint8_t *data;
    size_t size, capacity;
};

void bytes_add(struct bytes *bytes, const void *data, size_t size);
void bytes_free(struct bytes *bytes);
void assert_bytes_equal(const struct bytes *a, const struct bytes *b);

/* Fill with numbers of a fixed generator: the same seed, the same bytes. */
void bytes_add_noise(struct bytes *bytes, uint64_t seed, size_t size);

/* Fill with lines like COPY's, which compress as tables do. */
void bytes_add_rows(struct bytes *bytes, uint64_t seed, size_t size);

/* The next number of that generator. */
uint64_t noise_next(uint64_t *state);

/* ---- stages -------------------------------------------------------------------------- */

enum { NEVER = -1 };

/* A source that shows memory piece by piece, 1 .. piece_max bytes a step at random. */
struct memory_source {
    struct stage stage;
    const uint8_t *data;
    size_t size, used, piece_max;
    int64_t fail_at; /* fail once so many bytes are out; NEVER */
    uint64_t noise;
};

struct stage *memory_source_init(struct memory_source *source, const void *data, size_t size,
                                 size_t piece_max);

/* A target that keeps all it gets. */
struct memory_target {
    struct stage stage;
    struct bytes bytes; /* the test frees it */
    size_t piece_max;
    int64_t fail_at; /* fail once so many bytes are in; NEVER */
    bool fail_last;  /* fail as the answer to last, where a commit would */
    bool done, freed;
    uint64_t noise;
};

struct stage *memory_target_init(struct memory_target *target, size_t piece_max);

/* A middle stage: each byte becomes expand bytes, or of shrink bytes only one is kept; the first
 * hold bytes are kept back until the end (at most FAULTY_HOLD_MAX). */
enum { FAULTY_HOLD_MAX = 1 << 16 };
struct faulty {
    struct stage stage;
    size_t expand, shrink, hold, piece_max;
    int64_t fail_at; /* fail once so many bytes were consumed; NEVER */
    bool fail_last;
    uint64_t consumed, noise;
    uint8_t byte;
    size_t owed, held, given;
    uint8_t kept[FAULTY_HOLD_MAX];
    bool freed;
};

/* A stage that changes nothing; set its members to let it misbehave. */
struct stage *faulty_init(struct faulty *faulty);

/* ---- windows ------------------------------------------------------------------------- */

/* Push input through a stage, source_window bytes in and target_window bytes out at most at a time,
 * each window in a piece of heap of exactly its size.  A source stage takes input NULL and size 0;
 * a target stage target_window 0.  result may be NULL.
 * Returns true when the stage was done, false when it failed. */
bool windows_push(struct stage *stage, const void *input, size_t size, size_t source_window,
                  size_t target_window, struct bytes *result, struct fault *fault);

/* How to make a stage anew for each try.  begin gives it; end, which may be NULL, is called after
 * stage_free(). */
struct windows_stage {
    struct stage *(*begin)(void *context);
    void (*end)(void *context);
    void *context;
};

/* Push input through the stage with window sizes {1, 2, 3, 7, 64, 4096} squared; the output must be
 * the same each time, and equal expected if that is not NULL.  With an inverse, the output must
 * come back as the input through it, with all those windows too.  first, which may be NULL,
 * receives the output. */
void windows_check(const struct windows_stage *stage, const struct windows_stage *inverse,
                   const void *input, size_t size, const struct bytes *expected,
                   struct bytes *first);

/* Leave the stage after every offset of the input, then use it again from the start: the output
 * must be the same as ever, and the sanitizers find no leak.  Offsets beyond 200 are taken in
 * strides. */
void windows_check_abandoned(const struct windows_stage *stage, const void *input, size_t size);

/* Every prefix of the input but the whole must fail, with this kind of fault and a sentence.
 * minimum is the shortest prefix tried. */
void windows_check_truncated(const struct windows_stage *stage, const void *input, size_t size,
                             size_t minimum, enum err err);

#endif
