/* net_http - requests and answers against a scripted peer, in the clear and under TLS: framing,
 * kept connections, early answers, and everything that can end in the middle. */
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/http.h"
#include "support_http.h"
#include "support_tls.h"

enum { LARGE = 16 * 1024 * 1024 };

static struct stop stop;
static struct stream_config config;
static struct tls_config tls;
static struct url url;
static struct site site;
static struct peer peer;
static struct http *http;
static struct fault fault;
static atomic_uint accepted;
static sem_t site_turn, test_turn; /* posted for the one by the other */
static char *zeros;                /* LARGE of them */

/* In place of the system's send(): before the client's nth one from now on the peer has its turn;
 * with again set nothing is sent then. */
static _Thread_local unsigned meet_in;
static _Thread_local bool again;

ssize_t
send(int fd, const void *data, size_t size, int flags)
{
    if (meet_in > 0 && --meet_in == 0) {
        sem_post(&site_turn);
        sem_wait(&test_turn);
        if (again) {
            again = false;
            errno = EAGAIN;
            return -1;
        }
    }
    return sendto(fd, data, size, flags, NULL, 0);
}

static int
begin(void **state)
{
    (void) state;
    config = (struct stream_config){.connect_ms = 20000, .idle_ms = 20000, .err = ERR_STORE,
                                    .stop = &stop};
    url = (struct url){.host = "127.0.0.1", .port_given = true};
    fault = (struct fault){0};
    site.tls = NULL;
    http = NULL;
    atomic_store(&accepted, 0);
    sem_init(&site_turn, 0, 0);
    sem_init(&test_turn, 0, 0);
    zeros = calloc(1, LARGE);
    return stop_init(&stop, &fault) ? 0 : -1;
}

static int
end(void **state)
{
    (void) state;
    stop_free(&stop);
    free(zeros);
    sem_destroy(&site_turn);
    sem_destroy(&test_turn);
    return 0;
}

static struct trust *trust;

static int
begin_tls(void **state)
{
    begin(state);
    if (trust == NULL) {
        certs_make(&(struct cert){.name = "site", .extensions = "subjectAltName=IP:127.0.0.1\n"});
        trust = trust_open(certs_path("site.pem"), NULL, ERR_STORE, &fault);
    }
    tls = (struct tls_config){.check_name = true, .trust = trust};
    config.tls = &tls;
    url.tls = true;
    peer_begin(&peer, "site.pem", "site.key");
    site.tls = &peer;
    return trust == NULL ? -1 : 0;
}

static int
end_tls(void **state)
{
    peer_end(&peer);
    return end(state);
}

static int
end_all(void **state)
{
    trust_close(trust);
    return certs_end(state);
}

static void
open_site(void (*script)(struct site *it), void *context)
{
    site_begin(&site, script, context);
    url.port = site.port;
    http = http_open(&url, &config);
}

static void
close_site(void)
{
    http_close(http);
    site_end(&site);
}

static void
site_next(struct site *it)
{
    site_accept(it);
    atomic_fetch_add(&accepted, 1);
}

static bool
request(const char *method, const void *body, size_t size, bool expect)
{
    fault = (struct fault){0};
    return http_send(http,
                     &(struct http_request){.method = method, .target = "/x", .body = body,
                                            .body_size = size, .expect_continue = expect,
                                            .total_ms = 20000},
                     &fault);
}

static bool
get(void)
{
    return request("GET", NULL, 0, false);
}

/* Read the body to its end, piece by piece. */
static bool
read_body(struct bytes *body, size_t piece)
{
    char *data = malloc(piece);
    size_t got = 1;
    bool good = true;

    bytes_free(body);
    while (good && got > 0) {
        good = http_read(http, data, piece, &got, &fault);
        bytes_add(body, data, good ? got : 0);
    }
    free(data);
    return good;
}

static void
check_body(const char *expected)
{
    struct bytes body = {0};

    if (!read_body(&body, 5))
        fail_msg("%s", fault.text);
    assert_int_equal(body.size, strlen(expected));
    assert_memory_equal(body.data, expected, body.size);
    bytes_free(&body);
}

static void
check_get(unsigned status, const char *body)
{
    if (!get())
        fail_msg("%s", fault.text);
    assert_int_equal(http_status(http), status);
    check_body(body);
}

static void
check_failed(enum trouble expected, const char *says)
{
    assert_int_equal(http_trouble(http), expected);
    assert_int_equal(fault.err, expected == TROUBLE_STOPPED ? ERR_STOPPED : ERR_STORE);
    if (strstr(fault.text, says) == NULL)
        fail_msg("%s", fault.text);
}

/* ---- answers, one after the other, on one connection ---------------------------------- */

/* Give each text of a list as the answer to a request without a body. */
struct answers {
    const char *const *texts;
    size_t count, piece;
};

static void
script_answers(struct site *it)
{
    const struct answers *answers = it->context;

    site_next(it);
    for (size_t i = 0; i < answers->count && site_question(it); i++)
        site_send(it, answers->texts[i], strlen(answers->texts[i]), answers->piece);
    site_wait_closed(it);
}

static void
test_one_after_the_other(void **state)
{
    (void) state;
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nETag: \"1\"\r\n\r\nhello world",
        "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-Trailer: y\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n\r\nend",
    };
    static const size_t pieces[] = {0, 1, 2, 3, 7, 64};

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct answers answers = {texts, 6, pieces[i]};
        uint64_t length;
        open_site(script_answers, &answers);
        assert_true(get());
        assert_int_equal(http_status(http), 200);
        assert_string_equal(http_header(http, "etag"), "\"1\"");
        assert_null(http_header(http, "x-none"));
        assert_true(http_length(http, &length));
        assert_int_equal(length, 11);
        check_body("hello world");
        assert_true(http_length(http, &length));
        assert_int_equal(length, 0);
        assert_true(http_keep(http));

        assert_true(get());
        assert_int_equal(http_status(http), 404);
        assert_null(http_header(http, "etag"));
        assert_false(http_length(http, &length));
        check_body("hello world");
        assert_true(http_keep(http));
        assert_true(http_keep(http));
        check_get(204, "");
        assert_true(http_keep(http));
        check_get(200, "");
        assert_true(http_keep(http));
        check_get(304, "");
        assert_true(http_keep(http));
        check_get(206, "end");
        assert_true(http_keep(http));
        assert_int_equal(http_trouble(http), TROUBLE_NONE);
        close_site();
    }
    assert_int_equal(atomic_load(&accepted), sizeof pieces / sizeof *pieces);
}

static void
script_head(struct site *it)
{
    bool same = true;

    site_next(it);
    for (int i = 0; i < 2 && site_question(it); i++) {
        same = same && strncmp(it->question, i == 0 ? "HEAD" : "GET ", 4) == 0;
        site_answer(it, same ? "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" : "wrong");
        site_answer(it, i == 0 ? "" : "end");
    }
    site_wait_closed(it);
}

static void
test_head(void **state)
{
    (void) state;
    open_site(script_head, NULL);
    assert_true(request("HEAD", NULL, 0, false));
    assert_string_equal(http_header(http, "content-length"), "3");
    check_body("");
    assert_true(http_keep(http));
    check_get(200, "end");
    close_site();
    assert_int_equal(atomic_load(&accepted), 1);
}

/* Give one text as the answer, and go. */
static void
script_text(struct site *it)
{
    site_next(it);
    if (site_question(it))
        site_answer(it, it->context);
    site_close(it);
}

/* Megabytes, in one length and in chunks of many sizes, into windows of many sizes. */
static void
script_large(struct site *it)
{
    const struct bytes *noise = it->context;
    char line[128];

    site_next(it);
    while (site_question(it)) {
        if (strncmp(it->question, "GET", 3) == 0) {
            snprintf(line, sizeof line, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                     noise->size);
            site_answer(it, line);
            site_send(it, noise->data, noise->size, 0);
            continue;
        }
        site_answer(it, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0, size = 1; at < noise->size; at += size, size = size * 3 + 1) {
            size = size < noise->size - at ? size : noise->size - at;
            snprintf(line, sizeof line, "%zx\r\n", size);
            site_answer(it, line);
            site_send(it, noise->data + at, size, 0);
            site_answer(it, "\r\n");
        }
        site_answer(it, "0\r\n\r\n");
    }
}

static void
test_large(void **state)
{
    (void) state;
    static const size_t windows[] = {100, 4096, 16 * 1024, 16 * 1024 + 1, 256 * 1024};
    struct bytes noise = {0}, body = {0};

    bytes_add_noise(&noise, 7, 1000001);
    open_site(script_large, &noise);
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        for (int chunked = 0; chunked <= 1; chunked++) {
            assert_true(request(chunked ? "LIST" : "GET", NULL, 0, false));
            assert_true(read_body(&body, windows[i]));
            assert_bytes_equal(&body, &noise);
            assert_true(http_keep(http));
        }
    }
    close_site();
    assert_int_equal(atomic_load(&accepted), 1);
    bytes_free(&noise);
    bytes_free(&body);
}

/* ---- requests ------------------------------------------------------------------------- */

static void
script_put(struct site *it)
{
    struct bytes *noise = it->context;
    uint8_t *data = malloc(noise->size);

    site_next(it);
    while (site_question(it)) {
        bool good = strncmp(it->question, "PUT /x HTTP/1.1\r\n", 17) == 0 &&
                    strstr(it->question, "\r\nContent-Length: 300000\r\n") != NULL &&
                    strstr(it->question, "\r\nHost: 127.0.0.1:") != NULL;
        if (strstr(it->question, "Expect: 100-continue") != NULL)
            site_answer(it, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
        good = good && site_receive(it, data, noise->size) &&
               memcmp(data, noise->data, noise->size) == 0;
        site_answer(it, good ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                             : "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
    }
    free(data);
}

static void
test_put(void **state)
{
    (void) state;
    struct bytes noise = {0};

    bytes_add_noise(&noise, 8, 300000);
    open_site(script_put, &noise);
    for (int i = 0; i < 4; i++) {
        assert_true(request("PUT", noise.data, noise.size, i % 2 == 0));
        assert_int_equal(http_status(http), 200);
        assert_true(http_sent(http));
        assert_true(http_keep(http));
    }
    close_site();
    assert_int_equal(atomic_load(&accepted), 1);
    bytes_free(&noise);
}

/* A peer that knows no Expect waits for the body; it comes after HTTP_CONTINUE_MS. */
static void
script_no_continue(struct site *it)
{
    site_next(it);
    bool whole = site_question(it) && site_receive(it, NULL, 5);
    site_answer(it, whole ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" : "");
    site_wait_closed(it);
}

static void
test_continue_ignored(void **state)
{
    (void) state;
    open_site(script_no_continue, NULL);
    uint64_t begin_ms = clock_ms();
    assert_true(request("PUT", "12345", 5, true));
    assert_true(clock_ms() - begin_ms >= HTTP_CONTINUE_MS);
    assert_int_equal(http_status(http), 200);
    assert_true(http_keep(http));
    close_site();
}

/* The body begins unasked; then "100 Continue" comes after all, in the middle of it. */
static void
script_late_continue(struct site *it)
{
    site_next(it);
    bool whole = site_question(it) && site_receive(it, NULL, LARGE / 2);
    site_answer(it, "HTTP/1.1 100 Continue\r\n\r\n");
    whole = whole && site_receive(it, NULL, LARGE / 2);
    site_answer(it, whole ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" : "");
    site_wait_closed(it);
}

static void
test_continue_late(void **state)
{
    (void) state;
    open_site(script_late_continue, NULL);
    assert_true(request("PUT", zeros, LARGE, false));
    assert_int_equal(http_status(http), 200);
    assert_true(http_keep(http));
    close_site();
}

/* Half of the "100 Continue" comes in time, the rest only when the body would be due. */
static void
script_half_continue(struct site *it)
{
    site_next(it);
    site_question(it);
    site_answer(it, "HTTP/1.1 100 Con");
    usleep((HTTP_CONTINUE_MS + 100) * 1000);
    site_answer(it, "tinue\r\n\r\n");
    bool whole = site_receive(it, NULL, 5);
    site_answer(it, whole ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" : "");
    site_wait_closed(it);
}

static void
test_continue_in_halves(void **state)
{
    (void) state;
    open_site(script_half_continue, NULL);
    assert_true(request("PUT", "12345", 5, true));
    assert_int_equal(http_status(http), 200);
    close_site();
}

/* A final answer instead of "100 Continue": nothing of the body is sent, ever. */
static void
script_no(struct site *it)
{
    char byte;

    site_next(it);
    site_question(it);
    site_answer(it, "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno, ");
    bool more = site_receive(it, &byte, 1);
    site_next(it);
    if (!more && site_question(it))
        site_answer(it, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes");
    site_wait_closed(it);
}

static void
test_continue_refused(void **state)
{
    (void) state;
    open_site(script_no, NULL);
    assert_true(request("PUT", "12345", 5, true));
    assert_int_equal(http_status(http), 403);
    check_body("no, ");
    assert_false(http_keep(http));
    check_get(200, "yes");
    close_site();
    assert_int_equal(atomic_load(&accepted), 2);
}

/* The same without Expect: the peer answers in the middle of the body, and takes no more of it. */
static void
script_early(struct site *it)
{
    site_next(it);
    site_question(it);
    site_receive(it, NULL, 1000);
    site_answer(it, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    sem_wait(&site_turn);
}

static void
test_early_answer(void **state)
{
    (void) state;
    open_site(script_early, NULL);
    assert_true(request("PUT", zeros, LARGE, false));
    assert_int_equal(http_status(http), 403);
    check_body("no");
    assert_false(http_keep(http));
    sem_post(&site_turn);
    close_site();
}

/* And closes at once: what is unread makes the kernel send a reset, and writing fails. */
static void
script_early_reset(struct site *it)
{
    site_next(it);
    site_question(it);
    site_receive(it, NULL, 1000);
    site_answer(it, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    site_cut(it);
}

static void
test_early_answer_and_reset(void **state)
{
    (void) state;
    for (int i = 0; i < 20; i++) {
        open_site(script_early_reset, NULL);
        if (!request("PUT", zeros, LARGE, false))
            fail_msg("%s", fault.text);
        assert_int_equal(http_status(http), 403);
        assert_false(http_keep(http) && http_trouble(http) == TROUBLE_NONE);
        close_site();
    }
}

/* The same, when the answer comes and the connection goes between a look at it and a write. */
static void
script_reset_before_write(struct site *it)
{
    site_next(it);
    site_question(it);
    sem_wait(&site_turn);
    site_answer(it, it->context);
    site_reset(it);
    sem_post(&test_turn);
}

static void
test_rescued_answer(void **state)
{
    (void) state;
    static char no[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", nothing[] = "";

    open_site(script_reset_before_write, no);
    meet_in = 2;
    if (!request("PUT", zeros, LARGE, false))
        fail_msg("%s", fault.text);
    assert_int_equal(http_status(http), 403);
    assert_int_equal(http_trouble(http), TROUBLE_NONE);
    assert_false(http_keep(http));
    close_site();

    open_site(script_reset_before_write, nothing);
    meet_in = 2;
    assert_false(request("PUT", zeros, LARGE, false));
    check_failed(TROUBLE_BROKEN, "broke while writing");
    assert_true(http_sent(http));
    close_site();
}

/* A peer that is too busy says so before it is asked. */
static void
script_greeting(struct site *it)
{
    site_next(it);
    sem_wait(&site_turn);
    site_answer(it, it->context);
    sem_post(&test_turn);
    site_wait_closed(it);
}

static void
test_greeting(void **state)
{
    (void) state;
    open_site(script_greeting, "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
    meet_in = 1;
    again = true;
    check_get(503, "busy");
    assert_false(http_sent(http));
    assert_false(http_keep(http));
    close_site();

    open_site(script_greeting, "220 mail.example.com ESMTP\r\n");
    meet_in = 1;
    again = true;
    assert_false(get());
    check_failed(TROUBLE_REFUSED, "begins with \"220 mail.example.com ESM\"");
    close_site();
}

/* Instead of "100 Continue", or in the middle of the body, nothing that makes sense. */
static void
test_nonsense(void **state)
{
    (void) state;
    open_site(script_text, "");
    assert_false(request("PUT", "12345", 5, true));
    check_failed(TROUBLE_BROKEN, "without an answer");
    close_site();

    open_site(script_text, "what?");
    assert_false(request("PUT", "12345", 5, true));
    check_failed(TROUBLE_REFUSED, "begins with \"what?\"");
    close_site();

    open_site(script_reset_before_write, "what?");
    meet_in = 2;
    again = true;
    assert_false(request("PUT", zeros, LARGE, false));
    check_failed(TROUBLE_REFUSED, "begins with \"what?\"");
    close_site();
}

static void
test_bad_request(void **state)
{
    (void) state;
    const struct http_header header = {"x-token", "secret\r\nX-Evil: 1"};
    struct http_request bad = {.method = "GET", .target = "/", .headers = &header,
                               .headers_count = 1, .total_ms = 1000};
    url.port = 9;
    http = http_open(&url, &config);
    assert_false(http_send(http, &bad, &fault));
    assert_int_equal(http_trouble(http), TROUBLE_REFUSED);
    assert_false(http_sent(http));
    assert_non_null(strstr(fault.text, "x-token"));
    http_close(http);
    http_close(NULL);
}

/* ---- kept connections ----------------------------------------------------------------- */

static const char ok_text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* Answer, then do what the context says while the connection is idle, then answer the next. */
static void
script_goodbye(struct site *it)
{
    const char *goodbye = it->context;

    site_next(it);
    site_question(it);
    site_answer(it, ok_text);
    sem_wait(&site_turn);
    if (goodbye == NULL) {
        site_reset(it);
    } else {
        site_answer(it, goodbye);
        site_close(it);
    }
    sem_post(&test_turn);
    site_next(it);
    site_question(it);
    site_answer(it, ok_text);
    site_wait_closed(it);
}

static void
test_stale(void **state)
{
    (void) state;
    static const char *const goodbyes[] = {
        "", NULL, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"};

    for (size_t i = 0; i < 3; i++) {
        atomic_store(&accepted, 0);
        open_site(script_goodbye, (void *) (uintptr_t) goodbyes[i]);
        check_get(200, "ok");
        assert_true(http_keep(http));
        sem_post(&site_turn);
        sem_wait(&test_turn);
        check_get(200, "ok");
        close_site();
        assert_int_equal(atomic_load(&accepted), 2);
    }
}

/* The kept connection dies between the look at it and the first byte: nothing was sent, and nobody
 * needs to know. */
static void
script_die(struct site *it)
{
    site_next(it);
    site_question(it);
    site_answer(it, ok_text);
    sem_wait(&site_turn);
    site_reset(it);
    sem_post(&test_turn);
    site_next(it);
    site_question(it);
    site_answer(it, ok_text);
    site_wait_closed(it);
}

static void
test_dies(void **state)
{
    (void) state;
    open_site(script_die, NULL);
    check_get(200, "ok");
    assert_true(http_keep(http));
    meet_in = 1;
    check_get(200, "ok");
    close_site();
    assert_int_equal(atomic_load(&accepted), 2);
}

/* The request was taken, and no answer came: that is for the caller to judge. */
static void
script_no_answer(struct site *it)
{
    site_next(it);
    site_question(it);
    site_answer(it, ok_text);
    site_question(it);
    site_close(it);
}

static void
test_no_answer(void **state)
{
    (void) state;
    open_site(script_no_answer, NULL);
    check_get(200, "ok");
    assert_true(http_keep(http));
    assert_false(get());
    check_failed(TROUBLE_BROKEN, "closed the connection without an answer");
    assert_true(http_sent(http));
    close_site();
    assert_int_equal(atomic_load(&accepted), 1);
}

/* An answer that says "close", and one of which too much is left, end their connections. */
static void
script_leave(struct site *it)
{
    site_next(it);
    site_question(it);
    site_answer(it, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    site_next(it);
    site_question(it);
    site_answer(it, "HTTP/1.1 200 OK\r\nContent-Length: 16777216\r\n\r\n");
    site_send(it, zeros, LARGE, 0);
    site_next(it);
    site_question(it);
    site_answer(it, "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n");
    site_send(it, zeros, 20000, 0);
    site_question(it);
    site_answer(it, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    site_question(it);
    site_answer(it, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    site_wait_closed(it);
    site_next(it);
    site_question(it);
    site_answer(it, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n");
    site_wait_closed(it);
}

static void
test_what_is_left(void **state)
{
    (void) state;
    char byte;
    size_t got;

    open_site(script_leave, NULL);
    check_get(200, "ok");
    assert_false(http_keep(http));
    assert_true(get());
    assert_true(http_read(http, &byte, 1, &got, &fault));
    assert_false(http_keep(http)); /* 16 MiB are too many */
    assert_true(get());
    assert_true(http_keep(http)); /* 20 kB are not */
    assert_true(get());
    assert_true(http_keep(http));
    assert_true(get());
    uint64_t begin_ms = clock_ms();
    assert_false(http_keep(http)); /* the last chunk does not come */
    assert_true(clock_ms() - begin_ms < 10000);
    assert_int_equal(http_trouble(http), TROUBLE_NONE);
    assert_true(get());
    while (http_keep(http)) /* it says more than it was asked, perhaps a moment later */
        if (!get())
            break;
    close_site();
    assert_int_equal(atomic_load(&accepted), 4);
}

/* ---- what is wrong, and what ends in the middle ---------------------------------------- */

static void
test_wrong_heads(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        enum trouble trouble;
        const char *says;
    } cases[] = {
        {"SSH-2.0-OpenSSH\r\n", TROUBLE_REFUSED, "is no HTTP/1.1"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", TROUBLE_BROKEN,
         "two lengths, 1 and 2, from 127.0.0.1:"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         TROUBLE_BROKEN, "both a length, 1, and chunks"},
        {"HTTP/1.1 200 OK\r\n\r\nwhatever", TROUBLE_BROKEN, "nothing about the length"},
        {"HTTP/1.1 200 OK\r\nContent-Length", TROUBLE_BROKEN, "in the middle of an answer's head"},
        {"", TROUBLE_BROKEN, "without an answer"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_site(script_text, (void *) (uintptr_t) cases[i].text);
        assert_false(get());
        check_failed(cases[i].trouble, cases[i].says);
        close_site();
    }
}

static void
test_many_interims(void **state)
{
    (void) state;
    char text[1024] = "";
    size_t used = 0;

    for (int i = 0; i < 17; i++)
        used += (size_t) snprintf(text + used, sizeof text - used, "HTTP/1.1 100 Go\r\n\r\n");
    open_site(script_text, text);
    assert_false(get());
    check_failed(TROUBLE_BROKEN, "more than 16 interim answers");
    close_site();
}

static void
test_cut_bodies(void **state)
{
    (void) state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "4 bytes before its end"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "9 bytes before its end"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "its last chunk"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell", "its last chunk"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
         "its last chunk"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n",
         "chunks are broken"},
    };
    struct bytes body = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_site(script_text, (void *) (uintptr_t) cases[i].text);
        assert_true(get());
        assert_false(read_body(&body, 3));
        check_failed(TROUBLE_BROKEN, cases[i].says);
        fault = (struct fault){0};
        assert_false(read_body(&body, 3)); /* and it never looks like a proper end */
        assert_int_equal(fault.err, ERR_STORE);
        assert_false(http_keep(http));
        close_site();
    }
    bytes_free(&body);
}

/* Proxies refuse in the old way. */
static void
test_until_close(void **state)
{
    (void) state;
    open_site(script_text, "HTTP/1.0 503 Service Unavailable\r\n\r\n<html>");
    check_get(503, "<html>");
    assert_false(http_keep(http));
    close_site();
}

static void
script_trickle(struct site *it)
{
    site_next(it);
    site_question(it);
    site_answer(it, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (site_send(it, "x", 1, 1))
        usleep(1000);
}

static void
script_silent(struct site *it)
{
    site_next(it);
    site_question(it);
    site_wait_closed(it);
}

/* Silence ends a request, and so does its deadline, however busy the peer looks. */
static void
test_deadlines(void **state)
{
    (void) state;
    struct http_request question = {.method = "GET", .target = "/", .total_ms = 20000};
    struct bytes body = {0};

    config.idle_ms = 50;
    open_site(script_silent, NULL);
    assert_false(http_send(http, &question, &fault));
    check_failed(TROUBLE_TIMEOUT, "sent nothing for 0.1 s");
    assert_true(http_sent(http));
    close_site();

    fault = (struct fault){0};
    config.idle_ms = 20000;
    question.total_ms = 1000;
    open_site(script_trickle, NULL);
    assert_true(http_send(http, &question, &fault));
    assert_false(read_body(&body, 4096));
    check_failed(TROUBLE_TIMEOUT, " s after the request began");
    bytes_free(&body);
    close_site();
}

/* Whoever is asked throws the switch, then says and takes nothing more. */
static void
script_stop(struct site *it)
{
    site_next(it);
    site_question(it);
    stop_request(&stop, 0);
    site_wait_closed(it);
}

static void
test_stopped(void **state)
{
    (void) state;
    open_site(script_stop, NULL);
    assert_false(get());
    check_failed(TROUBLE_STOPPED, "stopped");
    assert_true(http_sent(http));
    assert_false(get());
    check_failed(TROUBLE_STOPPED, "stopped");
    close_site();
}

static void
script_stop_in_body(struct site *it)
{
    site_next(it);
    site_question(it);
    site_answer(it, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
    sem_wait(&site_turn);
    stop_request(&stop, 0);
    site_wait_closed(it);
}

static void
test_stopped_in_body(void **state)
{
    (void) state;
    struct bytes body = {0};

    open_site(script_stop_in_body, NULL);
    assert_true(get());
    sem_post(&site_turn);
    assert_false(read_body(&body, 4));
    check_failed(TROUBLE_STOPPED, "stopped");
    close_site();
    bytes_free(&body);
}

static void
test_nobody_there(void **state)
{
    (void) state;
    open_site(script_text, "");
    get();
    close_site();

    http = http_open(&url, &config);
    assert_false(get());
    check_failed(TROUBLE_CONNECT, "unable to connect to 127.0.0.1:");
    assert_false(http_sent(http));
    http_close(http);
}

/* ---- TLS alone ------------------------------------------------------------------------ */

static void
script_resumed(struct site *it)
{
    br_ssl_session_cache_lru cache;
    unsigned char store[4096], secret[48];
    br_ssl_session_parameters session;

    br_ssl_session_cache_lru_init(&cache, store, sizeof store);
    br_ssl_server_set_cache(&it->tls->server, &cache.vtable);
    for (int i = 0; i < 2; i++) {
        site_next(it);
        site_question(it);
        br_ssl_engine_get_session_parameters(&it->tls->server.eng, &session);
        bool same = i == 1 && memcmp(secret, session.master_secret, sizeof secret) == 0;
        memcpy(secret, session.master_secret, sizeof secret);
        site_answer(it, same ? "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n"
                               "resumed"
                             : "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
                               "new");
        site_wait_closed(it);
    }
}

static void
test_tls_resumed(void **state)
{
    (void) state;
    open_site(script_resumed, NULL);
    check_get(200, "new");
    assert_false(http_keep(http));
    check_get(200, "resumed");
    close_site();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)
#define TEST_TLS(function) cmocka_unit_test_setup_teardown(function, begin_tls, end_tls)
#define TEST_BOTH(function) TEST(function), TEST_TLS(function)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_one_after_the_other),
        TEST_BOTH(test_head),
        TEST_BOTH(test_large),
        TEST_BOTH(test_put),
        TEST(test_continue_ignored),
        TEST_BOTH(test_continue_late),
        TEST(test_continue_in_halves),
        TEST_BOTH(test_continue_refused),
        TEST_BOTH(test_early_answer),
        TEST(test_early_answer_and_reset),
        TEST(test_rescued_answer),
        TEST(test_greeting),
        TEST_BOTH(test_stale),
        TEST(test_dies),
        TEST_BOTH(test_no_answer),
        TEST_BOTH(test_what_is_left),
        TEST(test_bad_request),
        TEST_BOTH(test_wrong_heads),
        TEST(test_nonsense),
        TEST(test_many_interims),
        TEST_BOTH(test_cut_bodies),
        TEST_BOTH(test_until_close),
        TEST_BOTH(test_deadlines),
        TEST_BOTH(test_stopped),
        TEST_BOTH(test_stopped_in_body),
        TEST(test_nobody_there),
        TEST_TLS(test_tls_resumed),
    };
    return cmocka_run_group_tests(tests, certs_begin, end_all);
}
