/* store_url: what URLs name, and what is wrong with those that name nothing. */
#include "store/store_url.h"

#include "support.h"

static void
schemes(void **state)
{
    (void) state;
    assert_int_equal(store_url_scheme("file:///d"), STORE_URL_DIR);
    assert_int_equal(store_url_scheme("s3://b"), STORE_URL_S3);
    assert_int_equal(store_url_scheme("s3:/b"), STORE_URL_NONE);
    assert_int_equal(store_url_scheme("file://d"), STORE_URL_NONE);
    assert_int_equal(store_url_scheme("S3://b"), STORE_URL_NONE);
    assert_int_equal(store_url_scheme(""), STORE_URL_NONE);
}

static void
buckets(void **state)
{
    static const struct {
        const char *url, *bucket, *prefix;
    } cases[] = {
        {"s3://b", "b", ""},
        {"s3://b/", "b", ""},
        {"s3://b///", "b", ""},
        {"s3://my.bucket-1/shop", "my.bucket-1", "shop/"},
        {"s3://b//a/b//", "b", "a/b/"},
        {"s3://b/a%20b/%25/%3f", "b", "a b/%/?/"},
        {"s3://b/.a/..b/c..", "b", ".a/..b/c../"},
        {"s3://b/caf%C3%A9", "b", "caf\xc3\xa9/"},
    };
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text bucket = {0}, prefix = {0};
        struct fault fault = {0};
        if (!store_url_bucket(cases[i].url, &bucket, &prefix, &fault))
            fail_msg("%s: %s", cases[i].url, fault.text);
        assert_string_equal(text_of(&bucket), cases[i].bucket);
        assert_string_equal(text_of(&prefix), cases[i].prefix);
        text_free(&bucket);
        text_free(&prefix);
    }
}

static void
refused(void **state)
{
    static const struct {
        const char *url, *words;
    } cases[] = {
        {"s3://", "names no bucket"},
        {"s3:///prefix", "names no bucket"},
        {"s3://AK:hidden@b/p", "an s3 url holds no keys"},
        {"s3://localhost:9000/b", "the server is AWS_ENDPOINT_URL_S3"},
        {"s3://b?x", "'?' in s3://b?x cannot stand in a bucket's name"},
        {"s3://b%41/p", "'%' in"},
        {"s3://b/p?versionId=1", "must be written as %3F"},
        {"s3://b/p#x", "must be written as %23"},
        {"s3://b/a//b", "two slashes in a row"},
        {"s3://b/a%2F%2Fb", "two slashes in a row"},
        {"s3://b/a/../b", "'..' in s3://b/a/../b is no name"},
        {"s3://b/.", "'.' in"},
        {"s3://b/%2e%2E/x", "'..' in"},
        {"s3://b/a%0Ab", "a control character"},
        {"s3://b/a%7f", "a control character"},
        {"s3://b/%", "two hexadecimal digits"},
        {"s3://b/%4", "two hexadecimal digits"},
        {"s3://b/%00", "two hexadecimal digits"},
    };
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text bucket = {0}, prefix = {0};
        struct fault fault = {0};
        assert_false(store_url_bucket(cases[i].url, &bucket, &prefix, &fault));
        assert_int_equal(fault.err, ERR_CONFIG);
        if (strstr(fault.text, cases[i].words) == NULL)
            fail_msg("%s: '%s' does not say '%s'", cases[i].url, fault.text, cases[i].words);
        assert_null(strstr(fault.text, "hidden"));
        text_free(&bucket);
        text_free(&prefix);
    }
}

static void
length(void **state)
{
    (void) state;
    for (size_t size = STORE_PREFIX_MAX - 2; size <= STORE_PREFIX_MAX + 1; size++) {
        struct text url = {0}, bucket = {0}, prefix = {0};
        struct fault fault = {0};
        text_add(&url, "s3://b/");
        for (size_t i = 0; i < size; i++)
            text_add(&url, "x");
        assert_int_equal(store_url_bucket(text_of(&url), &bucket, &prefix, &fault),
                         size < STORE_PREFIX_MAX);
        text_free(&url);
        text_free(&bucket);
        text_free(&prefix);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemes), cmocka_unit_test(buckets),
        cmocka_unit_test(refused), cmocka_unit_test(length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
