/* sts: the request is what STS wants, the token stands in its body alone, and every way in which it
 * may fail says so without the token. */
#include "s3_peer.h"

static const char token[] = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln+/=";

/* A world with a token in a file. */
static void
sts_begin(struct world *world, char path[static 64],
          void (*reply)(struct peer *, const char *, struct text *))
{
    world_begin(world, reply);
    file_make(path, token);
    world->config.token_file = path;
    world->config.role_arn = "arn:aws:iam::123456789012:role/dump & restore";
    world->config.sts_endpoint = world->peer.url;
}

static void
sts_end(struct world *world, const char *path)
{
    world_end(world);
    unlink(path);
}

static void
reply_keys(struct peer *peer, const char *request, struct text *answer)
{
    (void) peer;
    (void) request;
    answer_add(answer, 200,
               "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/"
               "2011-06-15/\"><AssumeRoleWithWebIdentityResult><Audience>sts</Audience>"
               "<Credentials><SessionToken>to/ken==</SessionToken><SecretAccessKey>sec/ret+"
               "</SecretAccessKey><Expiration>2033-05-18T03:33:20Z</Expiration><AccessKeyId>"
               "ASIAEXAMPLE</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>"
               "</AssumeRoleWithWebIdentityResponse>");
}

static void
test_keys(void **state)
{
    static const char body[] =
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
        "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdump%20%26%20restore"
        "&RoleSessionName=mine&WebIdentityToken=eyJhbGciOiJSUzI1NiJ9.e30.c2ln%2B%2F%3D";
    struct world world;
    char path[64];
    struct credential keys;
    struct fault fault = {0};
    (void) state;

    sts_begin(&world, path, reply_keys);
    world.config.role_session_name = "mine";
    assert_int_equal(sts_ask(&world.context, &keys, &fault), ASK_KEYS);
    assert_string_equal(keys.access_key, "ASIAEXAMPLE");
    assert_string_equal(keys.secret_key, "sec/ret+");
    assert_string_equal(keys.token, "to/ken==");
    assert_true(keys.expires_ms == 2000000000000);

    /* A newline at the end of the file is none of the token; without a name it gets one. */
    world.config.role_session_name = "";
    file_write(path, "second\n");
    assert_int_equal(sts_ask(&world.context, &keys, &fault), ASK_KEYS);
    const char *asked = peer_join(&world.peer);
    assert_ptr_equal(strstr(asked, "POST / HTTP/1.1\r\n"), asked);
    assert_non_null(strstr(asked, "\r\nContent-Type: application/x-www-form-urlencoded"));
    assert_null(strcasestr(asked, "\r\nAuthorization:"));
    assert_non_null(strstr(asked, body));
    assert_non_null(strstr(asked, "&RoleSessionName=replica-1"));
    assert_non_null(strstr(asked, "&WebIdentityToken=second"));
    assert_null(strstr(asked, "second%0A"));
    sts_end(&world, path);
}

/* What a status and an error document come to.  The token itself is among the words of one. */
static const struct refusal {
    unsigned status;
    const char *body;
    enum ask ask;
    const char *sentence;
} refusals[] = {
    {403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized to perform "
          "sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>",
     ASK_FAILED, "http 403 AccessDenied (Not authorized to perform sts:AssumeRoleWithWebIdentity) "
                 "for role arn:"},
    {400, "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>Token "
          "eyJhbGciOiJSUzI1NiJ9.e30.c2ln+/= expired</Message></Error></ErrorResponse>",
     ASK_FAILED, "http 400 ExpiredTokenException for role arn:"},
    {400, "<ErrorResponse><Error><Code>IDPCommunicationError</Code></Error></ErrorResponse>",
     ASK_AGAIN, "http 400 IDPCommunicationError for"},
    {400, "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate&#10;exceeded</Message>"
          "</Error></ErrorResponse>",
     ASK_AGAIN, "http 400 Throttling (Rate?exceeded) for"},
    {500, "", ASK_AGAIN, "http 500 for"},
    {503, "<html>busy", ASK_AGAIN, "http 503 for"},
    {404, "{}", ASK_FAILED, "http 404 for"},
    {200, "<AssumeRoleWithWebIdentityResponse>", ASK_AGAIN, "it ends too early"},
    {200, "<AssumeRoleWithWebIdentityResponse/>", ASK_AGAIN, "lacks AccessKeyId"},
    {200, "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
          "<AccessKeyId>A</AccessKeyId><SecretAccessKey>b c</SecretAccessKey></Credentials>"
          "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
     ASK_AGAIN, "lacks SecretAccessKey"},
    {200, "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
          "<AccessKeyId>A</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>t"
          "</SessionToken><Expiration>tomorrow</Expiration></Credentials>"
          "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
     ASK_AGAIN, "lacks Expiration"},
};

static void
reply_refusal(struct peer *peer, const char *request, struct text *answer)
{
    const struct refusal *refusal = &refusals[atomic_load(&peer->stage)];
    (void) request;
    answer_add(answer, refusal->status, refusal->body);
}

static void
test_refusals(void **state)
{
    struct world world;
    char path[64];
    struct credential keys;
    (void) state;

    sts_begin(&world, path, reply_refusal);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct fault fault = {0};
        atomic_store(&world.peer.stage, (int) i);
        assert_int_equal(sts_ask(&world.context, &keys, &fault), refusals[i].ask);
        assert_says(&fault, ERR_STORE, refusals[i].sentence);
        assert_null(strstr(fault.text, token));
    }
    sts_end(&world, path);
}

static void
config_check(struct world *world, const char *sentence)
{
    struct fault fault = {0};
    struct credential keys;

    assert_int_equal(sts_ask(&world->context, &keys, &fault), ASK_FAILED);
    assert_says(&fault, ERR_CONFIG, sentence);
}

static void
test_configuration(void **state)
{
    struct world world;
    char path[64];
    struct text large = {0};
    (void) state;

    sts_begin(&world, path, reply_keys);
    file_write(path, "\n");
    config_check(&world, ", which AWS_WEB_IDENTITY_TOKEN_FILE names, is empty");
    file_write(path, "one\ntwo\n");
    config_check(&world, "holds more than one line");
    for (int i = 0; i < ASK_FILE_MAX + 1; i++)
        text_add(&large, "x");
    file_write(path, text_of(&large));
    config_check(&world, "it has more than 32 KiB");
    text_free(&large);
    unlink(path);
    config_check(&world, "no such file");
    world.config.sts_endpoint = "sts.example.com";
    config_check(&world, "must begin with http:// or https://");
    world.config.sts_endpoint = "";
    world.config.region = "evil.example.com/";
    config_check(&world, "the region is no word");
    world.config.role_arn = "";
    config_check(&world, "AWS_ROLE_ARN is not");
    assert_int_equal(atomic_load(&world.peer.requests), 0);
    sts_end(&world, path);
}

static void
test_endpoints(void **state)
{
    static const struct {
        const char *given, *region, *host;
    } cases[] = {
        {"", "", "sts.amazonaws.com"},
        {"", "auto", "sts.amazonaws.com"},
        {"", "eu-west-1", "sts.eu-west-1.amazonaws.com"},
        {"", "us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"},
        {"", "cn-north-1", "sts.cn-north-1.amazonaws.com.cn"},
        {"https://sts.example.com:8443", "eu-west-1", "sts.example.com"},
    };
    struct credentials_config config = {0};
    struct fault fault = {0};
    struct url url;
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        config.sts_endpoint = cases[i].given;
        config.region = cases[i].region;
        assert_true(sts_url(&config, &url, &fault));
        assert_string_equal(url.host, cases[i].host);
        assert_true(url.tls);
    }
}

static void
test_nobody_there(void **state)
{
    struct world world;
    char path[64];
    struct fault fault = {0}, stopped = {0};
    struct credential keys;
    (void) state;

    sts_begin(&world, path, reply_keys);
    peer_join(&world.peer);
    assert_int_equal(sts_ask(&world.context, &keys, &fault), ASK_AGAIN);
    assert_int_equal(fault.err, ERR_STORE);
    stop_request(&world.stop, 0);
    assert_int_equal(sts_ask(&world.context, &keys, &stopped), ASK_FAILED);
    assert_int_equal(stopped.err, ERR_STOPPED);
    sts_end(&world, path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_nobody_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
