/* s3_request - see s3_request.h. */
#include "s3/s3_request.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "s3/s3_attempt.h"
#include "s3/s3_sentence.h"

enum {
    QUIET_MS = 5 * 1000, /* of retries, before people hear of them */
    WARN_MS = 60 * 1000, /* between two such lines of one call */
    REGION_ATTEMPTS = 3,
};

void
s3_call_query(struct s3_call *call, const char *name, const char *value)
{
    assert(call->query_count < CALL_FIELDS_MAX);
    call->query[call->query_count++] = (struct sigv4_field){name, value};
}

void
s3_call_header(struct s3_call *call, const char *name, const char *value)
{
    assert(call->headers_count < CALL_FIELDS_MAX);
    call->headers[call->headers_count++] = (struct sigv4_field){name, value};
}

void
s3_call_keeping(struct s3_call *call, const struct s3 *s3)
{
    s3_call_header(call, "x-amz-server-side-encryption", s3->config.sse);
    s3_call_header(call, "x-amz-server-side-encryption-aws-kms-key-id", s3->config.kms_key);
    s3_call_header(call, "x-amz-storage-class", s3->config.storage_class);
}

void
s3_call_free(struct s3_call *call)
{
    text_free(&call->text);
    pool_drop(call->connection);
    call->connection = NULL;
}

bool
s3_rest(struct s3 *s3, unsigned pause_ms, bool tidy, struct fault *fault)
{
    const struct s3_call patient = {.tidy = tidy};

    if (!s3_call_unheard(s3, &patient)) {
        int waited = stop_wait(s3->stop, -1, 0, (int) pause_ms, tidy ? &(struct fault){0} : fault);
        return waited >= 0 || tidy;
    }
    uint64_t left_ms = s3_tidy_left_ms(s3);
    if (left_ms == 0)
        return false;
    return stop_wait(&s3->unheard, -1, 0, (int) (pause_ms < left_ms ? pause_ms : left_ms),
                     fault) >= 0;
}

bool
s3_pause(struct s3 *s3, struct retry *retry, bool timeout, uint64_t wish_ms, bool tidy,
         struct fault *fault)
{
    unsigned pause_ms;

    pthread_mutex_lock(&s3->lock);
    bool again = retry_again(retry, &s3->bucket, timeout, wish_ms, clock_ms(),
                             random_next(&s3->random), &pause_ms);
    pthread_mutex_unlock(&s3->lock);
    return again && s3_rest(s3, pause_ms, tidy, fault);
}

void
s3_retry_end(struct s3 *s3, struct retry *retry)
{
    pthread_mutex_lock(&s3->lock);
    retry_end(retry, &s3->bucket);
    pthread_mutex_unlock(&s3->lock);
}

/* Ask the bucket itself where it is: whatever it answers, the header tells.  Unless another call
 * was quicker to find out. */
static bool
region_find(struct s3 *s3, const struct s3_call *call)
{
    struct s3_call head = {
        .method = "HEAD",
        .key = "",
        .tidy = call->tidy,
        .moved = true,
        .corrected = true,
        .renewed = true,
    };

    if (s3_place(s3) != call->place)
        return true;
    s3_body_init(&head.digests, NULL, 0);
    for (unsigned i = 0; i < REGION_ATTEMPTS && head.answer.region[0] == '\0'; i++)
        s3_attempt(s3, &head, &(struct fault){0});
    bool found = head.answer.region[0] != '\0' &&
                 s3_place_move(s3, call->place, head.answer.region);
    s3_call_free(&head);
    return found;
}

/* Say now and then that something takes its time. */
static void
patience_log(const struct s3_call *call, const struct s3 *s3, const struct retry *retry,
             const struct fault *why, uint64_t *said_ms)
{
    uint64_t now_ms = clock_ms(), since_ms = *said_ms == 0 ? retry->begun_ms : *said_ms;
    char duration[32];

    if (now_ms - since_ms < (*said_ms == 0 ? (uint64_t) QUIET_MS : (uint64_t) WARN_MS))
        return;
    *said_ms = now_ms;
    struct text reason = {0};
    s3_sentence_reason(&reason, call, why);
    log_warning("trying to %s %s for %s already: %s", call->what, s3_endpoint_text(s3),
                clock_duration(duration, now_ms - retry->begun_ms), text_of(&reason));
    text_free(&reason);
}

/* Attempts that were never answered have less time: then the endpoint is probably wrong. */
static void
budget_set(struct retry *retry, const struct s3 *s3, const struct s3_call *call)
{
    bool reached = atomic_load(&s3->answered) || !call->unreachable;
    retry->budget_ms = reached ? S3_BUDGET_MS : S3_UNREACHED_MS;
}

/* Make attempts until one is settled. */
static bool
attempts_make(struct s3 *s3, struct s3_call *call, struct retry *retry, struct fault *why,
              struct fault *fault)
{
    uint64_t said_ms = 0;

    for (;;) {
        *why = (struct fault){0};
        retry->attempts++;
        enum verdict verdict = s3_attempt(s3, call, why);
        if (verdict == LOOK_ELSEWHERE)
            verdict = region_find(s3, call) ? AT_ONCE : GIVE_UP;
        if (verdict == SETTLED || verdict == GIVE_UP)
            return verdict == SETTLED;
        if (verdict == STOPPED && !s3_call_unheard(s3, call)) {
            fault_hand_over(fault, why);
            return false;
        }
        if (verdict == AT_ONCE || verdict == STOPPED) {
            retry->attempts -= verdict == AT_ONCE;
            continue;
        }
        budget_set(retry, s3, call);
        patience_log(call, s3, retry, why, &said_ms);
        if (!s3_pause(s3, retry, verdict == AGAIN_TIMEOUT, call->answer.wish_ms, call->tidy,
                      fault))
            return false;
    }
}

bool
s3_call(struct s3 *s3, struct s3_call *call, struct fault *fault)
{
    struct fault why = {0};
    struct retry retry;

    assert(strlen(call->key) <= S3_KEY_MAX);
    s3_body_init(&call->digests, call->body, call->body_size);
    if (call->crc32c && s3->checksums)
        s3_body_crc32c(&call->digests);
    retry_begin(&retry, s3->config.attempts_max, S3_BUDGET_MS, clock_ms());
    if (attempts_make(s3, call, &retry, &why, fault)) {
        s3_retry_end(s3, &retry);
        return true;
    }
    return fault->err != ERR_NONE ? false : s3_sentence_set(s3, call, &retry, &why, fault);
}

bool
s3_call_refuse(struct s3 *s3, const struct s3_call *call, struct fault *fault)
{
    const struct retry once = {.attempts = 1, .begun_ms = clock_ms()};
    return s3_sentence_set(s3, call, &once, &(struct fault){0}, fault);
}
