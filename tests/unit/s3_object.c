/* s3_object - put, head, get and delete against a store that answers as it is told. */
#include "s3_script.h"

static const char error_500[] = "<Error><Code>InternalError</Code><Message>We encountered an "
                                "internal error.</Message></Error>";

static void
test_put(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT /bucket/dump-1/a%20key%2B.zst HTTP/1.1\r\n", .status = 200,
         .headers = "ETag: \"e1\"\r\n",
         .holds = "Credential=AKID/", .lacks = "content-md5"},
        {.asks = "PUT /bucket/empty ", .status = 200, .headers = "ETag: \"e2\"\r\n",
         .holds = "Content-Length: 0\r\n"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    config.sse = "aws:kms";
    config.kms_key = "arn:aws:kms:eu:1:key/2";
    config.storage_class = "STANDARD_IA";
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};
    char etag[S3_ETAG_MAX];

    assert_true(s3_put(s3, "dump-1/a key+.zst", "hello", 5, NULL, NULL, etag, &fault));
    assert_string_equal(etag, "\"e1\"");
    assert_true(s3_put(s3, "empty", "", 0, NULL, NULL, NULL, &fault));
    s3_close(s3);
    script_end(&script);
    const char *request = text_of(&script.requests[0]);
    assert_non_null(strstr(request, "\r\nx-amz-server-side-encryption: aws:kms\r\n"));
    assert_non_null(strstr(
        request, "\r\nx-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:eu:1:key/2\r\n"));
    assert_non_null(strstr(request, "\r\nx-amz-storage-class: STANDARD_IA\r\n"));
    /* sha256 of "hello" */
    assert_non_null(strstr(request, "\r\nx-amz-content-sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e"
                                    "1b161e5c1fa7425e73043362938b9824\r\n"));
    assert_non_null(strstr(request, "/us-east-1/s3/aws4_request"));
    assert_null(strstr(request, "hush"));
    script_free(&script);
}

static void
test_put_conditions(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT /bucket/k ", .status = 200, .headers = "ETag: \"e1\"\r\n",
         .holds = "\r\nif-none-match: *\r\n"},
        {.asks = "PUT /bucket/k ", .status = 412,
         .body = "<Error><Code>PreconditionFailed</Code></Error>",
         .holds = "\r\nif-none-match: *\r\n"},
        {.asks = "PUT /bucket/k ", .status = 412, .holds = "\r\nif-match: \"e1\"\r\n"},
        {.asks = "PUT /bucket/k ", .status = 404, .body = "<Error><Code>NoSuchKey</Code></Error>"},
        {.asks = "PUT /bucket/k ", .status = 404,
         .body = "<Error><Code>NoSuchBucket</Code></Error>"},
        {.asks = "PUT /bucket/k ", .status = 409,
         .body = "<Error><Code>ConditionalRequestConflict</Code></Error>"},
        {.asks = "PUT /bucket/k ", .status = 200, .headers = "ETag: \"e2\"\r\n"},
        {.asks = "PUT /bucket/k ", .status = 501,
         .body = "<Error><Code>NotImplemented</Code></Error>"},
    };
    static const struct s3_condition absent = {S3_IF_ABSENT, NULL}, same = {S3_IF_MATCH, "\"e1\""};
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};
    char etag[S3_ETAG_MAX];
    bool refused;

    assert_true(s3_put(s3, "k", "x", 1, &absent, &refused, etag, &fault));
    assert_false(refused);
    assert_string_equal(etag, "\"e1\"");
    assert_true(s3_put(s3, "k", "x", 1, &absent, &refused, NULL, &fault));
    assert_true(refused);
    assert_true(s3_put(s3, "k", "x", 1, &same, &refused, NULL, &fault));
    assert_true(refused);
    assert_true(s3_put(s3, "k", "x", 1, &same, &refused, NULL, &fault));
    assert_true(refused);
    assert_false(s3_put(s3, "k", "x", 1, &same, &refused, NULL, &fault));
    assert_says(fault, "404 NoSuchBucket; the bucket must exist");
    fault = (struct fault){0};
    assert_true(s3_put(s3, "k", "x", 1, &same, &refused, etag, &fault));
    assert_false(refused);
    assert_string_equal(etag, "\"e2\"");
    assert_false(s3_put(s3, "k", "x", 1, &same, &refused, NULL, &fault));
    assert_says(fault, "unable to put k into http://127.0.0.1:");
    assert_says(fault, "/bucket: 501 NotImplemented");
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* The first PUT arrived, but its answer did not: the condition refuses the next one, and the mark
 * tells whether what is there is ours. */
static void
check_lost_put(const char *headers, bool ours)
{
    struct turn turns[] = {
        {.asks = "PUT /bucket/k ", .way = SCRIPT_CUT},
        {.asks = "PUT /bucket/k ", .status = 500, .body = error_500},
        {.asks = "PUT /bucket/k ", .status = 412},
        {.asks = "HEAD /bucket/k ", .status = 200, .headers = headers, .way = SCRIPT_BAREHEAD},
    };
    static const struct s3_condition absent = {S3_IF_ABSENT, NULL};
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};
    char etag[S3_ETAG_MAX];
    bool refused;

    assert_true(s3_put(s3, "k", "abc", 3, &absent, &refused, etag, &fault));
    assert_int_equal(refused, !ours);
    if (ours)
        assert_string_equal(etag, "\"e7\"");
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

static void
test_put_whose_answer_was_lost(void **state)
{
    (void) state;
    check_lost_put("Content-Length: 3\r\nETag: \"e7\"\r\nx-amz-meta-replica-mark: $MARK\r\n",
                   true);
    check_lost_put("Content-Length: 3\r\nETag: \"e7\"\r\nx-amz-meta-replica-mark: else\r\n",
                   false);
    check_lost_put("Content-Length: 4\r\nETag: \"e7\"\r\nx-amz-meta-replica-mark: $MARK\r\n",
                   false);
    check_lost_put("Content-Length: 3\r\nETag: \"e7\"\r\n", false);
}

/* ---- head, get -------------------------------------------------------------------------- */

static void
test_head(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "HEAD /bucket/k ", .status = 200,
         .headers = "Content-Length: 12345678901\r\nETag: \"e\"\r\n", .way = SCRIPT_BAREHEAD},
        {.asks = "HEAD /bucket/k ", .status = 404},
        {.asks = "HEAD /bucket/k ", .status = 403},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};
    struct s3_head head;

    assert_true(s3_head(s3, "k", &head, &fault));
    assert_true(head.exists);
    assert_int_equal(head.bytes, 12345678901);
    assert_string_equal(head.etag, "\"e\"");
    assert_string_equal(head.mark, "");
    assert_true(s3_head(s3, "k", &head, &fault));
    assert_false(head.exists);
    assert_false(s3_head(s3, "k", &head, &fault));
    assert_says(fault, "unable to look at k in http://127.0.0.1:");
    assert_says(fault, ": 403; the keys from the environment may lack s3:GetObject, or s3:List");
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* Read to the end, size bytes at a time. */
static bool
get_all(struct s3 *s3, const char *key, size_t size, struct text *text, struct fault *fault)
{
    struct s3_get *get;
    char piece[64];
    size_t got = 0;
    bool done;

    text_clear(text);
    assert_true(size <= sizeof piece);
    assert_true(s3_get_begin(s3, key, &get, fault));
    assert_non_null(get);
    do {
        done = s3_get_read(get, piece, size, &got, fault);
        if (done)
            text_add_bytes(text, piece, got);
    } while (done && got > 0);
    s3_get_end(get);
    return done;
}

static void
test_get(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "GET /bucket/k ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .body = "0123456789", .lacks = "\r\nrange:"},
        {.asks = "GET /bucket/none ", .status = 404,
         .body = "<Error><Code>NoSuchKey</Code></Error>"},
        {.asks = "GET /bucket/empty ", .status = 200, .headers = "ETag: \"e\"\r\n"},
        {.asks = "GET /bucket/k ", .status = 404,
         .body = "<Error><Code>NoSuchBucket</Code><Message>No</Message></Error>"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};
    struct text text = {0};
    struct s3_get *get;

    assert_true(get_all(s3, "k", 3, &text, &fault));
    assert_string_equal(text_of(&text), "0123456789");
    assert_true(s3_get_begin(s3, "none", &get, &fault));
    assert_null(get);
    assert_true(get_all(s3, "empty", 3, &text, &fault));
    assert_int_equal(text.size, 0);
    assert_false(s3_get_begin(s3, "k", &get, &fault));
    assert_null(get);
    assert_says(fault, "unable to read k from http://127.0.0.1:");
    assert_says(fault, "404 NoSuchBucket (No); the bucket must exist");
    s3_get_end(NULL);
    text_free(&text);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* Broken twice, then once more where Range is not known: every byte comes once. */
static void
test_get_resumes(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "GET /bucket/k ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .body = "0123456789", .way = SCRIPT_HALF},
        {.asks = "GET /bucket/k ", .status = 206,
         .headers = "ETag: \"e\"\r\nContent-Range: bytes 5-9/10\r\n", .body = "56789",
         .way = SCRIPT_HALF, .holds = "\r\nrange: bytes=5-\r\n"},
        {.asks = "GET /bucket/k ", .status = 503, .holds = "\r\nif-match: \"e\"\r\n"},
        {.asks = "GET /bucket/k ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .body = "0123456789", .holds = "\r\nrange: bytes=7-\r\n"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};
    struct text text = {0};

    assert_true(get_all(s3, "k", 4, &text, &fault));
    assert_string_equal(text_of(&text), "0123456789");
    text_free(&text);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* A weak ETag matches no If-Match, so it is only compared. */
static void
test_get_weak(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "GET /bucket/k ", .status = 200, .headers = "ETag: W/\"e\"\r\n",
         .body = "0123456789", .way = SCRIPT_HALF},
        {.asks = "GET /bucket/k ", .status = 206,
         .headers = "ETag: W/\"e\"\r\nContent-Range: bytes 5-9/10\r\n", .body = "56789",
         .holds = "\r\nrange: bytes=5-\r\n", .lacks = "if-match"},
        {.asks = "GET /bucket/k ", .status = 200, .headers = "ETag: W/\"e\"\r\n",
         .body = "0123456789", .way = SCRIPT_HALF},
        {.asks = "GET /bucket/k ", .status = 206,
         .headers = "ETag: W/\"f\"\r\nContent-Range: bytes 5-9/10\r\n", .body = "56789"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};
    struct text text = {0};

    assert_true(get_all(s3, "k", 64, &text, &fault));
    assert_string_equal(text_of(&text), "0123456789");
    assert_false(get_all(s3, "k", 64, &text, &fault));
    assert_says(fault, "was replaced while it was read");
    text_free(&text);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* Whatever comes instead of the rest: one sentence, and no byte of it. */
static void
test_get_replaced(void **state)
{
    (void) state;
    static const struct {
        struct turn turn;
        const char *says;
    } others[] = {
        {{.status = 412}, "was replaced while it was read"},
        {{.status = 416}, "was replaced while it was read"},
        {{.status = 404}, "was deleted while it was read"},
        {{.status = 206, .headers = "ETag: \"f\"\r\nContent-Range: bytes 5-9/10\r\n",
          .body = "56789"}, "was replaced while it was read"},
        {{.status = 200, .headers = "ETag: \"f\"\r\n", .body = "0123456789"},
         "was replaced while it was read"},
        {{.status = 206, .headers = "ETag: \"e\"\r\nContent-Range: bytes 4-9/10\r\n",
          .body = "456789"}, "the store gave something else (bytes 4-9/10)"},
        {{.status = 200, .headers = "ETag: \"e\"\r\n", .body = "012345678"},
         "the store gave something else"},
    };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct turn turns[] = {
            {.asks = "GET /bucket/k ", .status = 200, .headers = "ETag: \"e\"\r\n",
             .body = "0123456789", .way = SCRIPT_HALF},
            others[i].turn,
        };
        turns[1].asks = "GET /bucket/k ";
        struct script script;
        SCRIPT(&script, turns);
        struct s3_config config = script_config(&script);
        struct s3 *s3 = script_client(&script, &config);
        struct fault fault = {0};
        struct text text = {0};

        assert_false(get_all(s3, "k", 64, &text, &fault));
        assert_int_equal(fault.err, ERR_STORE);
        assert_says(fault, others[i].says);
        assert_string_equal(text_of(&text), "01234");
        text_free(&text);
        s3_close(s3);
        script_end(&script);
        script_free(&script);
    }
}

/* A store that gives a byte now and then is borne; one that breaks without any, not for long. */
static void
test_get_without_progress(void **state)
{
    (void) state;
    static const char range[] = "ETag: \"e\"\r\nContent-Length: 9\r\n"
                                "Content-Range: bytes 1-9/10\r\n";
    static const struct turn turns[] = {
        {.asks = "GET ", .status = 200, .headers = "ETag: \"e\"\r\nContent-Length: 10\r\n",
         .body = "01", .way = SCRIPT_HALF},
        {.asks = "GET ", .status = 206, .headers = range, .body = "", .way = SCRIPT_HALF},
        {.asks = "GET ", .status = 206, .headers = range, .body = "", .way = SCRIPT_HALF},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};
    struct text text = {0};

    assert_false(get_all(s3, "k", 64, &text, &fault));
    assert_says(fault, "at byte 1 of 10, 3 times in ");
    text_free(&text);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* The run is stopped in the middle of a body. */
static void
test_get_stopped(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "GET ", .status = 200, .headers = "ETag: \"e\"\r\nContent-Length: 10\r\n",
         .body = "0123456789", .way = SCRIPT_STOP_HALF},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};
    struct s3_get *get;
    char piece[16];
    size_t got;

    if (s3_get_begin(s3, "k", &get, &fault)) {
        assert_string_equal(s3_get_etag(get), "\"e\"");
        while (s3_get_read(get, piece, sizeof piece, &got, &fault))
            assert_in_range(got, 1, 5);
        s3_get_end(get);
    }
    assert_int_equal(fault.err, ERR_STOPPED);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* Without a length nobody could know that the end is the end. */
static void
test_get_without_length(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "GET ", .status = 200,
         .headers = "ETag: \"e\"\r\nTransfer-Encoding: chunked\r\nX: Content-Length:\r\n",
         .body = "3\r\nabc\r\n0\r\n\r\n"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};
    struct s3_get *get;

    assert_false(s3_get_begin(s3, "k", &get, &fault));
    assert_null(get);
    assert_says(fault, "the store does not say how long it is");
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* ---- delete ------------------------------------------------------------------------------- */

static void
test_delete(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "DELETE /bucket/one ", .status = 204},
        {.asks = "DELETE /bucket/none ", .status = 404},
        {.asks = "POST /bucket?delete= ", .status = 200, .body = "<DeleteResult/>",
         .holds = "<Object><Key>a&amp;b&lt;&#10;</Key></Object><Object><Key>c</Key></Object>"},
        /* one is gone, one is busy, one is not known: the busy one is tried again */
        {.asks = "POST /bucket?delete= ", .status = 200, .holds = "\r\ncontent-md5: ",
         .body = "<DeleteResult><Error><Key>b</Key><Code>InternalError</Code></Error>"
                 "<Error><Key>c</Key><Code>NoSuchKey</Code></Error></DeleteResult>"},
        {.asks = "POST /bucket?delete= ", .status = 200, .body = "<DeleteResult></DeleteResult>",
         .holds = "<Quiet>true</Quiet><Object><Key>b</Key></Object></Delete>"},
        {.asks = "POST /bucket?delete= ", .status = 200,
         .body = "<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message>"
                 "</Error></DeleteResult>"},
    };
    static const char *const two[] = {"a&b<\n", "c"}, *const three[] = {"a", "b", "c"};
    static const char *const one[] = {"one"}, *const none[] = {"none"};
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};

    assert_true(s3_delete(s3, NULL, 0, &fault));
    assert_true(s3_delete(s3, one, 1, &fault));
    assert_true(s3_delete(s3, none, 1, &fault));
    assert_true(s3_delete(s3, two, 2, &fault));
    assert_true(s3_delete(s3, three, 3, &fault));
    assert_false(s3_delete(s3, three, 3, &fault));
    assert_says(fault, "unable to delete b from http://127.0.0.1:");
    assert_says(fault, "AccessDenied (no); the keys may lack s3:DeleteObject");
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* A store that puts the same keys off again and again is given up. */
static void
test_delete_put_off(void **state)
{
    (void) state;
    static const struct turn busy = {
        .asks = "POST /bucket?delete= ", .status = 200,
        .body = "<DeleteResult><Error><Key>a</Key><Code>SlowDown</Code></Error>"
                "<Error><Key>b</Key><Code>SlowDown</Code></Error></DeleteResult>"};
    const struct turn turns[] = {busy, busy, busy};
    static const char *const two[] = {"a", "b"};
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};

    assert_false(s3_delete(s3, two, 2, &fault));
    assert_says(fault, "unable to delete a and 1 other objects");
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* Google's way: no DeleteObjects.  It is asked once. */
static void
test_delete_one_by_one(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "POST /bucket?delete= ", .status = 400,
         .body = "<Error><Code>InvalidArgument</Code></Error>"},
        {.asks = "DELETE /bucket/a ", .status = 204},
        {.asks = "DELETE /bucket/b ", .status = 204},
        {.asks = "DELETE /bucket/a ", .status = 204},
        {.asks = "DELETE /bucket/b ", .status = 403,
         .body = "<Error><Code>AccessDenied</Code></Error>"},
    };
    static const char *const two[] = {"a", "b"};
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};

    assert_true(s3_delete(s3, two, 2, &fault));
    assert_false(s3_delete(s3, two, 2, &fault));
    assert_says(fault, "unable to delete b from");
    assert_says(fault, "the keys from the environment may lack s3:DeleteObject");
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* 2,001 keys are three requests. */
static void
test_delete_many(void **state)
{
    (void) state;
    enum { COUNT = 2001 };
    static const struct turn turns[] = {
        {.asks = "POST ", .status = 200, .body = "<DeleteResult/>", .holds = "<Key>key999</Key>",
         .lacks = "<Key>key1000</Key>"},
        {.asks = "POST ", .status = 200, .body = "<DeleteResult/>", .holds = "<Key>key1999</Key>"},
        {.asks = "DELETE /bucket/key2000 ", .status = 204},
    };
    static char names[COUNT][16];
    static const char *keys[COUNT];
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};

    for (size_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "key%zu", i);
        keys[i] = names[i];
    }
    assert_true(s3_delete(s3, keys, COUNT, &fault));
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_put_conditions),
        cmocka_unit_test(test_put_whose_answer_was_lost),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_get_resumes),
        cmocka_unit_test(test_get_weak),
        cmocka_unit_test(test_get_replaced),
        cmocka_unit_test(test_get_without_progress),
        cmocka_unit_test(test_get_stopped),
        cmocka_unit_test(test_get_without_length),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_delete_put_off),
        cmocka_unit_test(test_delete_one_by_one),
        cmocka_unit_test(test_delete_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
