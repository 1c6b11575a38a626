/* s3_store: the driver's small operations, names that two runs want, and uploads that nobody will
 * finish. */
#include "support_bucket.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/claim.h"
#include "store/manifest.h"
#include "store/s3_store.h"
#include "store/s3_sweep.h"

#define CLAIM "claim-0123456789abcdef.json"

struct scene {
    struct bucket bucket;
    struct store *store;
    struct arena arena;
    struct fault fault;
};

static void
scene_open(struct scene *scene)
{
    scene->store = store_open(scene->bucket.url, &scene->bucket.config, true, &scene->bucket.stop,
                              &scene->fault);
    if (scene->store == NULL)
        fail_msg("%s", scene->fault.text);
}

static void
scene_begin(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    bucket_begin(&scene->bucket);
    scene_open(scene);
}

static void
scene_end(struct scene *scene)
{
    store_close(scene->store);
    bucket_end(&scene->bucket);
    arena_free(&scene->arena);
}

static void
test_open(void **state)
{
    static const char *const wrong[] = {"s3://", "s3://b/../x", "s3://a..b",
                                        "s3://arn:aws:s3:1", "http://b"};
    struct bucket bucket;
    (void) state;

    bucket_begin(&bucket);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fault fault = {0};
        assert_null(store_open(wrong[i], &bucket.config, true, &bucket.stop, &fault));
        assert_int_equal(fault.err, ERR_CONFIG);
    }
    struct fault fault = {0};
    bucket.config.storage_class = "GLACIER";
    assert_null(store_open(bucket.url, &bucket.config, true, &bucket.stop, &fault));
    assert_int_equal(fault.err, ERR_CONFIG);
    assert_non_null(strstr(fault.text, "GLACIER"));
    bucket_end(&bucket);
}

static void
test_objects(void **state)
{
    struct scene scene;
    struct text text = {0};
    char version[STORE_VERSION_MAX];
    bool found = true, exists = true, larger = true;
    (void) state;

    scene_begin(&scene);
    const struct store_ops *ops = scene.store->ops;
    assert_true(store_read(scene.store, "a/b", 100, &text, &found, &scene.fault));
    assert_false(found);
    assert_true(ops->exists(scene.store, "a/b", &exists, &scene.fault));
    assert_false(exists);
    assert_true(store_read_version(scene.store, "a/b", 100, &text, version, &larger, &scene.fault));
    assert_false(larger);
    assert_string_equal(version, "");
    assert_true(store_write(scene.store, "a/b", "hello", 5, &scene.fault));
    assert_true(ops->exists(scene.store, "a/b", &exists, &scene.fault));
    assert_true(exists);
    assert_true(store_read_version(scene.store, "a/b", 5, &text, version, &larger, &scene.fault));
    assert_false(larger);
    assert_string_equal(text_of(&text), "hello");
    assert_string_not_equal(version, "");
    assert_true(store_read_version(scene.store, "a/b", 4, &text, version, &larger, &scene.fault));
    assert_true(larger && text.size == 0);
    assert_string_not_equal(version, "");
    assert_false(store_read(scene.store, "a/b", 4, &text, &found, &scene.fault));
    assert_non_null(strstr(scene.fault.text, "larger than the 4 bytes"));
    scene.fault = (struct fault){0};
    assert_true(ops->remove(scene.store, "a/b", &scene.fault));
    assert_true(ops->remove(scene.store, "a/b", &scene.fault));
    assert_true(ops->remove_all(scene.store, NULL, 0, &scene.fault));
    assert_true(ops->remove_all(scene.store, (const char *const[]){"x", "y/z"}, 2, &scene.fault));
    assert_int_equal(bucket_count(&scene.bucket, ""), 0);
    text_free(&text);
    scene_end(&scene);
}

/* What is not ours, and claims, are passed over. */
static void
test_listings(void **state)
{
    struct scene scene;
    struct store_entry *entries;
    const char **names;
    size_t count;
    (void) state;

    scene_begin(&scene);
    assert_true(scene.store->ops->list(scene.store, "", &scene.arena, &entries, &count,
                                       &scene.fault));
    assert_int_equal(count, 0);
    bucket_put(&scene.bucket, "", "a marker of a folder");
    bucket_put(&scene.bucket, "index.json", "12345");
    bucket_put(&scene.bucket, ".hidden", "");
    bucket_put(&scene.bucket, "d-2/1.sql", "123");
    bucket_put(&scene.bucket, "d-2/" CLAIM, "{}");
    bucket_put(&scene.bucket, "d-2/deeper/1.sql", "123");
    bucket_put(&scene.bucket, "d-1/", "");
    bucket_put(&scene.bucket, "d-1/9.sql", "1");
    bucket_put(&scene.bucket, "b c/1.sql", "1");
    assert_true(scene.store->ops->list(scene.store, "", &scene.arena, &entries, &count,
                                       &scene.fault));
    assert_int_equal(count, 1);
    assert_string_equal(entries[0].name, "index.json");
    assert_true(entries[0].bytes == 5);
    assert_true(scene.store->ops->list(scene.store, "d-2", &scene.arena, &entries, &count,
                                       &scene.fault));
    assert_int_equal(count, 1);
    assert_string_equal(entries[0].name, "1.sql");
    assert_true(scene.store->ops->directories(scene.store, &scene.arena, &names, &count,
                                              &scene.fault));
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "d-1");
    assert_string_equal(names[1], "d-2");
    scene_end(&scene);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void
test_take(void **state)
{
    struct scene scene;
    bool taken = false;
    (void) state;

    scene_begin(&scene);
    bucket_put(&scene.bucket, "dump-1/1.sql", "by others");
    bucket_put(&scene.bucket, "dump-2/" CLAIM, "{}");
    bucket_put(&scene.bucket, "dump-33/1.sql", "of another name");
    assert_true(scene.store->ops->directory_take(scene.store, "dump-1", &taken, &scene.fault));
    assert_false(taken);
    assert_int_equal(bucket_count(&scene.bucket, "dump-1/claim-"), 0);
    assert_true(scene.store->ops->directory_take(scene.store, "dump-2", &taken, &scene.fault));
    assert_false(taken);
    assert_int_equal(bucket_count(&scene.bucket, "dump-2/claim-"), 1);
    assert_true(scene.store->ops->directory_take(scene.store, "dump-3", &taken, &scene.fault));
    assert_true(taken);
    assert_int_equal(bucket_count(&scene.bucket, "dump-3/claim-"), 1);
    assert_true(scene.store->ops->directory_take(scene.store, "dump-3", &taken, &scene.fault));
    assert_false(taken);
    store_close(scene.store);
    assert_int_equal(bucket_count(&scene.bucket, "dump-3/"), 0);
    scene_open(&scene);
    scene_end(&scene);
}

/* Another claim arrives between ours and the listing. */
static void
rival(struct bucket *bucket, const char *method, const char *name)
{
    if (strcmp(method, "GET") == 0 && name[0] == '\0')
        bucket_put(bucket, "dump-5/" CLAIM, "{}");
}

static void
test_take_at_once(void **state)
{
    struct scene scene;
    bool taken = true;
    (void) state;

    scene_begin(&scene);
    scene.bucket.before = rival;
    assert_true(scene.store->ops->directory_take(scene.store, "dump-5", &taken, &scene.fault));
    assert_false(taken);
    assert_int_equal(bucket_count(&scene.bucket, "dump-5/"), 1);
    scene_end(&scene);
}

/* Whatever fails in the middle is withdrawn at the end. */
static void
test_take_fails(void **state)
{
    struct scene scene;
    bool taken;
    (void) state;

    scene_begin(&scene);
    atomic_store(&scene.bucket.deny_list, 1);
    assert_false(scene.store->ops->directory_take(scene.store, "dump-5", &taken, &scene.fault));
    assert_non_null(strstr(scene.fault.text, "s3:ListBucket"));
    atomic_store(&scene.bucket.deny_put, 1);
    scene.fault = (struct fault){0};
    assert_false(scene.store->ops->directory_take(scene.store, "dump-6", &taken, &scene.fault));
    stop_request(&scene.bucket.stop, SIGTERM);
    store_close(scene.store);
    assert_int_equal(bucket_count(&scene.bucket, ""), 0);
    bucket_end(&scene.bucket);
}

/* What was not won is another's, with all that is on its way there. */
static void
test_take_fails_beside_a_rival(void **state)
{
    struct scene scene;
    bool taken;
    (void) state;

    scene_begin(&scene);
    bucket_put(&scene.bucket, "dump-5/" CLAIM, "{}");
    bucket_upload(&scene.bucket, "dump-5/1.sql");
    atomic_store(&scene.bucket.deny_list, 1);
    assert_false(scene.store->ops->directory_take(scene.store, "dump-5", &taken, &scene.fault));
    store_close(scene.store);
    assert_int_equal(bucket_uploads(&scene.bucket), 1);
    assert_int_equal(bucket_count(&scene.bucket, "dump-5/"), 1);
    bucket_end(&scene.bucket);
}

/* Processes that all want the same names: each gets its own. */
static void
test_many_takers(void **state)
{
    enum { TAKERS = 6 };
    struct scene scene;
    pid_t children[TAKERS];
    int pipe_fds[2];
    char names[TAKERS][DUMP_NAME_MAX];
    (void) state;

    scene_begin(&scene);
    assert_int_equal(pipe(pipe_fds), 0);
    for (int i = 0; i < TAKERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            const char *name;
            char record[DUMP_NAME_MAX] = "";
            struct store *store = store_open(scene.bucket.url, &scene.bucket.config, true,
                                             &scene.bucket.stop, &scene.fault);
            if (store == NULL || !dump_name_take(store, &scene.arena, &name, &scene.fault))
                _exit(1);
            snprintf(record, sizeof record, "%s", name);
            if (write(pipe_fds[1], record, sizeof record) != sizeof record)
                _exit(2);
            _exit(0); /* killed, as far as the store can see: the claim stays */
        }
    }
    for (int i = 0; i < TAKERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
        assert_int_equal(read(pipe_fds[0], names[i], DUMP_NAME_MAX), DUMP_NAME_MAX);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
    assert_int_equal(bucket_count(&scene.bucket, "dump-"), TAKERS);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    scene_end(&scene);
}

/* ---- sweeps --------------------------------------------------------------------------------- */

static void
test_traces(void **state)
{
    enum { DAY = SWEEP_AGE_MS, NOW = 1000000000 };
    static const struct {
        const char *why;
        struct s3_trace trace;
        bool over;
    } cases[] = {
        {"a foreign copy goes on", {.newest_ms = NOW - 1, .now_ms = NOW}, false},
        {"a foreign copy was given up", {.newest_ms = NOW - DAY - 1, .now_ms = NOW}, true},
        {"on the day", {.newest_ms = NOW - DAY, .now_ms = NOW}, false},
        {"the time is not known", {.newest_ms = 1}, false},
        {"its age is not known", {.newest_ms = 1, .now_ms = NOW, .undated = true}, false},
        {"a copy with a manifest", {.manifest = true, .newest_ms = NOW, .now_ms = NOW}, false},
        {"elsewhere", {.claims = 1, .newest_ms = NOW, .now_ms = NOW}, false},
        {"elsewhere, old", {.claims = 1, .newest_ms = 1, .now_ms = NOW}, true},
        {"elsewhere, done", {.claims = 1, .manifest = true, .now_ms = NOW}, true},
        {"gone", {.claims = 1, .claims_gone = 1, .newest_ms = NOW, .now_ms = NOW}, true},
        {"gone and elsewhere", {.claims = 2, .claims_gone = 1, .newest_ms = NOW, .now_ms = NOW},
         false},
        {"living, old", {.claims = 1, .claims_living = 1, .newest_ms = 1, .now_ms = NOW}, false},
    };
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (s3_trace_is_over(&cases[i].trace) != cases[i].over)
            fail_msg("%s", cases[i].why);
}

static void
claim_by(struct scene *scene, const char *dump, pid_t process, bool here)
{
    struct claim claim;
    struct text text = {0};
    char name[64], object[STORE_NAME_MAX];

    claim_of_self(&claim);
    claim.process = (uint64_t) process;
    if (!here)
        memset(claim.machine, '0', 64);
    claim_add(&text, &claim);
    snprintf(object, sizeof object, "%s/%s", dump, claim_name(name));
    bucket_put(&scene->bucket, object, text_of(&text));
    text_free(&text);
}

static pid_t
process_gone(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    return child;
}

static void
sweep(struct scene *scene)
{
    if (!scene->store->ops->sweep(scene->store, &scene->fault))
        fail_msg("%s", scene->fault.text);
}

static void
test_sweep(void **state)
{
    struct scene scene;
    (void) state;

    scene_begin(&scene);
    sweep(&scene);
    bucket_upload(&scene.bucket, "other/1.sql");
    bucket_upload(&scene.bucket, "dump-x/1.sql");
    bucket_upload(&scene.bucket, "dump-1");
    bucket_upload(&scene.bucket, "dump-7/1.sql"); /* somebody copies dumps */
    claim_by(&scene, "dump-8", getpid(), true);   /* lives */
    bucket_upload(&scene.bucket, "dump-8/1.sql");
    claim_by(&scene, "dump-9", process_gone(), false); /* elsewhere */
    bucket_upload(&scene.bucket, "dump-9/1.sql");
    sweep(&scene);
    assert_int_equal(bucket_uploads(&scene.bucket), 6);

    claim_by(&scene, "dump-10", process_gone(), true);
    bucket_upload(&scene.bucket, "dump-10/1.sql");
    bucket_upload(&scene.bucket, "dump-10/2.sql");
    sweep(&scene);
    assert_int_equal(bucket_uploads(&scene.bucket), 6);
    assert_int_equal(bucket_count(&scene.bucket, "dump-10/"), 0);
    bucket_put(&scene.bucket, "dump-9/manifest.json", "{}");
    sweep(&scene);
    assert_int_equal(bucket_uploads(&scene.bucket), 5);
    assert_int_equal(bucket_count(&scene.bucket, "dump-9/claim-"), 0);

    /* A day later only what lives, and what is none of our business, is left. */
    scene.bucket.age_ms = SWEEP_AGE_MS + 5 * 60 * 1000;
    sweep(&scene);
    assert_int_equal(bucket_uploads(&scene.bucket), 4);
    scene_end(&scene);
}

static void
test_sweep_impossible(void **state)
{
    struct scene scene;
    bool taken;
    (void) state;

    scene_begin(&scene);
    scene.bucket.uploads_unlisted = true;
    sweep(&scene);
    assert_true(scene.store->ops->directory_take(scene.store, "dump-3", &taken, &scene.fault));
    assert_true(taken);
    store_close(scene.store);
    assert_int_equal(bucket_count(&scene.bucket, ""), 0);
    scene_open(&scene);
    scene_end(&scene);
}

/* An upload that could not be aborted leaves the claim behind, for the next run to read; one that
 * nobody knows of, because its beginning was never answered, goes with the end of the run. */
static void
test_litter(void **state)
{
    struct scene scene;
    bool taken;
    (void) state;

    scene_begin(&scene);
    assert_true(scene.store->ops->directory_take(scene.store, "dump-3", &taken, &scene.fault));
    bucket_upload(&scene.bucket, "dump-3/1.sql");
    atomic_store(&scene.bucket.deny_abort, 1);
    store_close(scene.store);
    assert_int_equal(bucket_uploads(&scene.bucket), 1);
    assert_int_equal(bucket_count(&scene.bucket, "dump-3/claim-"), 1);

    scene_open(&scene);
    assert_true(scene.store->ops->directory_take(scene.store, "dump-4", &taken, &scene.fault));
    bucket_upload(&scene.bucket, "dump-4/1.sql");
    store_close(scene.store);
    assert_int_equal(bucket_uploads(&scene.bucket), 1);
    assert_int_equal(bucket_count(&scene.bucket, "dump-4/"), 0);
    scene_open(&scene);
    scene_end(&scene);
}

/* An abort that fails is made up for at the end of the run, and then the claim need not stay. */
static void
test_litter_cleared(void **state)
{
    enum { BYTES = 9 << 20 };
    struct scene scene;
    bool taken;
    uint8_t *data = calloc(1, BYTES);
    (void) state;

    scene_begin(&scene);
    assert_true(scene.store->ops->directory_take(scene.store, "dump-5", &taken, &scene.fault));
    struct store_writer *writer = scene.store->ops->put_begin(scene.store, "dump-5/1.sql",
                                                              &scene.fault);
    assert_true(scene.store->ops->put_write(writer, data, BYTES, &scene.fault));
    assert_int_equal(bucket_uploads(&scene.bucket), 1);
    atomic_store(&scene.bucket.deny_abort, 1);
    scene.store->ops->put_abort(writer);
    assert_int_equal(bucket_uploads(&scene.bucket), 1);
    store_close(scene.store);
    assert_int_equal(bucket_uploads(&scene.bucket), 0);
    assert_int_equal(bucket_count(&scene.bucket, "dump-5/"), 0);
    free(data);
    scene_open(&scene);
    scene_end(&scene);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_listings),    cmocka_unit_test(test_take),
        cmocka_unit_test(test_take_at_once), cmocka_unit_test(test_take_fails),
        cmocka_unit_test(test_take_fails_beside_a_rival),
        cmocka_unit_test(test_many_takers), cmocka_unit_test(test_traces),
        cmocka_unit_test(test_sweep),       cmocka_unit_test(test_sweep_impossible),
        cmocka_unit_test(test_litter),
        cmocka_unit_test(test_litter_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
