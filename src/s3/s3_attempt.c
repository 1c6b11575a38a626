/* s3_attempt - see s3_attempt.h. */
#include "s3/s3_attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "s3/s3_sign.h"

enum {
    IDLE_MS = 30 * 1000, /* a store that says nothing for so long has lost us */

    /* Amazon sends blanks while it puts parts together; others may say nothing for a while. */
    PATIENT_IDLE_MS = 120 * 1000,
    PATIENT_TOTAL_MS = 10 * 60 * 1000,

    /* A request is over within a minute and what its body needs at a speed that is just bearable:
     * a dozen of connections may share a line of a few megabits. */
    TOTAL_MS = 60 * 1000,
    BYTES_PER_MS_MIN = 16,

    /* The reader of a stream sets its pace, and a database may pause for hours. */
    STREAM_TOTAL_MS = 7 * 24 * 3600 * 1000,

    /* To ask first costs a round trip, to send 8 MiB to the wrong region more.  Only the first
     * request of a connection asks: a store that never answers the question would cost a second
     * for every part. */
    EXPECT_BYTES_MIN = 1024 * 1024,

    READ_BYTES = 8 * 1024,
};

bool
s3_call_unheard(struct s3 *s3, const struct s3_call *call)
{
    uint64_t none = 0;

    if (!call->tidy || !stop_requested(s3->stop))
        return false;
    atomic_compare_exchange_strong(&s3->tidy_until_ms, &none, clock_ms() + S3_TIDY_MS);
    return true;
}

uint64_t
s3_tidy_left_ms(const struct s3 *s3)
{
    uint64_t now_ms = clock_ms(), until_ms = atomic_load(&s3->tidy_until_ms);
    return now_ms < until_ms ? until_ms - now_ms : 0;
}

static void
connection_wish(struct s3 *s3, struct s3_call *call, struct pool_wish *wish,
                struct http_request *request)
{
    bool unheard = s3_call_unheard(s3, call);

    wish->place = call->place = s3_place(s3);
    wish->stop = unheard ? &s3->unheard : s3->stop;
    wish->idle_ms = unheard ? S3_TIDY_MS : call->patient ? PATIENT_IDLE_MS : IDLE_MS;
    wish->fresh = call->reconnected;

    request->method = call->method;
    request->body = call->body;
    request->body_size = call->body_size;
    if (unheard)
        request->total_ms = (unsigned) s3_tidy_left_ms(s3) + 1;
    else if (call->stream)
        request->total_ms = STREAM_TOTAL_MS;
    else if (call->patient)
        request->total_ms = PATIENT_TOTAL_MS;
    else
        request->total_ms = TOTAL_MS + (unsigned) (call->body_size / BYTES_PER_MS_MIN);
}

static bool
is_good(unsigned status)
{
    return status >= 200 && status < 300;
}

/* Read the answer's body into the call's text. */
static bool
body_read(struct s3_call *call, struct http *http, struct fault *fault)
{
    bool full = is_good(http_status(http)) && call->must != NULL;
    size_t limit = full ? CALL_BODY_MAX : CALL_ERROR_MAX, got;
    char piece[READ_BYTES];

    text_clear(&call->text);
    if (call->stream && is_good(http_status(http)))
        return true;
    do {
        if (!http_read(http, piece, sizeof piece, &got, fault))
            return false;
        text_add_bytes(&call->text, piece, got);
    } while (got > 0 && call->text.size < limit);
    return true;
}

/* Copy a header, if it is there and fits. */
static void
header_keep(char *target, size_t size, const struct http *http, const char *name)
{
    const char *value = http_header(http, name);

    target[0] = '\0';
    if (value != NULL && strlen(value) < size)
        memcpy(target, value, strlen(value) + 1);
}

static void
headers_keep(struct s3_call *call, const struct http *http)
{
    char length[24], *end;

    header_keep(call->etag, sizeof call->etag, http, "ETag");
    header_keep(call->mark, sizeof call->mark, http, "x-amz-meta-replica-mark");
    header_keep(call->range, sizeof call->range, http, "Content-Range");
    header_keep(length, sizeof length, http, "Content-Length");
    call->length = strtoull(length, &end, 10);
    if (end == length || *end != '\0')
        call->length = UINT64_MAX;
}

static void
answer_take(struct s3 *s3, struct s3_call *call, struct http *http, const struct endpoint *place)
{
    int64_t skew_ms = atomic_load(&s3->skew_ms);
    struct answer_source source = {
        .method = call->method,
        .status = http_status(http),
        .date = http_header(http, "Date"),
        .age = http_header(http, "Age"),
        .bucket_region = http_header(http, "x-amz-bucket-region"),
        .retry_after = http_header(http, "Retry-After"),
        .body = call->text.data,
        .body_size = call->text.size,
        .must = call->must,
        .region = place->region,
        .signed_ms = clock_epoch_ms() + (uint64_t) skew_ms,
    };

    headers_keep(call, http);
    s3_answer_read(&call->answer, &source);
    if (call->answer.kind == ANSWER_GOOD && call->must_etag && call->etag[0] == '\0') {
        call->answer.kind = ANSWER_TRANSIENT;
        snprintf(call->answer.message, sizeof call->answer.message, "without an ETag");
    }
    atomic_store(&s3->answered, true);
    if (call->answer.date_ms != 0)
        atomic_store(&s3->server_ms, (int64_t) call->answer.date_ms - (int64_t) clock_ms());
}

/* A store that has answered before is the right one, and so are its certificate and the source of
 * our keys: what is in their place for now, while something is started anew, will pass. */
static enum verdict
refusal_judge(const struct s3 *s3)
{
    return atomic_load(&s3->answered) ? AGAIN : GIVE_UP;
}

/* There are no keys to sign with. */
static enum verdict
keyless_judge(struct s3 *s3, const struct s3_call *call, const struct fault *why)
{
    if (why->err == ERR_STOPPED)
        return s3_call_unheard(s3, call) ? GIVE_UP : STOPPED;
    return why->err == ERR_STORE ? refusal_judge(s3) : GIVE_UP;
}

/* The store could not be asked, or did not answer to the end. */
static enum verdict
trouble_judge(const struct s3 *s3, struct s3_call *call, const struct pool_connection *connection)
{
    enum trouble trouble = http_trouble(connection->http);

    call->unreachable = trouble == TROUBLE_CONNECT;
    call->uncertain |= http_sent(connection->http);
    if (trouble == TROUBLE_STOPPED)
        return STOPPED;
    if (trouble == TROUBLE_REFUSED)
        return refusal_judge(s3);
    /* An idle connection that the store has closed meanwhile is nobody's fault. */
    if (trouble == TROUBLE_BROKEN && connection->requests > 0 && !call->reconnected) {
        call->reconnected = true;
        return AT_ONCE;
    }
    return trouble == TROUBLE_TIMEOUT ? AGAIN_TIMEOUT : AGAIN;
}

static bool
is_accepted(const struct s3_call *call)
{
    for (size_t i = 0; i < CALL_ACCEPT_MAX; i++)
        if (call->accept[i] == call->answer.status)
            return strcmp(call->answer.code, "NoSuchBucket") != 0;
    return false;
}

/* Each of these is tried once in a call: `tried` is set, and true returned, the first time. */
static bool
first_time(bool *tried)
{
    bool first = !*tried;
    *tried = true;
    return first;
}

static void
clock_correct(struct s3 *s3, const struct s3_call *call)
{
    int64_t skew_ms = (int64_t) call->answer.date_ms - (int64_t) clock_epoch_ms();
    char apart[32];

    /* A request may also be too old because this machine slept while it was under way. */
    if (llabs(skew_ms) < ANSWER_SKEW_MS_MAX && atomic_load(&s3->skew_ms) == 0)
        return;
    atomic_store(&s3->skew_ms, skew_ms);
    log_warning("this machine's clock is %s %s the store's; requests are signed with the store's",
                clock_duration(apart, (uint64_t) llabs(skew_ms)),
                skew_ms > 0 ? "behind" : "ahead of");
}

/* When others rotate keys, the new ones may come some time after the old ones have ended.  So when
 * a store that took our keys before says itself what is wrong with them, others are waited for; a
 * bare 403 to a HEAD says too little for that. */
static enum verdict
keys_judge(struct s3 *s3, struct s3_call *call, uint64_t generation)
{
    bool sure = atomic_load(&s3->admitted) && call->answer.code[0] != '\0';

    if (!credentials_refused(s3->credentials, generation, sure))
        return GIVE_UP;
    return first_time(&call->renewed) ? AT_ONCE : sure ? AGAIN : GIVE_UP;
}

static enum verdict
answer_judge(struct s3 *s3, struct s3_call *call, const struct endpoint *place,
             uint64_t generation)
{
    switch (call->answer.kind) {
    case ANSWER_GOOD:
        atomic_store(&s3->admitted, true);
        return SETTLED;
    case ANSWER_TRANSIENT:
        call->uncertain = true;
        return AGAIN;
    case ANSWER_THROTTLED:
        return AGAIN;
    case ANSWER_ELSEWHERE:
        if (!first_time(&call->moved))
            return GIVE_UP;
        if (call->answer.region[0] == '\0')
            return LOOK_ELSEWHERE;
        return s3_place_move(s3, place, call->answer.region) ? AT_ONCE : GIVE_UP;
    case ANSWER_SKEWED:
        if (call->answer.date_ms == 0 || !first_time(&call->corrected))
            return GIVE_UP;
        clock_correct(s3, call);
        return AT_ONCE;
    case ANSWER_KEYS:
        return keys_judge(s3, call, generation);
    case ANSWER_UNDIGESTED:
        if (call->digests.md5[0] != '\0')
            return GIVE_UP;
        call->md5 = true;
        atomic_store(&s3->md5_wanted, true);
        return AT_ONCE;
    case ANSWER_FINAL:
        if (call->answer.status == 417 && first_time(&call->unexpected)) {
            atomic_store(&s3->expect_refused, true);
            return AT_ONCE;
        }
        return is_accepted(call) ? SETTLED : GIVE_UP;
    }
    return GIVE_UP;
}

static void
attempt_log(const struct s3_call *call, bool answered, uint64_t begun_ms, const struct fault *why)
{
    unsigned long long ms = clock_ms() - begun_ms;

    if (answered)
        log_debug("s3: %s %s: %u%s%s, %llu ms", call->method, call->key, call->answer.status,
                  call->answer.code[0] == '\0' ? "" : " ", call->answer.code, ms);
    else
        log_debug("s3: %s %s: %s, %llu ms", call->method, call->key, why->text, ms);
}

/* Send a signed request and take its answer; then the connection is kept, dropped, or left to a
 * stream. */
static enum verdict
request_make(struct s3 *s3, struct s3_call *call, const struct pool_wish *wish,
             struct http_request *request, uint64_t generation, struct fault *why)
{
    struct pool_connection *connection = pool_take(&s3->pool, wish);
    struct http *http = connection->http;
    uint64_t begun_ms = clock_ms();
    enum verdict verdict;

    request->expect_continue = call->body_size >= EXPECT_BYTES_MIN && connection->requests == 0 &&
                               !atomic_load(&s3->expect_refused);
    bool answered = http_send(http, request, why) && body_read(call, http, why);
    if (answered) {
        answer_take(s3, call, http, wish->place);
        verdict = answer_judge(s3, call, wish->place, generation);
    } else {
        verdict = trouble_judge(s3, call, connection);
    }
    attempt_log(call, answered, begun_ms, why);

    if (connection->requests++ == 0 && answered)
        pool_learn(&s3->pool, connection);
    if (verdict == SETTLED && call->stream && is_good(call->answer.status))
        call->connection = connection;
    else if (answered && http_keep(http))
        pool_give(&s3->pool, connection);
    else
        pool_drop(connection);
    return verdict;
}

enum verdict
s3_attempt(struct s3 *s3, struct s3_call *call, struct fault *why)
{
    struct http_request request = {0};
    struct s3_signed made;
    struct credential keys;
    struct pool_wish wish;

    call->answer = (struct s3_answer){0};
    if (stop_requested(s3->stop) && !s3_call_unheard(s3, call)) {
        fault_set(why, ERR_STOPPED, "stopped");
        return STOPPED;
    }
    if (s3_call_unheard(s3, call) && s3_tidy_left_ms(s3) == 0) {
        fault_set(why, ERR_STORE, "no time is left");
        return GIVE_UP;
    }
    if (!credentials_get(s3->credentials, &keys, why))
        return keyless_judge(s3, call, why);
    if (call->md5 || (atomic_load(&s3->md5_wanted) && strcmp(call->method, "PUT") == 0))
        s3_body_md5(&call->digests);

    connection_wish(s3, call, &wish, &request);
    s3_sign(&made, s3, call, wish.place, &keys);
    request.target = text_of(&made.target);
    request.headers = made.headers;
    request.headers_count = made.headers_count;
    enum verdict verdict = request_make(s3, call, &wish, &request, keys.generation, why);
    s3_signed_free(&made);
    explicit_bzero(&keys, sizeof keys);
    return verdict;
}
