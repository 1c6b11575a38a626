/* net_http_head - heads of answers: what they say, at every split, and what is refused. */
#include <stdio.h>
#include <stdlib.h>

#include "net/http_head.h"
#include "support.h"

static struct http_head head;

/* Take the text in two pieces, each in heap of exactly its size; *used is the sum. */
static enum head_step
take_split(const char *text, size_t size, size_t split, size_t *used, struct fault *fault)
{
    enum head_step step = HEAD_MORE;
    size_t begins[3] = {0, split, size};

    *used = 0;
    for (int i = 0; i < 2 && step == HEAD_MORE; i++) {
        size_t piece = begins[i + 1] - begins[i], some = 0;
        char *copy = malloc(piece + (piece == 0));
        memcpy(copy, text + begins[i], piece);
        step = http_head_take(&head, copy, piece, &some, fault);
        assert_true(step != HEAD_MORE || some == piece);
        *used += some;
        free(copy);
    }
    return step;
}

static enum head_step
take(const char *text, bool bodiless, struct fault *fault)
{
    size_t used;

    *fault = (struct fault){0};
    http_head_begin(&head, bodiless, ERR_STORE);
    return take_split(text, strlen(text), 0, &used, fault);
}

static void
test_every_split(void **state)
{
    (void) state;
    static const char text[] = "HTTP/1.1 206 Partial \xc3\xa4 Content\r\n"
                               "Content-Length: 0012\r\n"
                               "ETag:\"a: b\"\r\n"
                               "x-empty:\r\n"
                               "x-blank: \t \r\n"
                               "X-Amz-Meta-Two:  two\twords \t\r\n"
                               "etag: second\r\n"
                               "\r\n"
                               "body";
    size_t head_size = sizeof text - 1 - 4;
    struct fault fault = {0};
    size_t used;

    for (size_t split = 0; split < sizeof text; split++) {
        http_head_begin(&head, false, ERR_STORE);
        assert_int_equal(take_split(text, sizeof text - 1, split, &used, &fault), HEAD_DONE);
        assert_int_equal(used, head_size);
        assert_int_equal(head.status, 206);
        assert_int_equal(head.framing, HTTP_LENGTH);
        assert_int_equal(head.length, 12);
        assert_false(head.close);
        assert_int_equal(head.headers_count, 6);
        assert_string_equal(http_head_value(&head, "etag"), "\"a: b\"");
        assert_string_equal(http_head_value(&head, "X-EMPTY"), "");
        assert_string_equal(http_head_value(&head, "x-blank"), "");
        assert_string_equal(http_head_value(&head, "x-amz-meta-two"), "two\twords");
        assert_null(http_head_value(&head, "x-amz-meta"));
    }
    for (size_t size = 0; size < head_size; size++) {
        http_head_begin(&head, false, ERR_STORE);
        assert_int_equal(take_split(text, size, size / 2, &used, &fault), HEAD_MORE);
        assert_int_equal(used, size);
    }
    assert_int_equal(fault.err, ERR_NONE);
}

static void
test_framing(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        bool bodiless;
        enum http_framing framing;
        bool close;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, HTTP_LENGTH, false},
        {"HTTP/1.1 200\r\ncontent-length:7\r\n\r\n", false, HTTP_LENGTH, false},
        {"HTTP/1.1 200 \r\nContent-Length: 7\r\nContent-Length: 7\r\n\r\n", false, HTTP_LENGTH,
         false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", false, HTTP_CHUNKED, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", true, HTTP_NO_BODY, false},
        {"HTTP/1.1 200 OK\r\n\r\n", true, HTTP_NO_BODY, false},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", false, HTTP_NO_BODY, false},
        {"HTTP/1.1 304 Not Modified\r\n\r\n", false, HTTP_NO_BODY, false},
        {"HTTP/1.1 100 Continue\r\n\r\n", false, HTTP_NO_BODY, false},
        {"HTTP/1.1 503 Slow\r\n\r\n", false, HTTP_UNTIL_CLOSE, true},
        {"HTTP/1.1 307 Elsewhere\r\n\r\n", false, HTTP_UNTIL_CLOSE, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n", false, HTTP_LENGTH,
         true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: x , CLOSE,y\r\n\r\n", false,
         HTTP_LENGTH, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n", false,
         HTTP_LENGTH, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n", false, HTTP_LENGTH, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", false, HTTP_LENGTH,
         false},
    };
    struct fault fault;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (take(cases[i].text, cases[i].bodiless, &fault) != HEAD_DONE)
            fail_msg("%s: %s", cases[i].text, fault.text);
        assert_int_equal(head.framing, cases[i].framing);
        assert_int_equal(head.close, cases[i].close);
    }
    assert_true(head.length == UINT64_MAX);
}

static void
test_refused(void **state)
{
    (void) state;
#define OK_LINE "HTTP/1.1 200 OK\r\n"
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"SSH-2.0-OpenSSH\r\n", "begins with \"SSH-2.0-OpenSSH\""},
        {"\x15\x03\x01", "begins with \"\\x15\\x03\\x01\""},
        {"HTTP/2", "begins with \"HTTP/2\""},
        {"H\r\n", "no HTTP/1.1"},
        {"\r\n", "no HTTP/1.1"},
        {"HTTP/1.1 20 OK\r\n", "no HTTP/1.1"},
        {"HTTP/1.1 2000 OK\r\n", "no HTTP/1.1"},
        {"HTTP/1.1 600 OK\r\n", "no HTTP/1.1"},
        {"HTTP/1.1 099 OK\r\n", "no HTTP/1.1"},
        {"HTTP/1.1  200 OK\r\n", "no HTTP/1.1"},
        {"HTTP/1.10 200 OK\r\n", "no HTTP/1.1"},
        {"HTTP/1. 200 OK\r\n", "no HTTP/1.1"},
        {"HTTP/1.1 2x0 OK\r\n", "no HTTP/1.1"},
        {"HTTP/1.1 200 O\rK\r\n", "no HTTP/1.1"},
        {"HTTP/1.1 200 OK\n", "without CR"},
        {OK_LINE "Content-Length: 1\n", "without CR"},
        {OK_LINE "\n", "without CR"},
        {OK_LINE "Content-Length: 1\r\nContent-Length: 2\r\n", "two lengths, 1 and 2"},
        {OK_LINE "Content-Length: 1, 1\r\n", "is no number"},
        {OK_LINE "Content-Length: +1\r\n", "is no number"},
        {OK_LINE "Content-Length: -1\r\n", "is no number"},
        {OK_LINE "Content-Length: 1 1\r\n", "is no number"},
        {OK_LINE "Content-Length: 0x10\r\n", "is no number"},
        {OK_LINE "Content-Length: 18446744073709551616\r\n", "is no number"},
        {OK_LINE "Content-Length: 99999999999999999999\r\n", "is no number"},
        {OK_LINE "Content-Length:\r\n", "length is empty"},
        {OK_LINE "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "both a length"},
        {OK_LINE "Transfer-Encoding: gzip, chunked\r\n", "is not just"},
        {OK_LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "is not just"},
        {OK_LINE "Transfer-Encoding: identity\r\n", "is not just"},
        {OK_LINE "\r\n", "says nothing about the length"},
        {OK_LINE " folded\r\n", "no proper name"},
        {OK_LINE "a: b\r\n folded: c\r\n", "header 2 of the answer has no proper name"},
        {OK_LINE "a : b\r\n", "no proper name"},
        {OK_LINE ": b\r\n", "no proper name"},
        {OK_LINE "nothing\r\n", "no proper name"},
        {OK_LINE "a: b\rc\r\n", "control character"},
        {OK_LINE "a: b\x01\r\n", "control character"},
        {OK_LINE "a: b\x7f\r\n", "control character"},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "switches protocols"},
    };
    struct fault fault;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (take(cases[i].text, false, &fault) != HEAD_FAILED)
            fail_msg("taken: %s", cases[i].text);
        assert_int_equal(fault.err, ERR_STORE);
        if (strstr(fault.text, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].text, fault.text);
    }

    /* A zero byte ends no text early. */
    size_t used;
    http_head_begin(&head, false, ERR_STORE);
    fault = (struct fault){0};
    assert_int_equal(take_split(OK_LINE "a: b\0c\r\n", 25, 0, &used, &fault), HEAD_FAILED);
}

/* As many headers, and as many bytes, as there may be, and one more. */
static void
test_limits(void **state)
{
    (void) state;
    char *text = malloc(HTTP_HEAD_BYTES_MAX + 64);
    struct fault fault;

    for (int more = 0; more <= 1; more++) {
        size_t at = (size_t) snprintf(text, 64, OK_LINE);
        for (int i = 0; i < HTTP_HEADERS_MAX - 1 + more; i++)
            at += (size_t) snprintf(text + at, 64, "x: y\r\n");
        snprintf(text + at, 64, "content-length: 1\r\n\r\n");
        assert_int_equal(take(text, false, &fault), more ? HEAD_FAILED : HEAD_DONE);
    }
    assert_non_null(strstr(fault.text, "more than 100 headers"));

    for (int more = 0; more <= 1; more++) {
        size_t at = (size_t) snprintf(text, 64, OK_LINE "content-length: 1\r\nx: ");
        memset(text + at, 'a', HTTP_HEAD_BYTES_MAX);
        memcpy(text + HTTP_HEAD_BYTES_MAX - 4 + more, "\r\n\r\n", 5);
        assert_int_equal(take(text, false, &fault), more ? HEAD_FAILED : HEAD_DONE);
    }
    assert_non_null(strstr(fault.text, "more than 32768 bytes"));
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
