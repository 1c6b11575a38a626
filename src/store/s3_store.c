/* s3_store - see s3_store.h. */
#include "store/s3_store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/claim.h"
#include "store/s3_sweep.h"
#include "store/s3_take.h"
#include "store/s3_writer.h"
#include "store/store_url.h"

_Static_assert((int) STORE_VERSION_MAX >= (int) S3_ETAG_MAX, "a version is an etag");
_Static_assert((int) STORE_PREFIX_MAX + (int) STORE_NAME_MAX < (int) S3_KEY_MAX,
               "every name makes a key");

struct s3_reader {
    struct store_reader reader;
    struct s3_get *get;
};

const char *
s3_store_key(const struct s3_store *store, const char *name, char key[static S3_KEY_MAX + 1])
{
    snprintf(key, S3_KEY_MAX + 1, "%s%s", store->prefix, name);
    return key;
}

const char *
s3_store_name(const struct s3_store *store, const char *key)
{
    size_t size = strlen(store->prefix);

    return strncmp(key, store->prefix, size) == 0 ? key + size : "";
}

/* ---- index.json, between writers ------------------------------------------------------------ */

static bool
put_blind(struct s3_store *store, const char *key, const void *data, size_t size, enum swap *swap,
          struct fault *fault)
{
    *swap = SWAP_BLIND;
    return s3_put(store->s3, key, data, size, NULL, NULL, NULL, fault);
}

/* Ask for a version that cannot be there.  Who takes the bytes nevertheless does not look at
 * conditions; no harm is done, for the bytes are right.  Who fails in another way does not know
 * them: then the put without one decides. */
static bool
conditions_probe(struct s3_store *store, const char *key, const void *data, size_t size,
                 bool *written, struct fault *fault)
{
    static const struct s3_condition impossible = {
        .kind = S3_IF_MATCH, .etag = "\"00000000000000000000000000000000\""};
    struct fault unknown = {0};
    bool refused = false;
    bool put = s3_put(store->s3, key, data, size, &impossible, &refused, NULL, &unknown);

    *written = put && !refused;
    store->conditions = put && refused ? CONDITIONS_HONOURED : CONDITIONS_IGNORED;
    if (!put && unknown.err == ERR_STOPPED) {
        fault_hand_over(fault, &unknown);
        return false;
    }
    log_debug("%s %s conditional writes", store->store.url,
              store->conditions == CONDITIONS_HONOURED ? "honours" : "does not honour");
    return true;
}

/* A condition that is refused twice for the same version will not ever hold: what stands between us
 * and the store has changed the etag. */
static bool
put_conditional(struct s3_store *store, const char *key, const void *data, size_t size,
                const char *version, enum swap *swap, struct fault *fault)
{
    const struct s3_condition condition = {.kind = S3_IF_MATCH, .etag = version};
    bool refused = false;

    if (!s3_put(store->s3, key, data, size, &condition, &refused, NULL, fault))
        return false;
    *swap = refused ? SWAP_CONFLICT : SWAP_DONE;
    if (refused && strcmp(version, store->refused) == 0)
        store->conditions = CONDITIONS_IGNORED;
    snprintf(store->refused, sizeof store->refused, "%s", refused ? version : "");
    return true;
}

/* Only If-Match was probed.  Where nothing is to be replaced it does not serve, so the first
 * index.json of all is written as if blindly. */
static bool
s3_store_put_swap(struct store *base, const char *name, const void *data, size_t size,
                  const char *version, enum swap *swap, struct fault *fault)
{
    struct s3_store *store = (struct s3_store *) base;
    char key[S3_KEY_MAX + 1];
    bool written = false;

    assert(store_name_valid(name));
    s3_store_key(store, name, key);
    *swap = SWAP_BLIND;
    if (store->conditions == CONDITIONS_UNKNOWN &&
        !conditions_probe(store, key, data, size, &written, fault))
        return false;
    if (written)
        return true;
    if (store->conditions == CONDITIONS_IGNORED || version[0] == '\0')
        return put_blind(store, key, data, size, swap, fault);
    return put_conditional(store, key, data, size, version, swap, fault);
}

/* There is no lock; put_swap() and its caller do without. */
static bool
s3_store_lock(struct store *store, struct fault *fault)
{
    (void) store;
    (void) fault;
    return true;
}

static void
s3_store_unlock(struct store *store)
{
    (void) store;
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool
s3_store_exists(struct store *base, const char *name, bool *exists, struct fault *fault)
{
    struct s3_store *store = (struct s3_store *) base;
    char key[S3_KEY_MAX + 1];
    struct s3_head head;

    assert(store_name_valid(name));
    if (!s3_head(store->s3, s3_store_key(store, name, key), &head, fault))
        return false;
    *exists = head.exists;
    return true;
}

static bool
s3_store_get_begin(struct store *base, const char *name, struct store_reader **reader_out,
                   struct fault *fault)
{
    struct s3_store *store = (struct s3_store *) base;
    char key[S3_KEY_MAX + 1];
    struct s3_get *get;

    assert(store_name_valid(name));
    *reader_out = NULL;
    if (!s3_get_begin(store->s3, s3_store_key(store, name, key), &get, fault))
        return false;
    if (get == NULL)
        return true;
    struct s3_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        memory_exhausted(sizeof *reader);
    reader->reader.store = base;
    reader->get = get;
    snprintf(reader->reader.version, sizeof reader->reader.version, "%s", s3_get_etag(get));
    *reader_out = &reader->reader;
    return true;
}

static bool
s3_store_get_read(struct store_reader *base, void *data, size_t size, size_t *got,
                  struct fault *fault)
{
    return s3_get_read(((struct s3_reader *) base)->get, data, size, got, fault);
}

static void
s3_store_get_end(struct store_reader *base)
{
    struct s3_reader *reader = (struct s3_reader *) base;

    s3_get_end(reader->get);
    free(reader);
}

/* ---- listings: what is not ours, and claims, are passed over -------------------------------- */

static bool
is_object(const char *name)
{
    const char *slash = strchr(name, '/');
    return store_name_valid(name) && !claim_name_valid(slash == NULL ? name : slash + 1);
}

static bool
s3_store_list(struct store *base, const char *directory, struct arena *arena,
              struct store_entry **entries, size_t *count, struct fault *fault)
{
    struct s3_store *store = (struct s3_store *) base;
    char prefix[STORE_NAME_MAX + 2] = "", key[S3_KEY_MAX + 1];
    struct s3_listing listing;

    assert(directory[0] == '\0' || (store_name_valid(directory) && strchr(directory, '/') == NULL));
    if (directory[0] != '\0')
        snprintf(prefix, sizeof prefix, "%s/", directory);
    if (!s3_list(store->s3, s3_store_key(store, prefix, key), "/", store_listing_bytes(base), arena,
                 &listing, fault))
        return false;
    *entries = arena_array(arena, listing.entries_count, sizeof **entries);
    *count = 0;
    for (size_t i = 0; i < listing.entries_count; i++) {
        const char *name = s3_store_name(store, listing.entries[i].key);
        if (!is_object(name))
            continue;
        (*entries)[*count].name = name + strlen(prefix);
        (*entries)[(*count)++].bytes = listing.entries[i].bytes;
    }
    return true;
}

static bool
s3_store_directories(struct store *base, struct arena *arena, const char ***names, size_t *count,
                     struct fault *fault)
{
    struct s3_store *store = (struct s3_store *) base;
    struct s3_listing listing;

    if (!s3_list(store->s3, store->prefix, "/", store_listing_bytes(base), arena, &listing, fault))
        return false;
    *names = arena_array(arena, listing.prefixes_count, sizeof **names);
    *count = 0;
    for (size_t i = 0; i < listing.prefixes_count; i++) {
        const char *name = s3_store_name(store, listing.prefixes[i]);
        char *directory = arena_copy(arena, name, strcspn(name, "/"));
        if (store_name_valid(directory))
            (*names)[(*count)++] = directory;
    }
    return true;
}

/* ---- removing ------------------------------------------------------------------------------- */

static bool
s3_store_remove_all(struct store *base, const char *const *names, size_t count,
                    struct fault *fault)
{
    struct s3_store *store = (struct s3_store *) base;
    struct arena arena = {0};
    const char **keys = arena_array(&arena, count, sizeof *keys);

    for (size_t i = 0; i < count; i++) {
        assert(store_name_valid(names[i]));
        keys[i] = arena_print(&arena, "%s%s", store->prefix, names[i]);
    }
    bool removed = count == 0 || s3_delete(store->s3, keys, count, fault);
    arena_free(&arena);
    return removed;
}

static bool
s3_store_remove(struct store *store, const char *name, struct fault *fault)
{
    return s3_store_remove_all(store, &name, 1, fault);
}

/* ---- the store ------------------------------------------------------------------------------ */

static void
s3_store_free(struct s3_store *store)
{
    s3_close(store->s3);
    pthread_mutex_destroy(&store->lock);
    free(store->prefix);
    free((char *) store->store.url);
    free(store);
}

static void
s3_store_close(struct store *base)
{
    struct s3_store *store = (struct s3_store *) base;

    s3_writers_free(store);
    s3_take_release(store);
    s3_store_free(store);
}

/* What a store has answered, it has. */
static bool
s3_settle(struct store *store, struct fault *fault)
{
    (void) store;
    (void) fault;
    return true;
}

static const struct store_ops s3_store_ops = {
    .name = "s3",
    .puts_may_arrive = true,
    .put_begin = s3_writer_begin,
    .put_write = s3_writer_write,
    .put_commit = s3_writer_commit,
    .settle = s3_settle,
    .put_abort = s3_writer_abort,
    .put_swap = s3_store_put_swap,
    .exists = s3_store_exists,
    .get_begin = s3_store_get_begin,
    .get_read = s3_store_get_read,
    .get_end = s3_store_get_end,
    .list = s3_store_list,
    .directories = s3_store_directories,
    .directory_take = s3_take,
    .remove = s3_store_remove,
    .remove_all = s3_store_remove_all,
    .sweep = s3_sweep,
    .lock = s3_store_lock,
    .unlock = s3_store_unlock,
    .close = s3_store_close,
};

struct store *
s3_store_open(const char *url, const struct s3_config *config, struct stop *stop,
              struct fault *fault)
{
    struct text bucket = {0}, prefix = {0};
    struct s3_config own = *config;
    struct s3_store *store = NULL;

    if (store_url_bucket(url, &bucket, &prefix, fault)) {
        store = calloc(1, sizeof *store);
        if (store == NULL)
            memory_exhausted(sizeof *store);
        store->store = (struct store){.ops = &s3_store_ops, .stop = stop, .url = strdup(url)};
        store->prefix = strdup(text_of(&prefix));
        if (store->store.url == NULL || store->prefix == NULL)
            memory_exhausted(prefix.size);
        pthread_mutex_init(&store->lock, NULL);
        own.bucket = text_of(&bucket);
        store->s3 = s3_open(&own, stop, fault);
    }
    text_free(&bucket);
    text_free(&prefix);
    if (store != NULL && store->s3 == NULL) {
        s3_store_free(store);
        store = NULL;
    }
    return store == NULL ? NULL : &store->store;
}
