/* s3_endpoint - hosts and paths for every kind of store, moves, and what is no bucket or region. */
#include "s3/endpoint.h"
#include "support.h"

static struct s3_config
plain(const char *bucket)
{
    return (struct s3_config){.bucket = bucket, .endpoint = "", .region = ""};
}

static void
check(const struct s3_config *config, const char *host, const char *path, const char *text)
{
    struct endpoint endpoint;
    struct fault fault = {0};
    struct text at = {0};

    if (!endpoint_init(&endpoint, config, &fault))
        fail_msg("%s", fault.text);
    assert_string_equal(endpoint.host, host);
    endpoint_path(&endpoint, "a key", &at);
    assert_string_equal(text_of(&at), path);
    assert_string_equal(endpoint.text, text);
    text_free(&at);
}

static void
test_amazon(void **state)
{
    (void) state;
    struct s3_config config = plain("my-bucket");

    check(&config, "my-bucket.s3.us-east-1.amazonaws.com", "/a key",
          "https://my-bucket.s3.us-east-1.amazonaws.com");
    config.region = "eu-west-1";
    check(&config, "my-bucket.s3.eu-west-1.amazonaws.com", "/a key",
          "https://my-bucket.s3.eu-west-1.amazonaws.com");
    config.dualstack = true;
    check(&config, "my-bucket.s3.dualstack.eu-west-1.amazonaws.com", "/a key",
          "https://my-bucket.s3.dualstack.eu-west-1.amazonaws.com");
    config.region = "us-gov-west-1";
    config.fips = true;
    check(&config, "my-bucket.s3-fips.dualstack.us-gov-west-1.amazonaws.com", "/a key",
          "https://my-bucket.s3-fips.dualstack.us-gov-west-1.amazonaws.com");
    config.dualstack = false;
    check(&config, "my-bucket.s3-fips.us-gov-west-1.amazonaws.com", "/a key",
          "https://my-bucket.s3-fips.us-gov-west-1.amazonaws.com");
    config.fips = false;
    config.region = "cn-north-1";
    check(&config, "my-bucket.s3.cn-north-1.amazonaws.com.cn", "/a key",
          "https://my-bucket.s3.cn-north-1.amazonaws.com.cn");
    /* A dot would fall out of the wildcard of Amazon's certificate. */
    config.region = "eu-west-1";
    config.bucket = "my.bucket";
    check(&config, "s3.eu-west-1.amazonaws.com", "/my.bucket/a key",
          "https://s3.eu-west-1.amazonaws.com/my.bucket");
    config.bucket = "my-bucket";
    config.path_style = S3_YES;
    check(&config, "s3.eu-west-1.amazonaws.com", "/my-bucket/a key",
          "https://s3.eu-west-1.amazonaws.com/my-bucket");
}

static void
test_amazon_written_out(void **state)
{
    (void) state;
    struct s3_config config = plain("my-bucket");

    config.region = "us-west-2";
    config.endpoint = "https://s3.eu-west-1.amazonaws.com/";
    check(&config, "my-bucket.s3.eu-west-1.amazonaws.com", "/a key",
          "https://my-bucket.s3.eu-west-1.amazonaws.com");
    config.endpoint = "https://s3.amazonaws.com";
    check(&config, "my-bucket.s3.us-west-2.amazonaws.com", "/a key",
          "https://my-bucket.s3.us-west-2.amazonaws.com");
    /* Amazon's too, but not one that can be built: it stays. */
    config.endpoint = "https://bucket.vpce-1.s3.us-west-2.vpce.amazonaws.com";
    check(&config, "my-bucket.bucket.vpce-1.s3.us-west-2.vpce.amazonaws.com", "/a key",
          "https://my-bucket.bucket.vpce-1.s3.us-west-2.vpce.amazonaws.com");
}

static void
test_others(void **state)
{
    (void) state;
    struct s3_config config = plain("my_Bucket");

    config.endpoint = "http://127.0.0.1:9000";
    check(&config, "127.0.0.1:9000", "/my_Bucket/a key", "http://127.0.0.1:9000/my_Bucket");
    config.endpoint = "https://[::1]:9000/s3/";
    check(&config, "[::1]:9000", "/s3/my_Bucket/a key", "https://[::1]:9000/s3/my_Bucket");
    config.endpoint = "https://fra1.digitaloceanspaces.com";
    config.path_style = S3_NO;
    config.bucket = "my-bucket";
    check(&config, "my-bucket.fra1.digitaloceanspaces.com", "/a key",
          "https://my-bucket.fra1.digitaloceanspaces.com");
    config.endpoint = "https://fra1.digitaloceanspaces.com:444/x";
    check(&config, "my-bucket.fra1.digitaloceanspaces.com:444", "/x/a key",
          "https://my-bucket.fra1.digitaloceanspaces.com:444/x");
    /* "amazonaws.com" inside a name does not make it one of Amazon's. */
    config.path_style = S3_AUTO;
    config.endpoint = "https://s3.amazonaws.com.example.org";
    check(&config, "s3.amazonaws.com.example.org", "/my-bucket/a key",
          "https://s3.amazonaws.com.example.org/my-bucket");
    config.endpoint = "https://xamazonaws.com";
    check(&config, "xamazonaws.com", "/my-bucket/a key", "https://xamazonaws.com/my-bucket");
}

static void
test_moves(void **state)
{
    (void) state;
    struct s3_config config = plain("my-bucket");
    struct endpoint here, there;
    struct fault fault = {0};

    assert_true(endpoint_init(&here, &config, &fault));
    assert_true(endpoint_move(&there, &here, "eu-central-1"));
    assert_string_equal(there.host, "my-bucket.s3.eu-central-1.amazonaws.com");
    assert_string_equal(there.url.host, there.host);
    assert_string_equal(there.region, "eu-central-1");
    assert_false(endpoint_move(&there, &here, "us-east-1"));
    static const char *const none[] = {
        "", "1234", "-eu", "eu-", "eu west", "evil.example.com", "eu/west", "eu#", "x@y", "a:b",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", /* 64 */
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (endpoint_move(&there, &here, none[i]))
            fail_msg("\"%s\" is a region", none[i]);

    /* The user's own host stays; the signature's region moves. */
    config.endpoint = "https://minio:9000";
    assert_true(endpoint_init(&here, &config, &fault));
    assert_true(endpoint_move(&there, &here, "home.1"));
    assert_string_equal(there.host, "minio:9000");
    assert_string_equal(there.region, "home.1");
    assert_false(endpoint_move(&there, &here, "home/1"));
}

static void
check_refused(const struct s3_config *config, const char *word)
{
    struct endpoint endpoint;
    struct fault fault = {0};

    assert_false(endpoint_init(&endpoint, config, &fault));
    assert_int_equal(fault.err, ERR_CONFIG);
    if (strstr(fault.text, word) == NULL)
        fail_msg("\"%s\" does not speak of %s", fault.text, word);
}

static void
test_refusals(void **state)
{
    (void) state;
    static const struct {
        const char *bucket, *word;
    } buckets[] = {
        {"", "names no bucket"},
        {"ab", "3 to 63"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "3 to 63"},
        {"arn:aws:s3:eu:1:accesspoint/x", "ARN"},
        {"a b c", "letters"},
        {"a/bc", "letters"},
        {"a?bc", "letters"},
        {"-abc", "begins"},
        {"abc.", "begins"},
        {"a..b", "begins"},
    };
    struct s3_config config;

    for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++) {
        config = plain(buckets[i].bucket);
        check_refused(&config, buckets[i].word);
    }
    config = plain("abc");
    config.region = "eu_west";
    check_refused(&config, "AWS_REGION");
    config.endpoint = "https://minio";
    config.region = "eu west";
    check_refused(&config, "AWS_REGION");
    config.region = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    check_refused(&config, "AWS_REGION");
    config = plain("abc");
    config.region = "cn-north-1";
    config.fips = true;
    check_refused(&config, "FIPS");
    config = plain("abc");
    config.endpoint = "minio:9000";
    check_refused(&config, "AWS_ENDPOINT_URL_S3");
    config.endpoint = "https://minio/a%20b";
    check_refused(&config, "plain");
    config.endpoint = "https://127.0.0.1";
    config.path_style = S3_NO;
    check_refused(&config, "REPLICA_S3_PATH_STYLE");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amazon),
        cmocka_unit_test(test_amazon_written_out),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
