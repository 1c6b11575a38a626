/* net_http_body - where bodies end: lengths and chunks, at every split, and what is refused. */
#include <stdio.h>
#include <stdlib.h>

#include "net/http_body.h"
#include "support.h"

/* Push a piece through: data goes to out.  False when it is refused; *used is what was taken. */
static bool
push(struct http_body *body, const char *data, size_t size, size_t *used, struct bytes *out,
     struct fault *fault)
{
    char *copy = malloc(size + (size == 0)); /* exactly as large as the piece */
    bool good = true;

    memcpy(copy, data, size);
    for (*used = 0; good && *used < size && !http_body_done(body);) {
        uint64_t run = http_body_run(body);
        size_t some = size - *used;
        if (run > 0) {
            some = run < some ? (size_t) run : some;
            bytes_add(out, copy + *used, some);
            http_body_pass(body, some);
        } else {
            good = http_body_take(body, copy + *used, some, &some, fault);
        }
        *used += some;
    }
    free(copy);
    return good;
}

static void
begin(struct http_body *body, enum http_framing framing, uint64_t length)
{
    static struct http_head head;

    http_head_begin(&head, false, ERR_STORE);
    head.framing = framing;
    head.length = length;
    http_body_begin(body, &head);
}

static const char chunked[] = "5\r\nhello\r\n"
                              "00B;name=\"value\";x\r\n, chunked \n\r\n"
                              "5 \t\r\nworld\r\n"
                              "0;last\r\n"
                              "x-amz-checksum-crc32c: AAAAAA==\r\n"
                              "second:\r\n"
                              "\r\n"
                              "HTTP/1.1";
static const char decoded[] = "hello, chunked \nworld";

static void
test_every_split(void **state)
{
    (void) state;
    size_t size = sizeof chunked - 1, body_size = size - 8;
    struct fault fault = {0};

    for (size_t split = 0; split <= size; split++) {
        struct http_body body;
        struct bytes out = {0};
        size_t first, second = 0;
        begin(&body, HTTP_CHUNKED, 0);
        assert_true(push(&body, chunked, split, &first, &out, &fault));
        assert_int_equal(first, split < body_size ? split : body_size);
        assert_int_equal(http_body_done(&body), split >= body_size);
        assert_true(push(&body, chunked + split, size - split, &second, &out, &fault));
        assert_true(http_body_done(&body));
        assert_int_equal(first + second, body_size);
        assert_int_equal(out.size, sizeof decoded - 1);
        assert_memory_equal(out.data, decoded, out.size);
        bytes_free(&out);
    }
}

/* Every proper prefix of a body is cut short, and says so. */
static void
test_cut(void **state)
{
    (void) state;
    struct http_body body;
    struct bytes out = {0};
    size_t used;

    for (size_t size = 0; size < sizeof chunked - 1 - 8; size++) {
        struct fault fault = {0};
        begin(&body, HTTP_CHUNKED, 0);
        assert_true(push(&body, chunked, size, &used, &out, &fault));
        assert_false(http_body_cut(&body, &fault));
        assert_int_equal(fault.err, ERR_STORE);
    }
    for (size_t size = 0; size <= 5; size++) {
        struct fault fault = {0};
        begin(&body, HTTP_LENGTH, 5);
        assert_int_equal(http_body_run(&body), 5);
        assert_true(push(&body, "12345", size, &used, &out, &fault));
        assert_int_equal(http_body_done(&body), size == 5);
        assert_int_equal(http_body_cut(&body, &fault), size == 5);
        if (size == 3)
            assert_string_equal(fault.text, "the answer ends 2 bytes before its end");
    }
    bytes_free(&out);
}

static void
test_without_framing(void **state)
{
    (void) state;
    struct http_body body;
    struct fault fault = {0};
    struct bytes out = {0};
    size_t used;

    begin(&body, HTTP_NO_BODY, 5);
    assert_true(http_body_done(&body));
    begin(&body, HTTP_LENGTH, 0);
    assert_true(http_body_done(&body));
    begin(&body, HTTP_UNTIL_CLOSE, 0);
    assert_true(push(&body, "anything", 8, &used, &out, &fault));
    assert_int_equal(used, 8);
    assert_false(http_body_done(&body));
    assert_true(http_body_cut(&body, &fault));
    assert_true(http_body_done(&body));
    bytes_free(&out);
}

static void
test_refused(void **state)
{
    (void) state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"\r\n", "no hexadecimal number"},
        {" 5\r\n", "no hexadecimal number"},
        {"-1\r\n", "no hexadecimal number"},
        {"0x5\r\n", "no hexadecimal number"},
        {"g\r\n", "no hexadecimal number"},
        {";a\r\n", "no hexadecimal number"},
        {"5\n", "no hexadecimal number"},
        {"5\r\r\n", "does not end"},
        {"5;a\n", "control character"},
        {"5\r\nhelloX", "does not end"},
        {"5\r\nhello\n", "does not end"},
        {"5\r\nhello\rX", "does not end"},
        {"00000000000000001\r\n", "more than 16 digits"},
        {"0\r\nX: a\nb", "control character"},
        {"0\r\nX: a\rb", "does not end"},
        {"0\r\n\rX", "does not end"},
        {"0\r\n\n", "control character"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_body body;
        struct fault fault = {0};
        struct bytes out = {0};
        size_t used;
        begin(&body, HTTP_CHUNKED, 0);
        if (push(&body, cases[i].text, strlen(cases[i].text), &used, &out, &fault))
            fail_msg("taken: %s", cases[i].text);
        if (strstr(fault.text, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].text, fault.text);
        bytes_free(&out);
    }
}

/* A prefix, then filler without end: refused after about that many bytes. */
static void
check_bounded(const char *prefix, const char *filler, size_t most)
{
    struct http_body body;
    struct fault fault = {0};
    struct bytes out = {0};
    size_t total = 0, used;

    begin(&body, HTTP_CHUNKED, 0);
    assert_true(push(&body, prefix, strlen(prefix), &used, &out, &fault));
    while (push(&body, filler, strlen(filler), &used, &out, &fault)) {
        total += used;
        assert_true(total <= most);
    }
    assert_true(total + strlen(filler) + 8 > most);
    bytes_free(&out);
}

static void
test_limits(void **state)
{
    (void) state;
    struct http_body body;
    struct fault fault = {0};
    struct bytes out = {0};
    size_t used;

    check_bounded("1;", "extension", HTTP_CHUNK_LINE_MAX);
    check_bounded("1\r\nx\r\n1;", "extension", HTTP_CHUNK_LINE_MAX);
    check_bounded("0\r\n", "trailer", HTTP_TRAILER_BYTES_MAX);
    check_bounded("0\r\n", "a: b\r\n", HTTP_TRAILER_BYTES_MAX);
    begin(&body, HTTP_CHUNKED, 0);
    assert_true(push(&body, "FfFfFfFfFfFfFfFf\r\n", 18, &used, &out, &fault));
    assert_true(http_body_run(&body) == UINT64_MAX);
    bytes_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_without_framing),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
