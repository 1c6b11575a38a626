/* index over S3: many writers, with conditions that hold, that are not looked at, and that can't
 * hold; whoever was last, no finished dump is missing. */
#include "support_bucket.h"
#include "support_store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "store/index.h"

static struct store *
opened(struct bucket *bucket)
{
    struct fault fault = {0};
    struct store *store = store_open(bucket->url, &bucket->config, true, &bucket->stop, &fault);

    if (store == NULL)
        fail_msg("%s", fault.text);
    return store;
}

/* The dumps of the index, each followed by a blank. */
static void
index_is(struct bucket *bucket, const char *names)
{
    struct bytes bytes = bucket_read(bucket, "index.json");
    struct arena arena = {0};
    struct fault fault = {0};
    struct text found = {0};
    const struct json *json =
        json_parse(&arena, (const char *) bytes.data, bytes.size, "index.json", &fault);

    if (json == NULL)
        fail_msg("%s", fault.text);
    const struct json *dumps = json_get(json, "dumps");
    for (const struct json *item = dumps->first; item != NULL; item = item->next)
        text_addf(&found, "%s ", json_get_text(item, "directory_name", "?"));
    assert_string_equal(text_of(&found), names);
    text_free(&found);
    bytes_free(&bytes);
    arena_free(&arena);
}

static bool
dump_write(struct store *store, const char *name, struct fault *fault)
{
    struct place memory = {0}; /* only its arena */
    enum manifest_state state;
    bool written = manifest_write(store, place_manifest(&memory, name), &state, fault);

    arena_free(&memory.arena);
    return written;
}

/* Another writer does all of his between our listing and our write. */
struct rival {
    struct store *store;
    const char *const *dumps; /* one for each of our writes, NULL at the end */
    pthread_mutex_t lock;
    bool busy;
};

static void
rival_writes(struct bucket *bucket, const char *method, const char *name)
{
    struct rival *rival = bucket->context;
    struct fault fault = {0};

    if (strcmp(method, "PUT") != 0 || strcmp(name, "index.json") != 0)
        return;
    pthread_mutex_lock(&rival->lock);
    bool ours = !rival->busy && *rival->dumps != NULL;
    rival->busy |= ours;
    pthread_mutex_unlock(&rival->lock);
    if (!ours)
        return;
    if (!dump_write(rival->store, *rival->dumps++, &fault)) {
        fprintf(stderr, "%s\n", fault.text);
        abort();
    }
    pthread_mutex_lock(&rival->lock);
    rival->busy = false;
    pthread_mutex_unlock(&rival->lock);
}

static void
check_rivals(bool conditions, bool etags_change, bool first)
{
    static const char *const dumps[] = {"dump-20", "dump-30", "dump-40", NULL};
    struct bucket bucket;
    struct fault fault = {0};

    bucket_begin(&bucket);
    bucket.conditions = conditions;
    bucket.etags_change = etags_change;
    struct rival rival = {.store = opened(&bucket), .dumps = dumps};
    pthread_mutex_init(&rival.lock, NULL);
    struct store *store = opened(&bucket);
    if (!first)
        assert_true(dump_write(store, "dump-1", &fault));
    bucket.context = &rival;
    bucket.before = rival_writes;
    if (!dump_write(store, "dump-50", &fault))
        fail_msg("%s", fault.text);
    bucket.before = NULL;
    assert_null(*rival.dumps);
    index_is(&bucket, first ? "dump-20 dump-30 dump-40 dump-50 "
                            : "dump-1 dump-20 dump-30 dump-40 dump-50 ");
    store_close(store);
    store_close(rival.store);
    pthread_mutex_destroy(&rival.lock);
    bucket_end(&bucket);
}

static void
test_rivals(void **state)
{
    (void) state;
    for (int first = 0; first < 2; first++) {
        check_rivals(true, false, first == 1);
        check_rivals(false, false, first == 1);
        check_rivals(true, true, first == 1);
    }
}

enum { WRITERS = 4, DUMPS_EACH = 5 };

struct writer {
    struct bucket *bucket;
    int number;
};

static void *
writer_run(void *argument)
{
    const struct writer *writer = argument;
    struct fault fault = {0};
    struct store *store =
        store_open(writer->bucket->url, &writer->bucket->config, true, &writer->bucket->stop,
                   &fault);

    for (int i = 0; store != NULL && i < DUMPS_EACH; i++) {
        char name[DUMP_NAME_MAX];
        snprintf(name, sizeof name, "dump-%d", 100 + writer->number * DUMPS_EACH + i);
        if (!dump_write(store, name, &fault))
            break;
    }
    if (fault.err != ERR_NONE) {
        fprintf(stderr, "%s\n", fault.text);
        abort();
    }
    store_close(store);
    return NULL;
}

static void
check_many(bool conditions)
{
    struct bucket bucket;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    struct text names = {0};

    bucket_begin(&bucket);
    bucket.conditions = conditions;
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){&bucket, i};
        assert_int_equal(pthread_create(&threads[i], NULL, writer_run, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WRITERS * DUMPS_EACH; i++)
        text_addf(&names, "dump-%d ", 100 + i);
    index_is(&bucket, text_of(&names));
    text_free(&names);
    bucket_end(&bucket);
}

static void
test_many(void **state)
{
    (void) state;
    check_many(true);
    check_many(false);
}

/* How far the manifest came decides what may be taken back. */
static void
throw_switch(struct bucket *bucket, const char *method, const char *name)
{
    if (strcmp(method, bucket->context) == 0 && strstr(name, "manifest") != NULL)
        stop_request(&bucket->stop, SIGTERM);
}

static void
test_states(void **state)
{
    struct bucket bucket;
    struct place memory = {0};
    struct fault fault = {0};
    enum manifest_state written;
    (void) state;

    bucket_begin(&bucket);
    struct store *store = opened(&bucket);
    atomic_store(&bucket.deny_put, 1);
    assert_false(manifest_write(store, place_manifest(&memory, "dump-1"), &written, &fault));
    assert_int_equal(written, MANIFEST_PERHAPS);
    assert_non_null(strstr(fault.text, "it may have arrived"));

    fault = (struct fault){0};
    atomic_store(&bucket.deny_put, 3); /* behind the probe */
    assert_false(manifest_write(store, place_manifest(&memory, "dump-2"), &written, &fault));
    assert_int_equal(written, MANIFEST_THERE);
    assert_non_null(strstr(fault.text, "dump-2 itself is complete"));

    fault = (struct fault){0};
    bucket.before = throw_switch;
    bucket.context = "PUT";
    assert_false(manifest_write(store, place_manifest(&memory, "dump-3"), &written, &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    assert_int_not_equal(written, MANIFEST_NONE);

    fault = (struct fault){0};
    bucket.before = NULL;
    assert_false(manifest_write(store, place_manifest(&memory, "dump-4"), &written, &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    assert_int_equal(written, MANIFEST_NONE);
    assert_false(bucket_has(&bucket, "dump-4/manifest.json"));
    store_close(store);
    bucket_end(&bucket);
    arena_free(&memory.arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rivals), cmocka_unit_test(test_many), cmocka_unit_test(test_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
