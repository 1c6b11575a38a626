/* net_http_question - the heads of requests, byte by byte. */
#include <stdio.h>
#include <stdlib.h>

#include "net/http_question.h"
#include "support.h"

static struct http_question question;
static const struct url url = {.port = 9000, .port_given = true, .host = "::1"};

static void
check(const struct http_request *request, const char *expected)
{
    struct fault fault = {0};

    assert_true(http_question_write(&question, request, &url, ERR_STORE, &fault));
    assert_int_equal(question.size, strlen(expected));
    assert_memory_equal(question.bytes, expected, question.size);
}

static void
test_heads(void **state)
{
    (void) state;
    const struct http_header headers[] = {{"x-amz-date", "20150830T123600Z"}, {"x-empty", ""}};
    const struct http_header with_host[] = {{"HOST", "bucket"}};

    check(&(struct http_request){.method = "GET", .target = "/a%20b?x=", .headers = headers,
                                 .headers_count = 2},
          "GET /a%20b?x= HTTP/1.1\r\nx-amz-date: 20150830T123600Z\r\nx-empty: \r\n"
          "Host: [::1]:9000\r\n\r\n");
    check(&(struct http_request){.method = "PUT", .target = "/", .headers = with_host,
                                 .headers_count = 1},
          "PUT / HTTP/1.1\r\nHOST: bucket\r\nContent-Length: 0\r\n\r\n");
    check(&(struct http_request){.method = "POST", .target = "/", .headers = with_host,
                                 .headers_count = 1, .expect_continue = true},
          "POST / HTTP/1.1\r\nHOST: bucket\r\nContent-Length: 0\r\n\r\n");
    check(&(struct http_request){.method = "PUT", .target = "/", .headers = with_host,
                                 .headers_count = 1, .body = "12345", .body_size = 5,
                                 .expect_continue = true},
          "PUT / HTTP/1.1\r\nHOST: bucket\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    check(&(struct http_request){.method = "DELETE", .target = "/", .headers = with_host,
                                 .headers_count = 1},
          "DELETE / HTTP/1.1\r\nHOST: bucket\r\n\r\n");
}

/* A line break in a token or a name must not become a line of the request. */
static void
test_refused(void **state)
{
    (void) state;
    static const char *const values[] = {"secret\n", "secret\r\nx: y", "\x01secret", "secret\x7f"};
    static const char *const targets[] = {"/secret secret", "/secret\n", "/secret\x7f"};
    struct http_header header = {.name = "x-amz-security-token"};
    struct http_request request = {
        .method = "GET", .target = "/", .headers = &header, .headers_count = 1};

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct fault fault = {0};
        header.value = values[i];
        assert_false(http_question_write(&question, &request, &url, ERR_STORE, &fault));
        assert_non_null(strstr(fault.text, "x-amz-security-token"));
        assert_null(strstr(fault.text, "secret\n"));
    }
    header.value = "";
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct fault fault = {0};
        request.target = targets[i];
        assert_false(http_question_write(&question, &request, &url, ERR_STORE, &fault));
        assert_non_null(strstr(fault.text, "target"));
    }
}

/* Around the limit it is whole or refused. */
static void
test_limit(void **state)
{
    (void) state;
    char *value = malloc(HTTP_HEAD_BYTES_MAX + 1);
    struct http_header header = {.name = "x", .value = value};
    struct http_request request = {
        .method = "GET", .target = "/", .headers = &header, .headers_count = 1};
    size_t whole = 0, refused = 0;

    memset(value, 'a', HTTP_HEAD_BYTES_MAX);
    for (size_t size = HTTP_HEAD_BYTES_MAX - 100; size < HTTP_HEAD_BYTES_MAX; size++) {
        struct fault fault = {0};
        value[size] = '\0';
        if (http_question_write(&question, &request, &url, ERR_STORE, &fault)) {
            assert_int_equal(refused, 0);
            assert_true(question.size < HTTP_HEAD_BYTES_MAX);
            assert_memory_equal(question.bytes + question.size - 4, "\r\n\r\n", 4);
            whole++;
        } else {
            assert_non_null(strstr(fault.text, "32768"));
            refused++;
        }
        value[size] = 'a';
    }
    assert_true(whole > 0 && refused > 0);
    free(value);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
