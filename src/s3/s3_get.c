/* s3_get - reading an object, over as many connections as it takes; see s3.h.
 *
 * Whoever reads may be slow, PostgreSQL building an index for an hour, and a store cuts a
 * connection that nobody reads.  So a broken body is no failure: the rest is asked for with Range,
 * and If-Match makes sure that it is the rest of the same object.  A weak ETag, which a proxy may
 * have made of the store's, matches nothing there (RFC 9110 section 13.1.1); it is compared all the
 * same when the rest comes. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "s3/s3_request.h"

struct s3_get {
    struct s3 *s3;
    char key[S3_KEY_MAX + 1], etag[S3_ETAG_MAX];
    uint64_t bytes, offset;
    uint64_t resumed_at;                /* offset at the last break */
    struct pool_connection *connection; /* NULL between a break and the next read */
    struct retry retry;                 /* of breaks without progress */
};

enum { SKIP_BYTES = 8 * 1024 };

/* Begin or go on with the body, at get->offset; the answer stays in call. */
static bool
body_ask(struct s3_get *get, struct s3_call *call, struct fault *fault)
{
    char range[40];

    snprintf(call->what, sizeof call->what, "read %s from", get->key);
    call->permission = "s3:GetObject, or s3:ListBucket by which a missing object is told from a "
                       "forbidden one";
    call->method = "GET";
    call->key = get->key;
    call->stream = true;
    call->accept[0] = 404;
    if (get->offset > 0) {
        snprintf(range, sizeof range, "bytes=%" PRIu64 "-", get->offset);
        s3_call_header(call, "range", range);
        if (strncmp(get->etag, "W/", 2) != 0)
            s3_call_header(call, "if-match", get->etag);
        call->accept[1] = 412;
        call->accept[2] = 416;
    }
    return s3_call(get->s3, call, fault);
}

bool
s3_get_begin(struct s3 *s3, const char *key, struct s3_get **out, struct fault *fault)
{
    struct s3_get *get = calloc(1, sizeof *get);
    struct s3_call call = {0};
    bool done;

    if (get == NULL)
        memory_exhausted(sizeof *get);
    assert(strlen(key) <= S3_KEY_MAX);
    *out = NULL;
    get->s3 = s3;
    memcpy(get->key, key, strlen(key) + 1);
    retry_begin(&get->retry, s3->config.attempts_max, S3_BUDGET_MS, clock_ms());
    done = body_ask(get, &call, fault);
    if (done && call.answer.kind == ANSWER_GOOD && call.length == UINT64_MAX)
        done = fault_set(fault, ERR_STORE,
                         "unable to read %s from %s: the store does not say how long it is", key,
                         s3_endpoint_text(s3));
    if (done && call.answer.kind == ANSWER_GOOD) {
        get->bytes = call.length;
        memcpy(get->etag, call.etag, sizeof get->etag);
        get->connection = call.connection;
        call.connection = NULL;
        *out = get;
    } else {
        free(get);
    }
    s3_call_free(&call);
    return done;
}

/* Drop the bytes that were read already, where a store does not know Range. */
static bool
body_skip(struct s3_get *get, struct fault *why)
{
    char piece[SKIP_BYTES];
    size_t got = 1;

    for (uint64_t left = get->offset; left > 0 && got > 0; left -= got) {
        size_t size = left < sizeof piece ? (size_t) left : sizeof piece;
        if (!http_read(get->connection->http, piece, size, &got, why))
            return false;
    }
    return got > 0;
}

/* Whether an answer is the rest of the object: "bytes 100-999/1000". */
static bool
range_fits(const struct s3_get *get, const struct s3_call *call)
{
    char expected[64];

    snprintf(expected, sizeof expected, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, get->offset,
             get->bytes - 1, get->bytes);
    return call->answer.status == 206 ? strcmp(call->range, expected) == 0
                                      : call->length == get->bytes;
}

/* The connection has broken, or the store ended it: ask for the rest. */
static bool
body_resume(struct s3_get *get, struct fault *fault)
{
    struct s3_call call = {0};
    struct fault why = {0};
    bool done = body_ask(get, &call, fault);

    if (done && (call.answer.kind != ANSWER_GOOD || strcmp(call.etag, get->etag) != 0))
        done = fault_set(fault, ERR_STORE, "%s in %s was %s while it was read", get->key,
                         s3_endpoint_text(get->s3),
                         call.answer.status == 404 ? "deleted" : "replaced");
    else if (done && !range_fits(get, &call))
        done = fault_set(fault, ERR_STORE,
                         "unable to read %s from %s: asked for the rest behind byte %" PRIu64
                         ", the store gave something else (%s)", get->key,
                         s3_endpoint_text(get->s3), get->offset,
                         call.range[0] == '\0' ? "an object of another size" : call.range);
    if (done) {
        get->connection = call.connection;
        call.connection = NULL;
        if (call.answer.status != 206 && get->offset > 0 && !body_skip(get, &why)) {
            pool_drop(get->connection);
            get->connection = NULL;
        }
    }
    s3_call_free(&call);
    return done;
}

/* Decide whether a break may be followed by another attempt, and wait for it. */
static bool
break_bear(struct s3_get *get, const struct fault *why, struct fault *fault)
{
    bool timeout = get->connection != NULL &&
                   http_trouble(get->connection->http) == TROUBLE_TIMEOUT;
    char duration[32];

    log_debug("s3: GET %s: broken at byte %" PRIu64 " of %" PRIu64 ": %s", get->key, get->offset,
              get->bytes, why->text);
    pool_drop(get->connection);
    get->connection = NULL;
    if (why->err == ERR_STOPPED)
        return fault_set(fault, ERR_STOPPED, "%s", why->text);
    if (get->offset > get->resumed_at)
        retry_progress(&get->retry, clock_ms());
    get->resumed_at = get->offset;
    get->retry.attempts++;
    if (s3_pause(get->s3, &get->retry, timeout, 0, false, fault))
        return true;
    return fault_set(fault, ERR_STORE,
                     "unable to read %s from %s: %s, at byte %" PRIu64 " of %" PRIu64
                     ", %u times in %s", get->key, s3_endpoint_text(get->s3),
                     why->text, get->offset, get->bytes, get->retry.attempts,
                     clock_duration(duration, clock_ms() - get->retry.begun_ms));
}

bool
s3_get_read(struct s3_get *get, void *data, size_t size, size_t *got, struct fault *fault)
{
    assert(size > 0);
    *got = 0;
    while (get->offset < get->bytes) {
        struct fault why = {0};

        if (get->connection == NULL && !body_resume(get, fault))
            return false;
        uint64_t left = get->bytes - get->offset;
        size_t most = left < size ? (size_t) left : size;
        if (get->connection != NULL &&
            http_read(get->connection->http, data, most, got, &why) && *got > 0) {
            get->offset += *got;
            return true;
        }
        if (why.err == ERR_NONE)
            fault_set(&why, ERR_STORE, "the body ended too early");
        if (!break_bear(get, &why, fault))
            return false;
    }
    return true;
}

const char *
s3_get_etag(const struct s3_get *get)
{
    return get->etag;
}

void
s3_get_end(struct s3_get *get)
{
    if (get == NULL)
        return;
    if (get->retry.taken > 0 && get->offset == get->bytes)
        s3_retry_end(get->s3, &get->retry);
    if (get->connection != NULL && http_keep(get->connection->http))
        pool_give(&get->s3->pool, get->connection);
    else
        pool_drop(get->connection);
    free(get);
}
