/* container: the agents' answers, the authorization that is read anew, and the addresses to which
 * nothing is ever sent without https. */
#include "s3_peer.h"

static void
reply_keys(struct peer *peer, const char *request, struct text *answer)
{
    (void) peer;
    (void) request;
    answer_add_keys(answer, "ASIACONTAINER", 3600);
}

static void
test_keys(void **state)
{
    struct world world;
    struct credential keys;
    struct fault fault = {0};
    char uri[128], path[64];
    (void) state;

    world_begin(&world, reply_keys);
    snprintf(uri, sizeof uri, "%s/v1/credentials?id=7", world.peer.url);
    world.config.full_uri = uri;
    assert_int_equal(container_ask(&world.context, &keys, &fault), ASK_KEYS);
    assert_string_equal(keys.access_key, "ASIACONTAINER");
    assert_string_equal(keys.secret_key, "secret/of+ASIACONTAINER");
    assert_string_equal(keys.token, "token==of+ASIACONTAINER");
    assert_true(keys.expires_ms > clock_epoch_ms() + 3500 * 1000);

    world.config.authorization = "Basic Zm9v";
    assert_int_equal(container_ask(&world.context, &keys, &fault), ASK_KEYS);
    file_make(path, "first\n");
    world.config.authorization_file = path;
    assert_int_equal(container_ask(&world.context, &keys, &fault), ASK_KEYS);
    file_write(path, "second");
    assert_int_equal(container_ask(&world.context, &keys, &fault), ASK_KEYS);
    unlink(path);

    const char *asked = peer_join(&world.peer);
    assert_ptr_equal(strstr(asked, "GET /v1/credentials?id=7 HTTP/1.1\r\n"), asked);
    const char *basic = strcasestr(asked, "\r\nAuthorization: Basic Zm9v\r\n");
    const char *first = strcasestr(asked, "\r\nAuthorization: first\r\n");
    const char *second = strcasestr(asked, "\r\nAuthorization: second\r\n");
    assert_true(basic != NULL && first > basic && second > first);
    world_end(&world);
}

static const struct refusal {
    unsigned status;
    const char *body;
    enum ask ask;
    const char *sentence;
} refusals[] = {
    {200, "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\"}", ASK_KEYS, ""},
    {200, "{\"AccessKeyId\":\"A\"}", ASK_AGAIN, "lacks SecretAccessKey"},
    {200, "{\"AccessKeyId\":\"A\\r\\nX: y\",\"SecretAccessKey\":\"s\"}", ASK_AGAIN,
     "AccessKeyId is not one"},
    {200, "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"t u\"}", ASK_AGAIN,
     "Token is not one"},
    {200, "{\"Code\":\"Later\"}", ASK_AGAIN, "http 200 Later"},
    {200, "", ASK_AGAIN, "no json object"},
    {403, "{\"code\":\"AccessDeniedException\",\"message\":\"no association\"}", ASK_AGAIN,
     "http 403 AccessDeniedException (no association)"},
    {404, "not here", ASK_AGAIN, "http 404"},
    {500, "{}", ASK_AGAIN, "http 500"},
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
    struct credential keys;
    (void) state;

    world_begin(&world, reply_refusal);
    world.config.full_uri = world.peer.url;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct fault fault = {0};
        atomic_store(&world.peer.stage, (int) i);
        assert_int_equal(container_ask(&world.context, &keys, &fault), refusals[i].ask);
        bool good = refusals[i].ask == ASK_KEYS;
        assert_says(&fault, good ? ERR_NONE : ERR_STORE, refusals[i].sentence);
        if (good)
            assert_true(keys.expires_ms == 0 && keys.token[0] == '\0');
    }
    world_end(&world);
}

static void
reply_flood(struct peer *peer, const char *request, struct text *answer)
{
    struct text body = {0};
    (void) peer;
    (void) request;

    for (int i = 0; i <= ASK_ANSWER_MAX / 16; i++)
        text_add(&body, "                ");
    answer_add(answer, 200, text_of(&body));
    text_free(&body);
}

static void
test_flood(void **state)
{
    struct world world;
    struct credential keys;
    struct fault fault = {0};
    (void) state;

    world_begin(&world, reply_flood);
    world.config.full_uri = world.peer.url;
    assert_int_not_equal(container_ask(&world.context, &keys, &fault), ASK_KEYS);
    assert_says(&fault, ERR_STORE, "has more than 65536 bytes");
    world_end(&world);
}

static void
reply_half(struct peer *peer, const char *request, struct text *answer)
{
    (void) peer;
    (void) request;
    text_add(answer, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"AccessKeyId\":\"A\"");
}

static void
test_half_an_answer(void **state)
{
    struct world world;
    struct credential keys;
    struct fault fault = {0};
    (void) state;

    world_begin(&world, reply_half);
    world.config.full_uri = world.peer.url;
    assert_int_equal(container_ask(&world.context, &keys, &fault), ASK_AGAIN);
    assert_int_equal(fault.err, ERR_STORE);
    world_end(&world);
}

/* Where it is allowed to ask, a thrown switch ends the attempt before anything is sent. */
static void
test_addresses(void **state)
{
    static const struct {
        const char *uri;
        bool near;
    } cases[] = {
        {"http://localhost:1/x", true},
        {"http://LOCALHOST/x", true},
        {"http://127.0.0.1/x", true},
        {"http://127.255.0.9:99", true},
        {"http://[::1]/x", true},
        {"http://[0:0:0:0:0:0:0:1]/x", true},
        {"http://169.254.170.2/x", true},
        {"http://169.254.170.23/v1/credentials", true},
        {"http://[fd00:ec2::23]/v1/credentials", true},
        {"http://[fd00:0ec2::0023]/v1/credentials", true},
        {"http://169.254.170.3/x", false},
        {"http://169.254.169.254/x", false},
        {"http://128.0.0.1/x", false},
        {"http://10.0.0.1/x", false},
        {"http://[fd00:ec2::24]/x", false},
        {"http://[::ffff:10.0.0.1]/x", false},
        {"http://localhost.example.com/x", false},
        {"http://127.0.0.1.example.com/x", false},
        {"http://example.com/x", false},
    };
    struct world world;
    (void) state;

    world_begin(&world, reply_keys);
    stop_request(&world.stop, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fault fault = {0};
        struct credential keys;
        world.config.full_uri = cases[i].uri;
        assert_int_equal(container_ask(&world.context, &keys, &fault), ASK_FAILED);
        assert_says(&fault, cases[i].near ? ERR_STOPPED : ERR_CONFIG,
                    cases[i].near ? "" : "without https");
    }
    world_end(&world);
}

static void
test_configuration(void **state)
{
    static const struct {
        const char *relative, *full, *authorization, *authorization_file, *sentence;
    } cases[] = {
        {"v2/credentials", "", "", "", "RELATIVE_URI must begin with '/'"},
        {"/a b", "", "", "", "RELATIVE_URI holds a blank"},
        {"", "ftp://localhost/", "", "", "FULL_URI must begin with http://"},
        {"", "http://user:pass@localhost/", "", "", "FULL_URI must not hold a user"},
        {"", "http://localhost/", "a\r\nX-Evil: b", "", "TOKEN holds more than one line"},
        {"", "http://localhost/", "", "/nowhere/token", "unable to read /nowhere/token"},
    };
    struct world world;
    (void) state;

    world_begin(&world, reply_keys);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fault fault = {0};
        struct credential keys;
        world.config.relative_uri = cases[i].relative;
        world.config.full_uri = cases[i].full;
        world.config.authorization = cases[i].authorization;
        world.config.authorization_file = cases[i].authorization_file;
        assert_int_equal(container_ask(&world.context, &keys, &fault), ASK_FAILED);
        assert_says(&fault, ERR_CONFIG, cases[i].sentence);
    }
    assert_int_equal(atomic_load(&world.peer.requests), 0);
    world_end(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),      cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_flood),     cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_configuration), cmocka_unit_test(test_half_an_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
