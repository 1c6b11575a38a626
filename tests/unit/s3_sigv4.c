/* sigv4: the four worked examples of the S3 manual, the encoder byte by byte, the orders, and the
 * key that is kept.  Hashes and signatures were computed by a few lines of another language. */
#include "s3/sigv4.h"

#include <stdio.h>

#include "support.h"

static const char empty_hash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static const struct sigv4_scope example_scope = {
    .access_key = "AKIAIOSFODNN7EXAMPLE",
    .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    .region = "us-east-1",
    .service = "s3",
    .date = "20130524T000000Z",
};

static void
example_check(const struct sigv4_request *request, const char *target, const char *canonical_hash,
              const char *headers, const char *signature)
{
    struct sigv4_key key = {0};
    struct text canonical = {0}, wire = {0}, line = {0}, wanted = {0};
    char hash[SIGV4_HASH_TEXT];

    sigv4_canonical(&canonical, request);
    sigv4_hash(hash, canonical.data, canonical.size);
    assert_string_equal(hash, canonical_hash);
    sigv4_target(&wire, request);
    assert_string_equal(text_of(&wire), target);
    sigv4_authorize(&line, &key, &example_scope, request);
    text_addf(&wanted,
              "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
              " SignedHeaders=%s, Signature=%s",
              headers, signature);
    assert_string_equal(text_of(&line), text_of(&wanted));
    text_free(&canonical);
    text_free(&wire);
    text_free(&line);
    text_free(&wanted);
}

/* "Signature calculations for the Authorization header", of the S3 API Reference. */
static void
test_examples(void **state)
{
    const struct sigv4_field get[] = {
        {"Host", "examplebucket.s3.amazonaws.com"},
        {"Range", "bytes=0-9"},
        {"x-amz-content-sha256", empty_hash},
        {"x-amz-date", "20130524T000000Z"},
    };
    const struct sigv4_field plain[] = {get[0], get[2], get[3]};
    char hash[SIGV4_HASH_TEXT];
    sigv4_hash(hash, "Welcome to Amazon S3.", 21);
    const struct sigv4_field put[] = {
        {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
        {"x-amz-content-sha256", hash},
        {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
        get[3],
        get[0],
    };
    const struct sigv4_field lifecycle[] = {{"lifecycle", ""}};
    const struct sigv4_field list[] = {{"prefix", "J"}, {"max-keys", "2"}};
    (void) state;

    example_check(&(struct sigv4_request){.method = "GET", .path = "/test.txt", .headers = get,
                                          .headers_count = 4, .payload_hash = empty_hash},
                  "/test.txt", "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972",
                  "host;range;x-amz-content-sha256;x-amz-date",
                  "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    example_check(&(struct sigv4_request){.method = "PUT", .path = "/test$file.text",
                                          .headers = put, .headers_count = 5, .payload_hash = hash},
                  "/test%24file.text",
                  "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
                  "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                  "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    example_check(&(struct sigv4_request){.method = "GET", .path = "/", .query = lifecycle,
                                          .query_count = 1, .headers = plain, .headers_count = 3,
                                          .payload_hash = empty_hash},
                  "/?lifecycle=",
                  "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca",
                  "host;x-amz-content-sha256;x-amz-date",
                  "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    example_check(&(struct sigv4_request){.method = "GET", .path = "/", .query = list,
                                          .query_count = 2, .headers = plain, .headers_count = 3,
                                          .payload_hash = empty_hash},
                  "/?max-keys=2&prefix=J",
                  "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
                  "host;x-amz-content-sha256;x-amz-date",
                  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/* Each byte alone: what is written is what RFC 3986 leaves alone, or %XX. */
static void
test_encode(void **state)
{
    static const char kept[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    struct text text = {0};
    (void) state;

    for (unsigned byte = 1; byte < 256; byte++)
        for (int keep_slash = 0; keep_slash <= 1; keep_slash++) {
            char raw[] = {(char) byte, '\0'}, wanted[4];
            bool stays = memchr(kept, (int) byte, sizeof kept - 1) != NULL;
            if (stays || (byte == '/' && keep_slash))
                snprintf(wanted, sizeof wanted, "%s", raw);
            else
                snprintf(wanted, sizeof wanted, "%%%02X", byte);
            text_clear(&text);
            sigv4_encode(&text, raw, keep_slash);
            assert_string_equal(text_of(&text), wanted);
        }
    text_clear(&text);
    sigv4_encode(&text, "/a b+c%20*\xc3\xa9//../~", true);
    assert_string_equal(text_of(&text), "/a%20b%2Bc%2520%2A%C3%A9//../~");
    text_free(&text);
}

static void
target_check(enum sigv4_path rule, const char *path, const char *wire, const char *canonical)
{
    struct sigv4_request request = {
        .method = "GET", .path = path, .path_rule = rule, .payload_hash = "hash"};
    struct text text = {0}, wanted = {0};

    sigv4_target(&text, &request);
    assert_string_equal(text_of(&text), wire);
    text_clear(&text);
    sigv4_canonical(&text, &request);
    text_addf(&wanted, "GET\n%s\n\n\n\nhash", canonical);
    assert_string_equal(text_of(&text), text_of(&wanted));
    text_free(&text);
    text_free(&wanted);
}

static void
test_paths(void **state)
{
    static const struct {
        const char *path, *normal;
    } cases[] = {
        {"/", "/"},           {"//", "/"},          {"/.", "/"},         {"/..", "/"},
        {"/a/./b", "/a/b"},   {"/a/../b/", "/b/"},  {"/a/..", "/"},      {"/a/b/..", "/a"},
        {"/../../a", "/a"},   {"//a///b//", "/a/b/"}, {"/.../..a", "/.../..a"},
        {"/a%20b/", "/a%2520b/"},
    };
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        target_check(SIGV4_PATH_NORMALISED, cases[i].path, cases[i].path, cases[i].normal);
    target_check(SIGV4_PATH_S3, "//a/./../b c//", "//a/./../b%20c//", "//a/./../b%20c//");
    target_check(SIGV4_PATH_S3, "/a%20b", "/a%2520b", "/a%2520b");
}

/* By the encoded name, then by the encoded value: "%" comes before all that stays as it is, and a
 * name before those that only begin with it, whatever follows. */
static void
test_query_order(void **state)
{
    static const struct sigv4_field query[] = {
        {"a-b", "1"}, {"a", "2"}, {"a", "10"}, {"a", ""},     {"\xc3\xa9", "x"},
        {"a~", "1"},  {"A", "/"}, {"a", "~"},  {"a", "\xff"}, {"a", "="},
    };
    struct sigv4_request request = {.method = "GET", .path = "/", .query = query,
                                    .query_count = sizeof query / sizeof *query,
                                    .payload_hash = "hash"};
    struct text text = {0};
    (void) state;

    sigv4_target(&text, &request);
    assert_string_equal(text_of(&text),
                        "/?%C3%A9=x&A=%2F&a=&a=%3D&a=%FF&a=10&a=2&a=~&a-b=1&a~=1");
    text_free(&text);
}

static void
test_headers(void **state)
{
    static const struct sigv4_field headers[] = {
        {"X-Two", " b \t c\r\n  d "}, {"Host", "h:9000"}, {"x-two", "a"}, {"X-EMPTY", "  "},
        {"X-Two", ""},
    };
    struct sigv4_request request = {.method = "PUT", .path = "/", .headers = headers,
                                    .headers_count = sizeof headers / sizeof *headers,
                                    .payload_hash = "UNSIGNED-PAYLOAD"};
    struct text text = {0};
    (void) state;

    sigv4_canonical(&text, &request);
    assert_string_equal(text_of(&text), "PUT\n/\n\nhost:h:9000\nx-empty:\nx-two:b c d,a,\n\n"
                                        "host;x-empty;x-two\nUNSIGNED-PAYLOAD");
    text_free(&text);
}

static void
test_dates(void **state)
{
    char date[SIGV4_DATE_TEXT];
    (void) state;

    sigv4_date(date, 1440938160000);
    assert_string_equal(date, "20150830T123600Z");
    sigv4_date(date, 1440938160999);
    assert_string_equal(date, "20150830T123600Z");
    sigv4_date(date, 0);
    assert_string_equal(date, "19700101T000000Z");
    sigv4_date(date, 253402300799000);
    assert_string_equal(date, "99991231T235959Z");
}

/* A key that is kept gives the signature of a new one; whatever it is made of makes it stale. */
static void
test_kept_key(void **state)
{
    struct sigv4_scope scopes[6];
    struct sigv4_key kept = {0};
    char first[SIGV4_HASH_TEXT], second[SIGV4_HASH_TEXT], last[SIGV4_HASH_TEXT] = "";
    char long_region[100];
    (void) state;

    memset(long_region, 'r', sizeof long_region - 1);
    long_region[sizeof long_region - 1] = '\0';
    for (size_t i = 0; i < 6; i++)
        scopes[i] = example_scope;
    scopes[1].date = "20130525T000000Z";
    scopes[2].region = "eu-west-1";
    scopes[3].service = "sts";
    scopes[4].secret_key = "another";
    scopes[4].generation = 1;
    scopes[5].region = long_region;

    for (size_t i = 0; i < 6; i++) {
        sigv4_signature(first, &(struct sigv4_key){0}, &scopes[i], "text", 4);
        sigv4_signature(second, &kept, &scopes[i], "text", 4);
        assert_string_equal(first, second);
        assert_string_not_equal(first, last);
        sigv4_signature(last, &kept, &scopes[i], "text", 4);
        assert_string_equal(first, last);
    }
    /* It is kept indeed: an equal scope with another secret is not looked at. */
    sigv4_signature(first, &kept, &scopes[0], "text", 4);
    scopes[0].secret_key = "never read";
    sigv4_signature(second, &kept, &scopes[0], "text", 4);
    assert_string_equal(first, second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples), cmocka_unit_test(test_encode),
        cmocka_unit_test(test_paths),    cmocka_unit_test(test_query_order),
        cmocka_unit_test(test_headers),  cmocka_unit_test(test_dates),
        cmocka_unit_test(test_kept_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
