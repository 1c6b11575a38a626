/* retry - see retry.h. */
#include "s3/retry.h"

#include <assert.h>

void
retry_begin(struct retry *retry, unsigned attempts_max, uint64_t budget_ms, uint64_t now_ms)
{
    *retry = (struct retry){
        .attempts_max = attempts_max, .begun_ms = now_ms, .budget_ms = budget_ms};
}

/* Take what the retry costs; false when the bucket does not hold it. */
static bool
tokens_take(struct retry *retry, struct retry_bucket *bucket, bool timeout)
{
    int cost = timeout ? RETRY_TIMEOUT_COST : RETRY_COST;

    assert(bucket->tokens >= 0 && bucket->tokens <= RETRY_TOKENS_MAX);
    if (bucket->tokens < cost)
        return false;
    bucket->tokens -= cost;
    retry->taken += cost;
    return true;
}

bool
retry_again(struct retry *retry, struct retry_bucket *bucket, bool timeout, uint64_t wish_ms,
            uint64_t now_ms, uint64_t random, unsigned *pause_ms)
{
    uint64_t ceiling_ms = RETRY_PAUSE_MS, pause, left_ms = UINT64_MAX;

    if (retry->attempts_max > 0 && retry->attempts >= retry->attempts_max)
        return false;
    if (retry->attempts_max == 0) {
        if (now_ms - retry->begun_ms >= retry->budget_ms)
            return false;
        left_ms = retry->budget_ms - (now_ms - retry->begun_ms);
    }

    for (unsigned i = 0; i < retry->step && ceiling_ms < RETRY_PAUSE_MS_MAX; i++)
        ceiling_ms *= 2;
    retry->step++;
    if (ceiling_ms > RETRY_PAUSE_MS_MAX)
        ceiling_ms = RETRY_PAUSE_MS_MAX;
    if (tokens_take(retry, bucket, timeout))
        pause = random % (ceiling_ms + 1);
    else
        pause = RETRY_PAUSE_MS_MAX - random % (RETRY_PAUSE_MS_MAX / 4);
    if (wish_ms > RETRY_PAUSE_MS_MAX)
        wish_ms = RETRY_PAUSE_MS_MAX;
    if (pause < wish_ms)
        pause = wish_ms;
    *pause_ms = (unsigned) (pause < left_ms ? pause : left_ms);
    return true;
}

void
retry_end(struct retry *retry, struct retry_bucket *bucket)
{
    bucket->tokens += retry->taken > 0 ? retry->taken : 1;
    if (bucket->tokens > RETRY_TOKENS_MAX)
        bucket->tokens = RETRY_TOKENS_MAX;
    retry->taken = 0;
}

void
retry_progress(struct retry *retry, uint64_t now_ms)
{
    retry->attempts = 0;
    retry->step = 0;
    retry->begun_ms = now_ms;
}
