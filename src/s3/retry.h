/* retry - when to try again, and when to give up: arithmetic only; time and chance are given.
 *
 *     pause = a random share of min(2^i × 50 ms, 20 s)          "full jitter"
 *
 * The bucket is shared by all calls of a client.  It holds RETRY_TOKENS_MAX; a retry takes
 * RETRY_COST of them, one after a timeout twice that; a success gives back what its retries took,
 * or one.  An empty bucket means that the store is in trouble for everybody: retries go on then,
 * but each waits RETRY_PAUSE_MS_MAX or a little less, so that many callers do not press on a store
 * that tries to get up, and yet a backup of hours outlives an outage of minutes.
 *
 * A call ends when its time is over, or, where the user has said so, after so many attempts.
 *
 * Life:   retry_begin for each call; retry_again after a failed attempt; retry_end after success.
 * Threads: a struct retry is one thread's; the bucket belongs to a lock. */
#ifndef S3_RETRY_H
#define S3_RETRY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RETRY_TOKENS_MAX = 500,
    RETRY_COST = 5,
    RETRY_TIMEOUT_COST = 10,
    RETRY_PAUSE_MS = 50,
    RETRY_PAUSE_MS_MAX = 20 * 1000,
};

struct retry_bucket {
    int tokens; /* 0 .. RETRY_TOKENS_MAX */
};

struct retry {
    unsigned attempts;     /* made so far */
    unsigned attempts_max; /* 0: as time allows */
    uint64_t begun_ms, budget_ms;
    unsigned step;         /* i */
    int taken;             /* from the bucket */
};

/* budget_ms counts unless attempts_max is above 0. */
void retry_begin(struct retry *retry, unsigned attempts_max, uint64_t budget_ms, uint64_t now_ms);

/* Whether to try again, and after which pause.  wish_ms is what the store asked for, 0 for nothing;
 * it is heard up to RETRY_PAUSE_MS_MAX. */
bool retry_again(struct retry *retry, struct retry_bucket *bucket, bool timeout, uint64_t wish_ms,
                 uint64_t now_ms, uint64_t random, unsigned *pause_ms);

/* It has succeeded. */
void retry_end(struct retry *retry, struct retry_bucket *bucket);

/* Something came of the last attempt after all: begin to count again. */
void retry_progress(struct retry *retry, uint64_t now_ms);

#endif
