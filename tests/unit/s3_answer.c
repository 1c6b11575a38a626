/* s3_answer - what each answer means. */
#include "s3/s3_answer.h"
#include "support.h"

#include <stdio.h>

static const uint64_t noon_ms = 1763812800000; /* Sat, 22 Nov 2025 12:00:00 GMT */

static struct s3_answer
read_answer(const char *method, unsigned status, const char *body, struct answer_source source)
{
    struct s3_answer answer;

    source.method = method;
    source.status = status;
    source.body = body;
    source.body_size = body == NULL ? 0 : strlen(body);
    source.region = "us-east-1";
    source.signed_ms = noon_ms;
    s3_answer_read(&answer, &source);
    assert_int_equal(answer.status, status);
    return answer;
}

static void
check_kind(const char *method, unsigned status, const char *body, enum answer_kind kind)
{
    struct s3_answer answer = read_answer(method, status, body, (struct answer_source){0});

    if (answer.kind != kind)
        fail_msg("%s %u %s is of kind %d, not %d", method, status, body, answer.kind, kind);
}

static void
test_statuses(void **state)
{
    (void) state;
    static const struct {
        unsigned status;
        enum answer_kind kind;
    } kinds[] = {
        {200, ANSWER_GOOD}, {204, ANSWER_GOOD}, {206, ANSWER_GOOD},
        {301, ANSWER_ELSEWHERE}, {302, ANSWER_ELSEWHERE}, {307, ANSWER_ELSEWHERE},
        {304, ANSWER_FINAL}, {400, ANSWER_FINAL}, {403, ANSWER_FINAL}, {404, ANSWER_FINAL},
        {405, ANSWER_FINAL}, {409, ANSWER_FINAL}, {411, ANSWER_FINAL}, {412, ANSWER_FINAL},
        {416, ANSWER_FINAL}, {501, ANSWER_FINAL}, {505, ANSWER_FINAL},
        {408, ANSWER_TRANSIENT}, {500, ANSWER_TRANSIENT}, {502, ANSWER_TRANSIENT},
        {503, ANSWER_TRANSIENT}, {504, ANSWER_TRANSIENT}, {520, ANSWER_TRANSIENT},
        {429, ANSWER_THROTTLED},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        check_kind("PUT", kinds[i].status, NULL, kinds[i].kind);
}

static void
check_code(unsigned status, const char *code, enum answer_kind kind)
{
    char body[256];

    snprintf(body, sizeof body,
             "<?xml version=\"1.0\"?>\n<Error><Code>%s</Code><Message>m</Message></Error>", code);
    struct s3_answer answer = read_answer("PUT", status, body, (struct answer_source){0});
    assert_string_equal(answer.code, code);
    assert_string_equal(answer.message, "m");
    if (answer.kind != kind)
        fail_msg("%u %s is of kind %d, not %d", status, code, answer.kind, kind);
}

static void
test_codes(void **state)
{
    (void) state;
    check_code(400, "RequestTimeout", ANSWER_TRANSIENT);
    check_code(400, "IncompleteBody", ANSWER_TRANSIENT);
    check_code(409, "OperationAborted", ANSWER_TRANSIENT);
    check_code(409, "ConditionalRequestConflict", ANSWER_TRANSIENT);
    check_code(409, "BucketNotEmpty", ANSWER_FINAL);
    check_code(503, "SlowDown", ANSWER_THROTTLED);
    check_code(400, "ThrottlingException", ANSWER_THROTTLED);
    check_code(400, "AuthorizationHeaderMalformed", ANSWER_ELSEWHERE);
    check_code(400, "IllegalLocationConstraintException", ANSWER_ELSEWHERE);
    check_code(403, "RequestTimeTooSkewed", ANSWER_SKEWED);
    check_code(400, "ExpiredToken", ANSWER_KEYS);
    check_code(403, "InvalidAccessKeyId", ANSWER_KEYS);
    check_code(403, "SignatureDoesNotMatch", ANSWER_KEYS);
    check_code(403, "AccessDenied", ANSWER_FINAL);
    check_code(404, "NoSuchUpload", ANSWER_FINAL);
    check_code(400, "EntityTooSmall", ANSWER_FINAL);
    check_code(501, "NotImplemented", ANSWER_FINAL);
    assert_true(s3_code_transient("SlowDown"));
    assert_true(s3_code_transient("InternalError"));
    assert_false(s3_code_transient("AccessDenied"));
    assert_false(s3_code_transient(""));
}

static void
test_md5(void **state)
{
    (void) state;
    static const char wanted[] = "<Error><Code>InvalidRequest</Code><Message>Missing required "
                                 "header for this request: Content-MD5</Message></Error>";

    check_kind("PUT", 400, wanted, ANSWER_UNDIGESTED);
    check_kind("PUT", 403, wanted, ANSWER_FINAL);
}

/* 200 is not enough. */
static void
test_good_only_when_whole(void **state)
{
    (void) state;
    static const char whole[] = "<C><ETag>\"e\"</ETag></C>";
    struct answer_source source = {.must = "C/ETag"};
    struct s3_answer answer;
    char half[sizeof whole];

    assert_int_equal(read_answer("POST", 200, whole, source).kind, ANSWER_GOOD);
    assert_int_equal(read_answer("POST", 200, "  \n\n<C><ETag>\"e\"</ETag></C>", source).kind,
                     ANSWER_GOOD);
    for (size_t size = 0; size + 1 < sizeof whole; size++) {
        memcpy(half, whole, size);
        half[size] = '\0';
        assert_int_equal(read_answer("POST", 200, half, source).kind, ANSWER_TRANSIENT);
    }
    assert_int_equal(read_answer("POST", 200, NULL, source).kind, ANSWER_TRANSIENT);
    assert_int_equal(read_answer("POST", 200, "<C></C>", source).kind, ANSWER_TRANSIENT);
    assert_int_equal(read_answer("POST", 200, "<html>log in</html>", source).kind,
                     ANSWER_TRANSIENT);
    answer = read_answer("POST", 200,
                         "<Error><Code>InternalError</Code><Message>Sorry</Message></Error>",
                         source);
    assert_int_equal(answer.kind, ANSWER_TRANSIENT);
    struct text text = {0};
    s3_answer_text(&answer, &text);
    assert_string_equal(text_of(&text), "200 InternalError (Sorry)");
    text_clear(&text);
    answer = read_answer("POST", 200, "<C>", source);
    s3_answer_text(&answer, &text);
    assert_string_equal(text_of(&text), "200 (without a whole C/ETag)");
    text_free(&text);
}

static void
test_regions(void **state)
{
    (void) state;
    static const char body[] = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m"
                               "</Message><Region>eu-west-1</Region></Error>";
    struct answer_source header = {.bucket_region = "eu-north-1"};

    assert_string_equal(read_answer("PUT", 400, body, (struct answer_source){0}).region,
                        "eu-west-1");
    assert_string_equal(read_answer("PUT", 400, body, header).region, "eu-north-1");
    /* HEAD has no body to say it. */
    assert_int_equal(read_answer("HEAD", 400, NULL, header).kind, ANSWER_ELSEWHERE);
    assert_int_equal(read_answer("HEAD", 301, NULL, (struct answer_source){0}).kind,
                     ANSWER_ELSEWHERE);
    header.bucket_region = "us-east-1";
    assert_int_equal(read_answer("HEAD", 400, NULL, header).kind, ANSWER_KEYS);
    assert_int_equal(read_answer("HEAD", 403, NULL, header).kind, ANSWER_KEYS);
    assert_int_equal(read_answer("HEAD", 404, NULL, header).kind, ANSWER_FINAL);
    assert_int_equal(read_answer("PUT", 400, NULL, header).kind, ANSWER_FINAL);
}

static void
test_clocks(void **state)
{
    (void) state;
    struct answer_source near = {.date = "Sat, 22 Nov 2025 12:03:59 GMT"};
    struct answer_source far = {.date = "Sat, 22 Nov 2025 12:04:01 GMT"};
    struct answer_source past = {.date = "Sat, 22 Nov 2025 11:55:59 GMT"};
    static const char denied[] = "<Error><Code>AccessDenied</Code></Error>";

    assert_int_equal(read_answer("PUT", 403, denied, near).kind, ANSWER_FINAL);
    assert_int_equal(read_answer("PUT", 403, denied, far).kind, ANSWER_SKEWED);
    assert_int_equal(read_answer("PUT", 403, denied, past).kind, ANSWER_SKEWED);
    assert_int_equal(read_answer("HEAD", 400, NULL, far).kind, ANSWER_SKEWED);
    assert_int_equal(read_answer("PUT", 404, NULL, far).kind, ANSWER_FINAL);
    assert_int_equal(read_answer("PUT", 200, NULL, far).date_ms, noon_ms + 241000);
    /* Dates that nobody should believe. */
    static const char *const odd[] = {"Thu, 01 Jan 1970 00:00:00 GMT", "now", "",
                                      "Fri, 01 Jan 2100 00:00:00 GMT"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct s3_answer answer =
            read_answer("PUT", 403, denied, (struct answer_source){.date = odd[i]});
        assert_int_equal(answer.kind, ANSWER_FINAL);
        assert_int_equal(answer.date_ms, 0);
    }
    far.age = "7";
    assert_int_equal(read_answer("PUT", 403, denied, far).kind, ANSWER_FINAL);
}

static void
test_words(void **state)
{
    (void) state;
    char words[12], message[400], body[600];
    struct s3_answer answer;

    s3_words_copy(words, sizeof words, "a\r\nb\x1b[1m");
    assert_string_equal(words, "a??b?[1m");
    s3_words_copy(words, sizeof words, "elevenchars");
    assert_string_equal(words, "elevenchars");
    s3_words_copy(words, sizeof words, "twelve chars");
    assert_string_equal(words, "twelve c...");
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    snprintf(body, sizeof body, "<Error><Message>%s</Message></Error>", message);
    answer = read_answer("PUT", 400, body, (struct answer_source){0});
    assert_int_equal(strlen(answer.message), ANSWER_MESSAGE_MAX - 1);
    /* Half an error says what it says. */
    answer = read_answer("PUT", 500, "<Error><Code>SlowDown</Code><Mess",
                         (struct answer_source){0});
    assert_string_equal(answer.code, "SlowDown");
    assert_int_equal(answer.kind, ANSWER_THROTTLED);
    answer = read_answer("PUT", 500, "<html><body>Bad</body>", (struct answer_source){0});
    assert_string_equal(answer.code, "");
}

static void
test_wishes(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        uint64_t ms;
    } wishes[] = {
        {"3", 3000}, {"0", 0}, {"120", 120000}, {"", 0}, {"-1", 0}, {"99999999", 0},
        {"Sat, 22 Nov 2025 12:00:00 GMT", 0},
    };

    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++)
        assert_int_equal(read_answer("PUT", 503, NULL,
                                     (struct answer_source){.retry_after = wishes[i].text}).wish_ms,
                         wishes[i].ms);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_md5),
        cmocka_unit_test(test_good_only_when_whole),
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_wishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
