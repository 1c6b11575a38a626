/* s3_upload - objects in parts, and answers to Complete that were lost. */
#include "s3_script.h"

#define BEGUN "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key>" \
              "<UploadId>id/1+</UploadId></InitiateMultipartUploadResult>"
#define COMPLETED "<?xml version=\"1.0\"?>\n  \n<CompleteMultipartUploadResult xmlns=\"x\">" \
                  "<ETag>\"e-2\"</ETag></CompleteMultipartUploadResult>"
#define ERROR(code) "<Error><Code>" code "</Code><Message>Because.</Message></Error>"
#define COMPLETE "POST /bucket/k?uploadId=id%2F1%2B "

static const struct s3_upload known = {.key = "k", .id = "id/1+", .mark = "abcdef"};
static const struct s3_part two_parts[] = {{.etag = "\"e&1\""}, {.etag = "\"e2\""}};

static void
test_whole_way(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "POST /bucket/k?uploads= ", .status = 200, .body = BEGUN,
         .holds = "\r\nx-amz-checksum-algorithm: CRC32C\r\n"},
        {.asks = "PUT /bucket/k?partNumber=1&uploadId=id%2F1%2B ", .status = 500},
        {.asks = "PUT /bucket/k?partNumber=1&uploadId=id%2F1%2B ", .status = 200,
         .headers = "ETag: \"p1\"\r\n", .holds = "x-amz-checksum-crc32c: qTxfkw==\r\n",
         .lacks = "server-side-encryption"},
        {.asks = "PUT /bucket/k?partNumber=2&uploadId=id%2F1%2B ", .status = 200,
         .headers = "ETag: \"p2\"\r\n", .lacks = "storage-class"},
        {.asks = COMPLETE, .status = 200, .body = COMPLETED, .lacks = "server-side-encryption",
         .holds = "<Part><PartNumber>1</PartNumber><ETag>\"p1\"</ETag><ChecksumCRC32C>qTxfkw=="
                  "</ChecksumCRC32C></Part><Part><PartNumber>2</PartNumber><ETag>\"p2\"</ETag>"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    config.checksums = S3_YES;
    config.sse = "AES256";
    config.storage_class = "STANDARD_IA";
    struct s3 *s3 = script_client(&script, &config);
    struct s3_upload upload;
    struct s3_part parts[2];
    struct fault fault = {0};

    assert_true(s3_upload_begin(s3, "k", &upload, &fault));
    assert_string_equal(upload.id, "id/1+");
    assert_int_equal(strlen(upload.mark), 64);
    assert_true(s3_upload_part(s3, &upload, 1, "x", 1, &parts[0], &fault));
    assert_string_equal(parts[0].etag, "\"p1\"");
    assert_string_equal(parts[0].checksum, "qTxfkw==");
    assert_true(s3_upload_part(s3, &upload, 2, "y", 1, &parts[1], &fault));
    assert_true(s3_upload_complete(s3, &upload, parts, 2, 2, &fault));
    s3_close(s3);
    script_end(&script);
    assert_non_null(strstr(text_of(&script.requests[0]), upload.mark));
    assert_non_null(strstr(text_of(&script.requests[0]),
                           "\r\nx-amz-server-side-encryption: AES256\r\n"));
    assert_non_null(strstr(text_of(&script.requests[0]), "\r\nx-amz-storage-class: STANDARD_IA"));
    script_free(&script);
}

/* Play a script to a Complete. */
static void
complete(const struct turn *turns, size_t count, bool good, struct fault *fault)
{
    struct script script;

    script_begin(&script, turns, count);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    assert_int_equal(s3_upload_complete(s3, &known, two_parts, 2, 9, fault), good);
    assert_int_equal(fault->err, good ? ERR_NONE : ERR_STORE);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

#define COMPLETES(turns, good, fault) \
    complete(turns, sizeof turns / sizeof *turns, good, fault)

#define OURS "Content-Length: 9\r\nETag: \"e-2\"\r\nx-amz-meta-replica-mark: abcdef\r\n"
#define THEIRS "Content-Length: 9\r\nETag: \"e-2\"\r\nx-amz-meta-replica-mark: abcdeg\r\n"
#define SHORT "Content-Length: 8\r\nETag: \"e-2\"\r\nx-amz-meta-replica-mark: abcdef\r\n"

/* 200 that is none, in every form, then a real one.  ETags are escaped. */
static void
test_false_success(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = COMPLETE, .status = 200, .body = ERROR("InternalError"),
         .holds = "<ETag>\"e&#38;1\"</ETag></Part>"},
        {.asks = COMPLETE, .status = 200, .body = "<CompleteMultipartUploadResult><ETag>\"e"},
        {.asks = COMPLETE, .status = 200, .body = COMPLETED},
    };
    static const struct turn empty[] = {
        {.asks = COMPLETE, .status = 200, .body = ""},
        {.asks = COMPLETE, .status = 200, .body = "<html>hello</html>"},
        {.asks = COMPLETE, .status = 200, .body = "<CompleteMultipartUploadResult/>"},
        {.asks = "HEAD /bucket/k ", .status = 404}, /* is it there, in spite of all that? */
    };
    struct fault fault = {0};

    COMPLETES(turns, true, &fault);
    COMPLETES(empty, false, &fault);
    assert_says(fault, "unable to complete the upload of k into ");
    assert_says(fault, "200 (without a whole CompleteMultipartUploadResult/ETag), after 3 att");
}

/* The first Complete did it, and was cut before it could say so. */
static void
test_lost_answer(void **state)
{
    (void) state;
    static const struct turn ours[] = {
        {.asks = COMPLETE, .way = SCRIPT_CUT},
        {.asks = COMPLETE, .status = 404, .body = ERROR("NoSuchUpload")},
        {.asks = "HEAD /bucket/k ", .status = 200, .headers = OURS, .way = SCRIPT_BAREHEAD},
    };
    static const struct turn theirs[] = {
        {.asks = COMPLETE, .way = SCRIPT_CUT},
        {.asks = COMPLETE, .status = 404, .body = ERROR("NoSuchUpload")},
        {.asks = "HEAD /bucket/k ", .status = 200, .headers = THEIRS, .way = SCRIPT_BAREHEAD},
    };
    static const struct turn shorter[] = {
        {.asks = COMPLETE, .status = 404, .body = ERROR("NoSuchUpload")},
        {.asks = "HEAD /bucket/k ", .status = 200, .headers = SHORT, .way = SCRIPT_BAREHEAD},
    };
    static const struct turn always_lost[] = {
        {.asks = COMPLETE, .way = SCRIPT_CUT},
        {.asks = COMPLETE, .way = SCRIPT_CUT},
        {.asks = COMPLETE, .way = SCRIPT_CUT},
        {.asks = "HEAD /bucket/k ", .status = 200, .headers = OURS, .way = SCRIPT_BAREHEAD},
    };
    struct fault fault = {0};

    COMPLETES(ours, true, &fault);
    COMPLETES(always_lost, true, &fault);
    COMPLETES(theirs, false, &fault);
    assert_says(fault, "404 NoSuchUpload (Because.)");
    fault = (struct fault){0};
    COMPLETES(shorter, false, &fault);
    assert_says(fault, "404 NoSuchUpload (Because.)");
}

/* A plain no is not doubted. */
static void
test_refused_complete(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = COMPLETE, .status = 400, .body = ERROR("InvalidPart")},
    };
    struct fault fault = {0};

    COMPLETES(turns, false, &fault);
    assert_says(fault, ": 400 InvalidPart (Because.)");
}

static void
test_begin_fails(void **state)
{
    (void) state;
    static char endless[1500];
    static const struct turn turns[] = {
        {.asks = "POST ", .status = 200, .body = "<InitiateMultipartUploadResult/>"},
        {.asks = "POST ", .status = 200, .body = BEGUN},
        {.asks = "POST ", .status = 200, .body = endless},
        {.asks = "POST ", .status = 403, .body = ERROR("AccessDenied")},
    };
    struct script script;

    snprintf(endless, sizeof endless, "<InitiateMultipartUploadResult><UploadId>%01100d</UploadId>"
             "</InitiateMultipartUploadResult>", 1);
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct s3_upload upload;
    struct fault fault = {0};

    assert_true(s3_upload_begin(s3, "k", &upload, &fault));
    assert_false(s3_upload_begin(s3, "k", &upload, &fault));
    assert_says(fault, "an upload id of 1100 bytes");
    fault = (struct fault){0};
    assert_false(s3_upload_begin(s3, "k", &upload, &fault));
    assert_says(fault, "unable to begin to upload k into");
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

static void
test_abort(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        /* a part was in flight: it lives, and then no more */
        {.asks = "DELETE /bucket/k?uploadId=id%2F1%2B ", .status = 204},
        {.asks = "GET /bucket/k?uploadId=id%2F1%2B ", .status = 200, .body = "<ListPartsResult/>"},
        {.asks = "DELETE /bucket/k?uploadId=", .status = 204},
        {.asks = "GET /bucket/k?uploadId=", .status = 404, .body = ERROR("NoSuchUpload")},
        /* gone already */
        {.asks = "DELETE /bucket/k?uploadId=", .status = 404, .body = ERROR("NoSuchUpload")},
        /* nobody may look */
        {.asks = "DELETE /bucket/k?uploadId=", .status = 204},
        {.asks = "GET /bucket/k?uploadId=", .status = 403, .body = ERROR("AccessDenied")},
        /* not allowed */
        {.asks = "DELETE /bucket/k?uploadId=", .status = 403, .body = ERROR("AccessDenied")},
        /* the run is stopped in the middle of it, and it goes on */
        {.asks = "DELETE /bucket/k?uploadId=", .way = SCRIPT_STOP_HANG},
        {.asks = "DELETE /bucket/k?uploadId=", .status = 204},
        {.asks = "GET /bucket/k?uploadId=", .status = 404, .body = ERROR("NoSuchUpload")},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};

    assert_true(s3_upload_abort(s3, &known, &fault));
    assert_true(s3_upload_abort(s3, &known, &fault));
    assert_true(s3_upload_abort(s3, &known, &fault));
    assert_false(s3_upload_abort(s3, &known, &fault));
    assert_says(fault, "unable to abort the upload of k into");
    assert_says(fault, "may lack s3:AbortMultipartUpload");
    fault = (struct fault){0};
    assert_true(s3_upload_abort(s3, &known, &fault));
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* What was cut off takes the store a while to notice: it is given a second, then named. */
static void
test_abort_outlived(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "DELETE /bucket/k?uploadId=", .status = 204},
        {.asks = "GET /bucket/k?uploadId=", .status = 200, .body = "<ListPartsResult/>"},
        {.asks = "DELETE /bucket/k?uploadId=", .status = 204},
        {.asks = "GET /bucket/k?uploadId=", .status = 200, .body = "<ListPartsResult/>"},
        {.asks = "DELETE /bucket/k?uploadId=", .status = 204},
        {.asks = "GET /bucket/k?uploadId=", .status = 200, .body = "<ListPartsResult/>"},
        {.asks = "DELETE /bucket/k?uploadId=", .status = 204},
        {.asks = "GET /bucket/k?uploadId=", .status = 200, .body = "<ListPartsResult/>"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};

    uint64_t begun_ms = clock_ms();
    assert_false(s3_upload_abort(s3, &known, &fault));
    assert_true(clock_ms() - begun_ms >= 1000);
    assert_says(fault, "lives on although it was aborted 4 times");
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_way),
        cmocka_unit_test(test_false_success),
        cmocka_unit_test(test_lost_answer),
        cmocka_unit_test(test_refused_complete),
        cmocka_unit_test(test_begin_fails),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_abort_outlived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
