/* s3_list - listings over several pages, odd keys, and stores that turn in circles. */
#include "s3_script.h"

enum { ROOM = 1024 * 1024 }; /* for a listing */

static struct s3 *
client(struct script *script)
{
    struct s3_config config = script_config(script);
    return script_client(script, &config);
}

static void
test_pages(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "GET /bucket?delimiter=%2F&encoding-type=url&list-type=2&prefix=p%2F ",
         .status = 200,
         .body = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><EncodingType>url"
                 "</EncodingType><Contents><Key>p/b</Key><LastModified>2009-10-12T17:50:30.000Z"
                 "</LastModified><ETag>\"e\"</ETag><Size>434234</Size></Contents>"
                 "<Contents><Key>p/a%20b+c%2Bd%3C</Key><Size>18446744073709551615</Size></Contents>"
                 "<CommonPrefixes><Prefix>p/z/</Prefix></CommonPrefixes>"
                 "<IsTruncated>true</IsTruncated><NextContinuationToken>t/1+="
                 "</NextContinuationToken></ListBucketResult>"},
        {.asks = "GET /bucket?continuation-token=t%2F1%2B%3D&delimiter=%2F&encoding-type=url"
                 "&list-type=2&prefix=p%2F ", .status = 503},
        {.asks = "GET /bucket?continuation-token=t%2F1%2B%3D&delimiter=%2F&encoding-type=url"
                 "&list-type=2&prefix=p%2F ",
         .status = 200,
         .body = "<ListBucketResult><Contents><Key>p/Z%20&amp;</Key><LastModified>yesterday"
                 "</LastModified><Size>0</Size></Contents><Contents><Size>7</Size></Contents>"
                 "<CommonPrefixes><Prefix>p/c/</Prefix></CommonPrefixes>"
                 "<IsTruncated>false</IsTruncated></ListBucketResult>"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3 *s3 = client(&script);
    struct arena arena = {0};
    struct s3_listing listing;
    struct fault fault = {0};

    assert_true(s3_list(s3, "p/", "/", ROOM, &arena, &listing, &fault));
    assert_int_equal(listing.entries_count, 3);
    assert_string_equal(listing.entries[0].key, "p/Z%20&"); /* that page was not encoded */
    assert_int_equal(listing.entries[0].modified_ms, 0);
    assert_string_equal(listing.entries[1].key, "p/a b c+d<");
    assert_int_equal(listing.entries[1].bytes, UINT64_MAX);
    assert_string_equal(listing.entries[2].key, "p/b");
    assert_int_equal(listing.entries[2].bytes, 434234);
    assert_int_equal(listing.entries[2].modified_ms, 1255369830000);
    assert_int_equal(listing.prefixes_count, 2);
    assert_string_equal(listing.prefixes[0], "p/c/");
    assert_string_equal(listing.prefixes[1], "p/z/");
    arena_free(&arena);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

static void
test_nothing(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "GET /bucket?encoding-type=url&list-type=2&prefix= ", .status = 200,
         .body = "<ListBucketResult></ListBucketResult>"},
        {.asks = "GET /bucket?", .status = 403,
         .body = "<Error><Code>AccessDenied</Code></Error>"},
        {.asks = "GET /bucket?", .status = 404,
         .body = "<Error><Code>NoSuchBucket</Code></Error>"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3 *s3 = client(&script);
    struct arena arena = {0};
    struct s3_listing listing;
    struct fault fault = {0};

    assert_true(s3_list(s3, "", NULL, ROOM, &arena, &listing, &fault));
    assert_int_equal(listing.entries_count, 0);
    assert_int_equal(listing.prefixes_count, 0);
    assert_false(s3_list(s3, "dumps/", "/", ROOM, &arena, &listing, &fault));
    assert_says(fault, "unable to list dumps/* in http://127.0.0.1:");
    assert_says(fault, "may lack s3:ListBucket");
    fault = (struct fault){0};
    assert_false(s3_list(s3, "dumps/", "/", ROOM, &arena, &listing, &fault));
    assert_says(fault, "404 NoSuchBucket");
    arena_free(&arena);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* Half a page is none; a store that never comes to an end is left. */
static void
test_circles(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "GET ", .status = 200, .body = "<ListBucketResult><Contents><Key>a</Key>"},
        {.asks = "GET ", .status = 200,
         .body = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"},
        {.asks = "GET ", .status = 200,
         .body = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
                 "</NextContinuationToken></ListBucketResult>"},
        {.asks = "GET ", .status = 200,
         .body = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
                 "</NextContinuationToken></ListBucketResult>"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3 *s3 = client(&script);
    struct arena arena = {0};
    struct s3_listing listing;
    struct fault fault = {0};

    assert_false(s3_list(s3, "", "", ROOM, &arena, &listing, &fault));
    assert_says(fault, "there is more, but not where");
    fault = (struct fault){0};
    assert_false(s3_list(s3, "", "", ROOM, &arena, &listing, &fault));
    assert_says(fault, "there is more, but not where");
    arena_free(&arena);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

static void
test_uploads(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "GET /bucket?encoding-type=url&prefix=p%2F&uploads= ", .status = 200,
         .body = "<ListMultipartUploadsResult><EncodingType>url</EncodingType><Prefix>p/</Prefix>"
                 "<NextKeyMarker>p/a%20b</NextKeyMarker><NextUploadIdMarker>i+1"
                 "</NextUploadIdMarker><IsTruncated>true</IsTruncated><Upload><Key>p/a%20b</Key>"
                 "<UploadId>i+1</UploadId><Initiated>2009-10-12T17:50:30.000Z</Initiated></Upload>"
                 "</ListMultipartUploadsResult>"},
        {.asks = "GET /bucket?encoding-type=url&key-marker=p%2Fa%20b&prefix=p%2F&upload-id-marker="
                 "i%2B1&uploads= ", .status = 200,
         .body = "<ListMultipartUploadsResult><Upload><UploadId>i2</UploadId><Key>p/c+</Key>"
                 "<Initiator><ID>arn</ID></Initiator></Upload><Upload><Key>half</Key></Upload>"
                 "</ListMultipartUploadsResult>"},
        {.asks = "GET ", .status = 501},
        {.asks = "GET ", .status = 405},
        {.asks = "GET ", .status = 403, .body = "<Error><Code>AccessDenied</Code></Error>"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3 *s3 = client(&script);
    struct arena arena = {0};
    struct s3_pending *pending;
    struct fault fault = {0};
    size_t count;
    bool is_known;

    assert_true(s3_uploads_list(s3, "p/", ROOM, &arena, &pending, &count, &is_known, &fault));
    assert_true(is_known);
    assert_int_equal(count, 2);
    assert_string_equal(pending[0].key, "p/a b");
    assert_string_equal(pending[0].id, "i+1");
    assert_int_equal(pending[0].initiated_ms, 1255369830000);
    assert_string_equal(pending[1].key, "p/c+");
    assert_string_equal(pending[1].id, "i2");
    assert_int_equal(pending[1].initiated_ms, 0);
    for (int i = 0; i < 2; i++) {
        assert_true(s3_uploads_list(s3, "p/", ROOM, &arena, &pending, &count, &is_known, &fault));
        assert_false(is_known);
        assert_int_equal(count, 0);
    }
    assert_false(s3_uploads_list(s3, "p/", ROOM, &arena, &pending, &count, &is_known, &fault));
    assert_says(fault, "unable to list the unfinished uploads of p/* in");
    assert_says(fault, "may lack s3:ListBucketMultipartUploads");
    arena_free(&arena);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* There are stores that give everything, whatever prefix was asked for.  Whoever asks is about to
 * abort or delete it, and it may be another's. */
static void
test_prefix_is_ignored(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "GET ", .status = 200,
         .body = "<ListBucketResult><Contents><Key>q</Key></Contents><Contents><Key>p/a</Key>"
                 "</Contents><Contents><Key>p</Key></Contents><CommonPrefixes><Prefix>x/</Prefix>"
                 "</CommonPrefixes><CommonPrefixes><Prefix>p/y/</Prefix></CommonPrefixes>"
                 "</ListBucketResult>"},
        {.asks = "GET ", .status = 200,
         .body = "<ListMultipartUploadsResult><Upload><Key>q/a</Key><UploadId>1</UploadId></Upload>"
                 "<Upload><Key>p/a</Key><UploadId>2</UploadId></Upload>"
                 "</ListMultipartUploadsResult>"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3 *s3 = client(&script);
    struct arena arena = {0};
    struct s3_listing listing;
    struct s3_pending *pending;
    struct fault fault = {0};
    size_t count;
    bool is_known;

    assert_true(s3_list(s3, "p/", "/", ROOM, &arena, &listing, &fault));
    assert_int_equal(listing.entries_count, 1);
    assert_string_equal(listing.entries[0].key, "p/a");
    assert_int_equal(listing.prefixes_count, 1);
    assert_string_equal(listing.prefixes[0], "p/y/");
    assert_true(s3_uploads_list(s3, "p/", ROOM, &arena, &pending, &count, &is_known, &fault));
    assert_int_equal(count, 1);
    assert_string_equal(pending[0].id, "2");
    arena_free(&arena);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* Pages that never end, each in its own way; those that bring nothing are in tests/live. */
#define PAGE(contents, token) "<ListBucketResult>" contents "<IsTruncated>true</IsTruncated>" \
    "<NextContinuationToken>" token "</NextContinuationToken></ListBucketResult>"
#define PREFIX "<CommonPrefixes><Prefix>p/a/</Prefix></CommonPrefixes>"
#define UPLOAD(id) "<Upload><Key>p/k</Key><UploadId>" id "</UploadId></Upload>"
#define UPLOADS(contents, key) "<ListMultipartUploadsResult>" contents "<NextKeyMarker>" key \
    "</NextKeyMarker><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>"

static void
test_no_end(void **state)
{
    (void) state;
    struct text page = {0};
    text_add(&page, "<ListBucketResult>");
    for (unsigned i = 0; i < 200; i++)
        text_addf(&page, "<Contents><Key>p/%0900u</Key></Contents>", i);
    text_add(&page, "</ListBucketResult>");
    const struct turn turns[] = {
        {.asks = "GET ", .status = 200, .body = PAGE(PREFIX, "1")},
        {.asks = "GET ", .status = 200, .body = PAGE("", "2")},
        {.asks = "GET ", .status = 200, .body = PAGE(PREFIX, "3")},
        {.asks = "GET ", .status = 200, .body = PAGE(PREFIX, "1")},
        {.asks = "GET ", .status = 200, .body = text_of(&page)},
        {.asks = "GET ", .status = 200, .body = UPLOADS(UPLOAD("1"), "a")},
        {.asks = "GET ", .status = 200, .body = UPLOADS(UPLOAD("2") UPLOAD("3"), "b")},
        {.asks = "GET ", .status = 200, .body = UPLOADS(UPLOAD("2"), "c")},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3 *s3 = client(&script);
    struct arena arena = {0};
    struct s3_listing listing;
    struct s3_pending *pending;
    struct fault fault = {0};
    size_t count;
    bool is_known;

    assert_false(s3_list(s3, "p/", "/", ROOM, &arena, &listing, &fault));
    assert_says(fault, "unable to list p/* in http://127.0.0.1:");
    assert_says(fault, "goes round in circles: a page begins as one before it did");
    fault = (struct fault){0};
    assert_false(s3_list(s3, "p/", "/", 70 * 1024, &arena, &listing, &fault));
    assert_says(fault, "its names take more than 70.0 KiB: use a prefix for dumps alone");
    fault = (struct fault){0};
    assert_false(s3_uploads_list(s3, "p/", ROOM, &arena, &pending, &count, &is_known, &fault));
    assert_says(fault, "goes round in circles");
    text_free(&page);
    arena_free(&arena);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_circles),
        cmocka_unit_test(test_uploads),
        cmocka_unit_test(test_prefix_is_ignored),
        cmocka_unit_test(test_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
