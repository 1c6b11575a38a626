/* http - see http.h.
 *
 *     http_send    question_send ── body_send ── answer_await      any of them may meet the answer
 *     http_read    bytes read ahead with the head, then the stream itself
 *
 * Bytes are read ahead into a buffer of ours while heads and chunk sizes are looked for; long runs
 * of data go from the stream into the caller's memory directly. */
#include "net/http.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "net/http_body.h"
#include "net/http_head.h"
#include "net/http_question.h"

enum {
    AHEAD_BYTES = 16 * 1024, /* one TLS record */
    INTERIM_MAX = 16,        /* 1xx answers to one request; more is a peer that plays with us */
    /* Peers end idle connections, some after 20 s, and a request that crosses that end on its way
     * is lost. */
    IDLE_MS = 15 * 1000,
    /* To read the rest of an answer is cheaper than a new connection up to here, and no longer. */
    DROP_BYTES_MAX = 64 * 1024,
    DROP_MS = 1000,
};

struct http {
    const struct url *url;
    struct stream_config config;
    struct tls_config tls;
    struct tls_resume resume;
    struct stream *stream; /* NULL: not connected */
    bool idle;             /* connected, and the last answer was read to its end … */
    uint64_t idle_since_ms;

    /* Of the request under way. */
    uint64_t begin_ms, deadline_ms;
    enum trouble trouble;
    bool bodiless;         /* HEAD */
    bool sent;             /* some of it may have reached the peer */
    bool cut;              /* its body was not sent to the end */
    bool head_done;        /* head is whole, be it an interim one */
    bool answered;         /* head is the final one */
    unsigned interims;
    struct http_question question;
    struct http_head head;
    struct http_body body;

    size_t ahead_begin, ahead_end;
    char ahead[AHEAD_BYTES];
    char peer[URL_HOST_MAX + 16];
};

struct http *
http_open(const struct url *url, const struct stream_config *config)
{
    struct http *http = calloc(1, sizeof *http);

    if (http == NULL)
        memory_exhausted(sizeof *http);
    http->url = url;
    http->config = *config;
    http->config.host = url->host;
    http->config.port = url->port;
    http->config.tls = NULL;
    if (url->tls) {
        assert(config->tls != NULL);
        http->tls = *config->tls;
        if (http->tls.resume == NULL)
            http->tls.resume = &http->resume;
        http->config.tls = &http->tls;
    }
    url_peer(url->host, url->port, http->peer);
    return http;
}

static void
disconnect(struct http *http)
{
    stream_close(http->stream);
    http->stream = NULL;
    http->idle = false;
    http->ahead_begin = http->ahead_end = 0;
}

static bool
connect_anew(struct http *http, struct fault *fault)
{
    disconnect(http);
    http->stream = stream_open(&http->config, http->deadline_ms, &http->trouble, fault);
    return http->stream != NULL;
}

/* The peer did what it must not. */
static bool
broken(struct http *http, enum trouble trouble, struct fault *fault)
{
    http->trouble = trouble;
    return fault_because(fault, "from %s", http->peer);
}

/* ---- the answer's head ---------------------------------------------------------------- */

/* Fill the empty buffer; it stays empty when the peer has ended the stream. */
static bool
ahead_fill(struct http *http, unsigned idle_ms, struct fault *fault)
{
    assert(http->ahead_begin == http->ahead_end);
    http->ahead_begin = http->ahead_end = 0;
    return stream_read(http->stream, http->ahead, sizeof http->ahead, &http->ahead_end, idle_ms,
                       http->deadline_ms, &http->trouble, fault);
}

static void
head_begin(struct http *http)
{
    http_head_begin(&http->head, http->bodiless, http->config.err);
    http->head_done = false;
}

/* A head is whole. */
static bool
head_end(struct http *http, struct fault *fault)
{
    http->head_done = true;
    http->answered = http->head.status >= 200;
    if (http->answered || ++http->interims <= INTERIM_MAX)
        return true;
    fault_set(fault, http->config.err, "more than %d interim answers to one request", INTERIM_MAX);
    return broken(http, TROUBLE_BROKEN, fault);
}

/* Read one head, an interim or the final one.  After a timeout it may be called again, to go on. */
static bool
head_read(struct http *http, unsigned idle_ms, struct fault *fault)
{
    if (http->head_done)
        head_begin(http);
    for (;;) {
        if (http->ahead_begin == http->ahead_end && !ahead_fill(http, idle_ms, fault))
            return false;
        if (http->ahead_begin == http->ahead_end) {
            http->trouble = TROUBLE_BROKEN;
            return fault_set(fault, http->config.err, "%s closed the connection %s", http->peer,
                             http->head.size > 0 ? "in the middle of an answer's head"
                                                 : "without an answer");
        }
        size_t used;
        enum head_step step = http_head_take(&http->head, http->ahead + http->ahead_begin,
                                             http->ahead_end - http->ahead_begin, &used, fault);
        http->ahead_begin += used;
        if (step == HEAD_DONE)
            return head_end(http, fault);
        if (step == HEAD_FAILED)
            return broken(http, http->head.status == 0 ? TROUBLE_REFUSED : TROUBLE_BROKEN, fault);
    }
}

/* ---- the request ---------------------------------------------------------------------- */

/* Writing failed.  A peer that refuses a body may close before all of it was sent; then its answer
 * waits to be read all the same. */
static bool
answer_rescue(struct http *http, const struct fault *failure, struct fault *fault)
{
    enum trouble trouble = http->trouble;
    struct fault later = {0};

    if (trouble == TROUBLE_BROKEN)
        while (!http->answered && stream_readable(http->stream) && head_read(http, 0, &later))
            ;
    http->trouble = http->answered ? TROUBLE_NONE : trouble;
    if (!http->answered)
        fault_hand_over(fault, failure);
    return http->answered;
}

/* Whether the connection of the last request can serve this one. */
static bool
is_usable(const struct http *http)
{
    return http->idle && clock_ms() - http->idle_since_ms <= IDLE_MS &&
           !stream_readable(http->stream);
}

/* Send the request's head.  A kept connection that breaks, or speaks (its goodbye), before all of
 * the head is out has processed nothing: then a new one is tried, once. */
static bool
question_send(struct http *http, struct fault *fault)
{
    bool kept = is_usable(http);

    for (;; kept = false) {
        if (!kept && !connect_anew(http, fault))
            return false;
        http->idle = false;
        struct fault failure = {0};
        size_t taken;
        bool went = stream_offer(http->stream, http->question.bytes, http->question.size, &taken,
                                 http->deadline_ms, &http->trouble, &failure);
        bool whole = taken == http->question.size;
        if (kept && !whole && (went || http->trouble == TROUBLE_BROKEN))
            continue;
        http->sent = taken > 0;
        if (!went)
            return answer_rescue(http, &failure, fault);
        if (whole)
            return true;
        /* A new connection greets us with a refusal. */
        http->cut = true;
        while (!http->answered)
            if (!head_read(http, 0, fault))
                return false;
        return true;
    }
}

/* Wait for "100 Continue", or another answer, or until it is clear that the peer does not know what
 * it was asked: then the body is sent unasked. */
static bool
continue_await(struct http *http, struct fault *fault)
{
    unsigned idle_ms =
        http->config.idle_ms < HTTP_CONTINUE_MS ? http->config.idle_ms : HTTP_CONTINUE_MS;

    do {
        struct fault silence = {0};
        if (head_read(http, idle_ms, &silence))
            continue;
        if (http->trouble != TROUBLE_TIMEOUT || clock_ms() >= http->deadline_ms) {
            fault_hand_over(fault, &silence);
            return false;
        }
        http->trouble = TROUBLE_NONE;
        if (http->head.size == 0 || http->head_done)
            return true;
        idle_ms = http->config.idle_ms; /* half a head is there: it knows */
    } while (!http->answered && !(http->head_done && http->head.status == 100));
    return true;
}

/* Send the body, unless the peer answers before its end. */
static bool
body_send(struct http *http, const struct http_request *request, struct fault *fault)
{
    const char *at = request->body;
    size_t left = request->body_size;

    http->cut = left > 0;
    if (left > 0 && request->expect_continue && !continue_await(http, fault))
        return false;
    while (left > 0 && !http->answered) {
        struct fault failure = {0};
        size_t taken;
        bool went = stream_offer(http->stream, at, left, &taken, http->deadline_ms, &http->trouble,
                                 &failure);
        at += taken;
        left -= taken;
        if (!went)
            return answer_rescue(http, &failure, fault);
        if (left > 0 && !head_read(http, 0, fault))
            return false;
    }
    http->cut = left > 0;
    return true;
}

static bool
answer_await(struct http *http, struct fault *fault)
{
    while (!http->answered)
        if (!head_read(http, 0, fault))
            return false;
    http_body_begin(&http->body, &http->head);
    return true;
}

/* A failed connection is of no more use; a deadline is told in full. */
static bool
give_up(struct http *http, struct fault *fault)
{
    uint64_t now_ms = clock_ms();
    char duration[32];

    disconnect(http);
    if (http->trouble == TROUBLE_TIMEOUT && now_ms >= http->deadline_ms)
        fault_because(fault, "%s after the request began",
                      clock_duration(duration, now_ms - http->begin_ms));
    return false;
}

bool
http_send(struct http *http, const struct http_request *request, struct fault *fault)
{
    assert(request->total_ms > 0);
    http->begin_ms = clock_ms();
    http->deadline_ms = http->begin_ms + request->total_ms;
    http->trouble = TROUBLE_NONE;
    http->bodiless = strcmp(request->method, "HEAD") == 0;
    http->sent = http->cut = http->answered = false;
    http->interims = 0;
    head_begin(http);
    http->body = (struct http_body){.framing = HTTP_CHUNKED}; /* nothing to read yet */

    if (!http_question_write(&http->question, request, http->url, http->config.err, fault)) {
        http->trouble = TROUBLE_REFUSED;
        return give_up(http, fault);
    }
    return (question_send(http, fault) && (http->answered || body_send(http, request, fault)) &&
            answer_await(http, fault)) ||
           give_up(http, fault);
}

/* ---- the answer's body ---------------------------------------------------------------- */

unsigned
http_status(const struct http *http)
{
    return http->head.status;
}

const char *
http_header(const struct http *http, const char *name)
{
    return http_head_value(&http->head, name);
}

bool
http_length(const struct http *http, uint64_t *length)
{
    *length = http_body_run(&http->body);
    return http_body_done(&http->body) || http->body.framing == HTTP_LENGTH;
}

/* The connection ended: perhaps that is the end of the body. */
static bool
body_cut(struct http *http, struct fault *fault)
{
    if (http_body_cut(&http->body, fault))
        return true;
    broken(http, TROUBLE_BROKEN, fault);
    return give_up(http, fault);
}

/* Read data, size bytes of one run at most: from the buffer, or past it when that pays. */
static bool
run_read(struct http *http, char *data, size_t size, size_t *got, struct fault *fault)
{
    size_t held = http->ahead_end - http->ahead_begin;

    if (held == 0 && size >= sizeof http->ahead)
        return stream_read(http->stream, data, size, got, 0, http->deadline_ms, &http->trouble,
                           fault);
    if (held == 0 && !ahead_fill(http, 0, fault))
        return false;
    held = http->ahead_end - http->ahead_begin;
    *got = held < size ? held : size;
    memcpy(data, http->ahead + http->ahead_begin, *got);
    http->ahead_begin += *got;
    return true;
}

/* Read what stands between two runs of data. */
static bool
framing_read(struct http *http, struct fault *fault)
{
    size_t used;

    if (http->ahead_begin == http->ahead_end && !ahead_fill(http, 0, fault))
        return give_up(http, fault);
    if (http->ahead_begin == http->ahead_end)
        return body_cut(http, fault);
    bool taken = http_body_take(&http->body, http->ahead + http->ahead_begin,
                                http->ahead_end - http->ahead_begin, &used, fault);
    http->ahead_begin += used;
    if (taken)
        return true;
    broken(http, TROUBLE_BROKEN, fault);
    return give_up(http, fault);
}

bool
http_read(struct http *http, void *data, size_t size, size_t *got, struct fault *fault)
{
    assert(size > 0);
    *got = 0;
    while (!http_body_done(&http->body)) {
        if (http->stream == NULL)
            return fault_set(fault, http->config.err, "the connection to %s is closed already",
                             http->peer);
        uint64_t run = http_body_run(&http->body);
        if (run == 0) {
            if (!framing_read(http, fault))
                return false;
            continue;
        }
        if (!run_read(http, data, run < size ? (size_t) run : size, got, fault))
            return give_up(http, fault);
        if (*got == 0)
            return body_cut(http, fault);
        http_body_pass(&http->body, *got);
        return true;
    }
    return true;
}

/* Read the rest of a body that nobody wants, if that is done soon. */
static bool
drop_rest(struct http *http)
{
    char waste[4096];
    struct fault fault = {0};
    uint64_t length, limit_ms = clock_ms() + DROP_MS;
    size_t dropped = 0, got;

    if (http_length(http, &length) && length > DROP_BYTES_MAX)
        return false;
    if (http->deadline_ms > limit_ms)
        http->deadline_ms = limit_ms;
    do {
        if (!http_read(http, waste, sizeof waste, &got, &fault))
            return false;
        dropped += got;
    } while (got > 0 && dropped <= DROP_BYTES_MAX);
    return got == 0;
}

bool
http_keep(struct http *http)
{
    enum trouble trouble = http->trouble;

    if (http->idle)
        return true;
    bool kept = http->stream != NULL && http->answered && !http->head.close && !http->cut &&
                drop_rest(http) && http->ahead_begin == http->ahead_end;
    http->trouble = trouble;
    if (!kept) {
        disconnect(http);
        return false;
    }
    http->idle = true;
    http->idle_since_ms = clock_ms();
    return true;
}

enum trouble
http_trouble(const struct http *http)
{
    return http->trouble;
}

bool
http_sent(const struct http *http)
{
    return http->sent;
}

void
http_close(struct http *http)
{
    if (http == NULL)
        return;
    disconnect(http);
    explicit_bzero(http, sizeof *http);
    free(http);
}
