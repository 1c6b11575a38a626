/* metadata: version 2 of the instance's metadata, version 1 where that is all there is, and what
 * is neither. */
#include "s3_peer.h"

static const char role_path[] = "/latest/meta-data/iam/security-credentials/";

/* How the service behaves; the peer's stage is an index into this. */
static const struct manners {
    unsigned token_status, name_status, keys_status; /* 0: silence */
    const char *name, *keys; /* of the role; keys NULL: good ones */
    bool v1_disabled;
    enum ask ask;
    enum err err;
    const char *sentence;
} cases[] = {
    {200, 200, 200, "dump-role", NULL, false, ASK_KEYS, ERR_NONE, ""},
    {200, 200, 200, "dump-role\nother\n", NULL, true, ASK_KEYS, ERR_NONE, ""},
    {403, 200, 200, "dump-role", NULL, false, ASK_KEYS, ERR_NONE, ""},
    {404, 200, 200, "dump-role", NULL, false, ASK_KEYS, ERR_NONE, ""},
    {405, 200, 200, "dump-role", NULL, false, ASK_KEYS, ERR_NONE, ""},
    {0, 200, 200, "dump-role", NULL, false, ASK_KEYS, ERR_NONE, ""},
    {404, 200, 200, "dump-role", NULL, true, ASK_AGAIN, ERR_STORE,
     "version 2 of the instance's metadata is not to be had (http 404), and "
     "AWS_EC2_METADATA_V1_DISABLED forbids version 1"},
    {0, 200, 200, "dump-role", NULL, true, ASK_AGAIN, ERR_STORE, "no answer to the request"},
    {400, 200, 200, "dump-role", NULL, false, ASK_FAILED, ERR_STORE, "http 400"},
    {500, 200, 200, "dump-role", NULL, false, ASK_AGAIN, ERR_STORE, "http 500"},
    {201, 200, 200, "", NULL, false, ASK_AGAIN, ERR_STORE, "http 201"},
    {200, 404, 200, "", NULL, false, ASK_FAILED, ERR_CONFIG, "the instance has no role"},
    {200, 503, 200, "", NULL, false, ASK_AGAIN, ERR_STORE, "http 503"},
    {200, 200, 200, "", NULL, false, ASK_AGAIN, ERR_STORE, "role is none"},
    {200, 200, 200, "../../x", NULL, false, ASK_AGAIN, ERR_STORE, "role is none"},
    {200, 200, 500, "r", NULL, false, ASK_AGAIN, ERR_STORE, "http 500"},
    {200, 0, 200, "r", NULL, false, ASK_AGAIN, ERR_STORE, ""},
    {200, 200, 200, "r", "{\"Code\":\"AssumeRoleUnauthorized\",\"Message\":\"cannot assume\"}",
     false, ASK_AGAIN, ERR_STORE, "http 200 AssumeRoleUnauthorized (cannot assume)"},
    {200, 200, 200, "r", "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Expiration\":\"x\"}",
     false, ASK_AGAIN, ERR_STORE, "lacks Token"},
    {200, 200, 200, "r", "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"t\"}",
     false, ASK_AGAIN, ERR_STORE, "Expiration is no time"},
    {200, 200, 200, "r", "<html>", false, ASK_AGAIN, ERR_STORE, "no json object"},
};

static void
reply(struct peer *peer, const char *request, struct text *answer)
{
    const struct manners *manners = &cases[atomic_load(&peer->stage)];
    bool token = strncmp(request, "PUT ", 4) == 0;
    const char *path = strstr(request, role_path);
    bool name = !token && path != NULL && path[sizeof role_path - 1] == ' ';
    unsigned status = token  ? manners->token_status
                      : name ? manners->name_status
                             : manners->keys_status;

    if (status == 0)
        return;
    if (token)
        answer_add(answer, status, status == 200 ? "token-of-the-instance==" : "no");
    else if (name)
        answer_add(answer, status, manners->name);
    else if (manners->keys == NULL && status == 200)
        answer_add_keys(answer, "ASIAINSTANCE", 3600);
    else
        answer_add(answer, status, manners->keys == NULL ? "" : manners->keys);
}

static void
test_manners(void **state)
{
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world world;
        struct fault fault = {0};
        struct credential keys = {0};
        char endpoint[128];
        world_begin(&world, reply);
        atomic_store(&world.peer.stage, (int) i);
        snprintf(endpoint, sizeof endpoint, "%s/mock//", world.peer.url);
        world.config.metadata_endpoint = i % 2 == 0 ? world.peer.url : endpoint;
        world.config.metadata_v1_disabled = cases[i].v1_disabled;
        bool silent = cases[i].token_status == 0 || cases[i].name_status == 0;
        world.config.metadata_timeout_ms = silent ? 1000 : 30000; /* some sit it out */
        assert_int_equal(metadata_ask(&world.context, &keys, &fault), cases[i].ask);
        assert_says(&fault, cases[i].err, cases[i].sentence);

        const char *asked = peer_join(&world.peer);
        assert_non_null(strstr(asked, i % 2 == 0 ? "PUT /latest/api/token HTTP/1.1\r\n"
                                                 : "PUT /mock/latest/api/token HTTP/1.1\r\n"));
        assert_non_null(strcasestr(asked, "\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"));
        if (cases[i].ask == ASK_KEYS) {
            assert_string_equal(keys.access_key, "ASIAINSTANCE");
            assert_non_null(strstr(asked, "/security-credentials/dump-role HTTP/1.1\r\n"));
            bool second = cases[i].token_status == 200;
            assert_int_equal(
                strcasestr(asked, "x-aws-ec2-metadata-token: token-of-the-instance==") != NULL,
                second);
        }
        world_end(&world);
    }
}

static void
test_nobody_there(void **state)
{
    struct world world;
    struct fault fault = {0}, wrong = {0};
    struct credential keys;
    (void) state;

    world_begin(&world, reply);
    peer_join(&world.peer);
    world.config.metadata_endpoint = world.peer.url;
    assert_int_equal(metadata_ask(&world.context, &keys, &fault), ASK_ABSENT);
    assert_int_equal(fault.err, ERR_STORE);
    world.config.metadata_endpoint = "169.254.169.254";
    assert_int_equal(metadata_ask(&world.context, &keys, &wrong), ASK_FAILED);
    assert_says(&wrong, ERR_CONFIG, "AWS_EC2_METADATA_SERVICE_ENDPOINT must begin with http://");
    world_end(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manners),
        cmocka_unit_test(test_nobody_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
