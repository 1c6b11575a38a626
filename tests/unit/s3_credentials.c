/* credentials: which source is the one, and when it is asked again.  The clock is the test's own,
 * so that hours pass at once. */
#define clock_epoch_ms test_epoch_ms
#include "s3_peer.h"

#include <sched.h>

static int test_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);

#define pthread_cond_wait test_cond_wait
#include "s3/credentials.c" /* lint: its clock is replaced */
#undef pthread_cond_wait

/* Threads that wait for another's renewal; counted, as the clock is, so that nothing is left to
 * chance. */
static atomic_int waiters;

static int
test_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    atomic_fetch_add(&waiters, 1);
    return pthread_cond_wait(condition, lock);
}

static atomic_uint_fast64_t now_ms_of_test = 2000000000000;

uint64_t
test_epoch_ms(void)
{
    return atomic_load(&now_ms_of_test);
}

static void
pass_s(uint64_t seconds)
{
    atomic_fetch_add(&now_ms_of_test, seconds * 1000);
}

/* ---- an endpoint that does as it is told ---------------------------------------------------- */

enum { LIVE_S = 3600 };

static struct {
    atomic_int name;      /* keys are ASIA<name> */
    atomic_int live_s;    /* and so long they live; negative: they have run out */
    atomic_bool failing;
    atomic_bool held;     /* answers wait until this is false */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int waiting;          /* answers that do */
} endpoint = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void
reply(struct peer *peer, const char *request, struct text *answer)
{
    char access[32];
    (void) peer;

    pthread_mutex_lock(&endpoint.lock);
    endpoint.waiting++;
    pthread_cond_broadcast(&endpoint.changed);
    while (atomic_load(&endpoint.held))
        pthread_cond_wait(&endpoint.changed, &endpoint.lock);
    endpoint.waiting--;
    pthread_mutex_unlock(&endpoint.lock);

    snprintf(access, sizeof access, "ASIA%d", atomic_load(&endpoint.name));
    if (strncmp(request, "PUT ", 4) == 0)
        answer_add(answer, 404, "");
    else if (strstr(request, "security-credentials/ ") != NULL)
        answer_add(answer, 200, "role");
    else if (atomic_load(&endpoint.failing))
        answer_add(answer, 403, "{\"code\":\"Denied\"}");
    else
        answer_add_keys(answer, access, atomic_load(&endpoint.live_s));
}

static void
endpoint_hold(bool held)
{
    pthread_mutex_lock(&endpoint.lock);
    atomic_store(&endpoint.held, held);
    pthread_cond_broadcast(&endpoint.changed);
    pthread_mutex_unlock(&endpoint.lock);
}

static void
endpoint_await_waiting(void)
{
    pthread_mutex_lock(&endpoint.lock);
    while (endpoint.waiting == 0)
        pthread_cond_wait(&endpoint.changed, &endpoint.lock);
    pthread_mutex_unlock(&endpoint.lock);
}

/* A world whose container's endpoint is the peer. */
static struct credentials *
container_begin(struct world *world)
{
    atomic_store(&endpoint.name, 1);
    atomic_store(&endpoint.live_s, LIVE_S);
    atomic_store(&endpoint.failing, false);
    world_begin(world, reply);
    world->config.full_uri = world->peer.url;
    return credentials_open(&world->config, NULL, &world->stop);
}

static void
container_end(struct world *world, struct credentials *credentials)
{
    credentials_close(credentials);
    world_end(world);
}

static void
expect(struct credentials *credentials, const char *access, uint64_t generation)
{
    struct credential keys;
    struct fault fault = {0};

    if (!credentials_get(credentials, &keys, &fault))
        fail_msg("%s", fault.text);
    assert_string_equal(keys.access_key, access);
    assert_int_equal(keys.generation, generation);
}

static void
expect_failure(struct credentials *credentials, enum err err, const char *sentence)
{
    struct credential keys;
    struct fault fault = {0};

    assert_false(credentials_get(credentials, &keys, &fault));
    assert_says(&fault, err, sentence);
}

/* ---- which source --------------------------------------------------------------------------- */

static void
source_check(const struct credentials_config *config, const char *source)
{
    struct credentials *credentials = credentials_open(config, NULL, NULL);

    assert_string_equal(credentials_source(credentials), source);
    credentials_close(credentials);
}

static void
test_order(void **state)
{
    struct world world;
    (void) state;

    world_begin(&world, reply);
    struct credentials_config *config = &world.config;
    source_check(config, "the instance's metadata");
    config->metadata_disabled = true;
    source_check(config, "nowhere");
    config->full_uri = "http://localhost";
    source_check(config, "the container's endpoint");
    config->full_uri = "";
    config->relative_uri = "/x";
    source_check(config, "the container's endpoint");
    config->role_arn = "arn"; /* alone it belongs to a profile */
    source_check(config, "the container's endpoint");
    config->token_file = "/token";
    source_check(config, "STS web identity");
    config->secret_key_file = "/secret";
    source_check(config, "the environment");
    config->secret_key_file = "";
    config->access_key = "AKIA";
    source_check(config, "the environment");
    world_end(&world);
}

static void
test_nowhere(void **state)
{
    struct world world;
    struct credentials *credentials;
    (void) state;

    world_begin(&world, reply);
    peer_join(&world.peer);
    world.config.metadata_endpoint = world.peer.url;
    credentials = credentials_open(&world.config, NULL, &world.stop);
    expect_failure(credentials, ERR_CONFIG,
                   "there are no credentials for the store: none of AWS_ACCESS_KEY_ID, "
                   "AWS_WEB_IDENTITY_TOKEN_FILE, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and "
                   "AWS_CONTAINER_CREDENTIALS_FULL_URI is set, and no instance's metadata "
                   "answers: ");
    credentials_close(credentials);
    world.config.metadata_disabled = true;
    credentials = credentials_open(&world.config, NULL, &world.stop);
    expect_failure(credentials, ERR_CONFIG, "is set, and AWS_EC2_METADATA_DISABLED forbids");
    credentials_close(credentials);
    credentials_close(NULL);
    world_end(&world);
}

static void
test_environment(void **state)
{
    struct world world;
    struct credentials *credentials;
    struct credential keys;
    struct fault fault = {0};
    (void) state;

    world_begin(&world, reply);
    world.config.access_key = "AKIA";
    credentials = credentials_open(&world.config, NULL, &world.stop);
    expect_failure(credentials, ERR_CONFIG, "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY");
    credentials_close(credentials);
    world.config.secret_key = "se cret";
    credentials = credentials_open(&world.config, NULL, &world.stop);
    expect_failure(credentials, ERR_CONFIG, "AWS_SECRET_ACCESS_KEY holds a blank");
    credentials_close(credentials);

    world.config.secret_key = "secret";
    world.config.session_token = "token";
    credentials = credentials_open(&world.config, NULL, &world.stop);
    assert_true(credentials_get(credentials, &keys, &fault));
    assert_string_equal(keys.secret_key, "secret");
    assert_string_equal(keys.token, "token");
    assert_true(keys.expires_ms == 0 && keys.generation == 1);
    pass_s(1000000);
    expect(credentials, "AKIA", 1);
    assert_false(credentials_refused(credentials, 1, false));
    expect(credentials, "AKIA", 1);
    credentials_close(credentials);
    world_end(&world);
}

/* Keys in files are read whenever they are asked for; a file that is missing for a moment is no
 * reason to stop. */
static void
test_files(void **state)
{
    struct world world;
    char access[64], secret[64];
    (void) state;

    world_begin(&world, reply);
    file_make(access, "AKIA1\n");
    file_make(secret, "secret");
    world.config.access_key_file = access;
    world.config.secret_key_file = secret;
    struct credentials *credentials = credentials_open(&world.config, NULL, &world.stop);
    expect(credentials, "AKIA1", 1);
    expect(credentials, "AKIA1", 1);
    file_write(access, "AKIA2\n");
    expect(credentials, "AKIA2", 2);
    file_write(secret, "changed\n");
    expect(credentials, "AKIA2", 3);
    assert_true(credentials_refused(credentials, 3, false));
    expect(credentials, "AKIA2", 3);
    assert_false(credentials_refused(credentials, 3, false));
    unlink(access);
    expect(credentials, "AKIA2", 3);
    file_write(access, "AKIA3\n");
    expect(credentials, "AKIA2", 3);
    pass_s(61);
    expect(credentials, "AKIA3", 4);
    credentials_close(credentials);

    unlink(secret);
    credentials = credentials_open(&world.config, NULL, &world.stop);
    expect_failure(credentials, ERR_CONFIG, "which AWS_SECRET_ACCESS_KEY_FILE names: no such file");
    credentials_close(credentials);
    unlink(access);
    world_end(&world);
}

/* ---- when it is asked again ----------------------------------------------------------------- */

static void
test_renewal(void **state)
{
    struct world world;
    struct credentials *credentials = container_begin(&world);
    atomic_uint *requests = &world.peer.requests;
    (void) state;

    expect(credentials, "ASIA1", 1);
    pass_s(LIVE_S - 901);
    expect(credentials, "ASIA1", 1);
    assert_int_equal(atomic_load(requests), 1);

    /* A renewal that fails, in three attempts, is tried again a minute later. */
    atomic_store(&endpoint.failing, true);
    pass_s(2);
    expect(credentials, "ASIA1", 1);
    assert_int_equal(atomic_load(requests), 4);
    pass_s(59);
    expect(credentials, "ASIA1", 1);
    assert_int_equal(atomic_load(requests), 4);
    atomic_store(&endpoint.failing, false);
    atomic_store(&endpoint.name, 2);
    pass_s(2);
    expect(credentials, "ASIA2", 2);
    expect(credentials, "ASIA2", 2);
    assert_int_equal(atomic_load(requests), 5);

    /* Within five minutes of the end it is a failure, and there is no waiting for a minute. */
    atomic_store(&endpoint.failing, true);
    pass_s(LIVE_S - 299);
    expect_failure(credentials, ERR_STORE,
                   "http 403 Denied, while asking the container's endpoint for credentials");
    atomic_store(&endpoint.failing, false);
    expect(credentials, "ASIA2", 2); /* the same keys, which live longer now */
    pass_s(LIVE_S - 1000);
    expect(credentials, "ASIA2", 2);
    assert_int_equal(atomic_load(requests), 9);
    container_end(&world, credentials);
}

static void
test_short_lives(void **state)
{
    struct world world;
    struct credentials *credentials = container_begin(&world);
    (void) state;

    atomic_store(&endpoint.live_s, 100);
    expect(credentials, "ASIA1", 1);
    atomic_store(&endpoint.name, 2);
    pass_s(49);
    expect(credentials, "ASIA1", 1);
    pass_s(2);
    expect(credentials, "ASIA2", 2);
    assert_int_equal(atomic_load(&world.peer.requests), 2);

    /* Keys that have run out already are none. */
    atomic_store(&endpoint.live_s, -1);
    pass_s(200);
    expect_failure(credentials, ERR_STORE, "it gave keys that ran out at 20");
    container_end(&world, credentials);
}

/* ... but for the instance's, which is known to serve on what it has while it cannot get others. */
static void
test_stale_instance(void **state)
{
    struct world world;
    (void) state;

    credentials_close(container_begin(&world));
    world.config.full_uri = "";
    world.config.metadata_endpoint = world.peer.url;
    struct credentials *credentials = credentials_open(&world.config, NULL, &world.stop);
    atomic_store(&endpoint.live_s, -1);
    expect(credentials, "ASIA1", 1);
    expect(credentials, "ASIA1", 1);
    assert_int_equal(atomic_load(&world.peer.requests), 3);
    atomic_store(&endpoint.live_s, LIVE_S);
    atomic_store(&endpoint.name, 2);
    pass_s(EXTENSION_MS / 2000 + 1);
    expect(credentials, "ASIA2", 2);

    /* Once there were keys, silence is a failure of the source, no matter of configuration. */
    peer_join(&world.peer);
    pass_s(LIVE_S);
    expect_failure(credentials, ERR_STORE, "while asking the instance's metadata");
    container_end(&world, credentials);
}

static void
test_refused(void **state)
{
    struct world world;
    struct credentials *credentials = container_begin(&world);
    atomic_uint *requests = &world.peer.requests;
    (void) state;

    expect(credentials, "ASIA1", 1);
    atomic_store(&endpoint.name, 2);
    assert_true(credentials_refused(credentials, 1, false));
    expect(credentials, "ASIA2", 2);
    assert_int_equal(atomic_load(requests), 2);
    /* Others have these already. */
    assert_true(credentials_refused(credentials, 1, false));
    expect(credentials, "ASIA2", 2);
    assert_int_equal(atomic_load(requests), 2);
    /* The same come again: there is no hope in asking once more. */
    assert_true(credentials_refused(credentials, 2, false));
    expect(credentials, "ASIA2", 2);
    assert_int_equal(atomic_load(requests), 3);
    assert_false(credentials_refused(credentials, 2, false));
    expect(credentials, "ASIA2", 2);
    assert_int_equal(atomic_load(requests), 3);
    /* ... unless the store is sure, for then the others are just late. */
    assert_true(credentials_refused(credentials, 2, true));
    expect(credentials, "ASIA2", 2);
    assert_int_equal(atomic_load(requests), 4);
    /* Refused keys do not serve on when the source fails. */
    atomic_store(&endpoint.name, 3);
    pass_s(LIVE_S);
    expect(credentials, "ASIA3", 3);
    atomic_store(&endpoint.failing, true);
    assert_true(credentials_refused(credentials, 3, false));
    expect_failure(credentials, ERR_STORE, "http 403 Denied");
    container_end(&world, credentials);
}

/* ---- threads -------------------------------------------------------------------------------- */

struct asker {
    pthread_t thread;
    struct credentials *credentials;
    bool done;
    struct credential keys;
    struct fault fault;
};

static void *
ask_run(void *context)
{
    struct asker *asker = context;

    asker->done = credentials_get(asker->credentials, &asker->keys, &asker->fault);
    return NULL;
}

/* The first keys are waited for by all and asked for once; while better ones are on their way, the
 * old ones are served to whoever comes. */
static void
test_threads(void **state)
{
    struct world world;
    struct credentials *credentials = container_begin(&world);
    struct asker askers[8] = {0};
    (void) state;

    endpoint_hold(true);
    for (size_t i = 0; i < 8; i++) {
        askers[i].credentials = credentials;
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_run, &askers[i]), 0);
    }
    endpoint_await_waiting();
    endpoint_hold(false);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_true(askers[i].done);
        assert_int_equal(askers[i].keys.generation, 1);
    }
    assert_int_equal(atomic_load(&world.peer.requests), 1);

    endpoint_hold(true);
    atomic_store(&endpoint.name, 2);
    pass_s(LIVE_S - 800);
    assert_int_equal(pthread_create(&askers[0].thread, NULL, ask_run, &askers[0]), 0);
    endpoint_await_waiting();
    expect(credentials, "ASIA1", 1);
    endpoint_hold(false);
    pthread_join(askers[0].thread, NULL);
    assert_int_equal(askers[0].keys.generation, 2);
    expect(credentials, "ASIA2", 2);
    container_end(&world, credentials);
}

/* The failure of a renewal is that of all who waited for it: it is not asked for each anew. */
static void
test_failure_is_shared(void **state)
{
    struct world world;
    struct credentials *credentials = container_begin(&world);
    struct asker askers[8] = {0};
    (void) state;

    atomic_store(&waiters, 0);
    atomic_store(&endpoint.failing, true);
    endpoint_hold(true);
    for (size_t i = 0; i < 8; i++) {
        askers[i].credentials = credentials;
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_run, &askers[i]), 0);
    }
    while (atomic_load(&waiters) < 7)
        sched_yield();
    endpoint_hold(false);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_false(askers[i].done);
        assert_says(&askers[i].fault, ERR_STORE, "http 403 Denied, while asking the container's");
    }
    assert_int_equal(atomic_load(&world.peer.requests), 3);
    container_end(&world, credentials);
}

/* Who is stopped may need keys to tidy up: those that have not run out will do. */
static void
test_stopped(void **state)
{
    struct world world;
    struct credentials *credentials = container_begin(&world);
    (void) state;

    expect(credentials, "ASIA1", 1);
    stop_request(&world.stop, 0);
    pass_s(LIVE_S - 600);
    expect(credentials, "ASIA1", 1);
    pass_s(590);
    expect(credentials, "ASIA1", 1);
    pass_s(11);
    expect_failure(credentials, ERR_STOPPED, "");
    container_end(&world, credentials);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),       cmocka_unit_test(test_nowhere),
        cmocka_unit_test(test_environment), cmocka_unit_test(test_files),
        cmocka_unit_test(test_renewal),     cmocka_unit_test(test_short_lives),
        cmocka_unit_test(test_stale_instance), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_threads),     cmocka_unit_test(test_failure_is_shared),
        cmocka_unit_test(test_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
