/* store - see store.h. */
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/dir.h"
#include "store/s3_store.h"
#include "store/store_url.h"

struct store *
store_open(const char *url, const struct s3_config *s3, bool create, struct stop *stop,
           struct fault *fault)
{
    struct text path = {0};
    struct store *store = NULL;

    assert(stop != NULL);
    switch (store_url_scheme(url)) {
    case STORE_URL_DIR:
        if (store_url_path(url, &path, fault))
            store = dir_open(url, text_of(&path), create, stop, fault);
        break;
    case STORE_URL_S3:
        assert(s3 != NULL);
        store = s3_store_open(url, s3, stop, fault);
        break;
    case STORE_URL_NONE:
        fault_set(fault, ERR_CONFIG,
                  "%s names no store: one is written as s3://bucket/prefix or file:///directory",
                  url);
    }
    text_free(&path);
    return store;
}

void
store_close(struct store *store)
{
    if (store != NULL)
        store->ops->close(store);
}

bool
store_write(struct store *store, const char *name, const void *data, size_t size,
            struct fault *fault)
{
    struct store_writer *writer = store->ops->put_begin(store, name, fault);

    if (writer == NULL)
        return false;
    if (!store->ops->put_write(writer, data, size, fault)) {
        store->ops->put_abort(writer);
        return false;
    }
    return store->ops->put_commit(writer, fault) && store->ops->settle(store, fault);
}

/* larger may be NULL: then it is a failure. */
static bool
read_all(struct store_reader *reader, const char *name, size_t bytes_max, struct text *text,
         bool *larger, struct fault *fault)
{
    struct store *store = reader->store;
    char buffer[16 * 1024];
    size_t total = 0, got;

    for (;;) {
        if (!store->ops->get_read(reader, buffer, sizeof buffer, &got, fault))
            return false;
        if (got == 0)
            return true;
        if (got > bytes_max - total && larger != NULL) {
            *larger = true;
            text_clear(text);
            return true;
        }
        if (got > bytes_max - total)
            return fault_set(fault, ERR_STORE, "%s in %s is larger than the %zu bytes it may have",
                             name, store->url, bytes_max);
        text_add_bytes(text, buffer, got);
        total += got;
    }
}

/* version and larger may be NULL. */
static bool
read_object(struct store *store, const char *name, size_t bytes_max, struct text *text, bool *found,
            char *version, bool *larger, struct fault *fault)
{
    struct store_reader *reader;

    if (!store->ops->get_begin(store, name, &reader, fault))
        return false;
    *found = reader != NULL;
    if (reader == NULL)
        return true;
    bool done = read_all(reader, name, bytes_max, text, larger, fault);
    if (version != NULL)
        memcpy(version, reader->version, STORE_VERSION_MAX);
    store->ops->get_end(reader);
    return done;
}

bool
store_read(struct store *store, const char *name, size_t bytes_max, struct text *text, bool *found,
           struct fault *fault)
{
    return read_object(store, name, bytes_max, text, found, NULL, NULL, fault);
}

bool
store_read_version(struct store *store, const char *name, size_t bytes_max, struct text *text,
                   char version[static STORE_VERSION_MAX], bool *larger, struct fault *fault)
{
    bool found;

    version[0] = '\0';
    *larger = false;
    return read_object(store, name, bytes_max, text, &found, version, larger, fault);
}

uint64_t
store_listing_bytes(const struct store *store)
{
    uint64_t limit = store->limits.listing_bytes;

    return limit == 0 ? (uint64_t) STORE_LISTING_BYTES : limit;
}

bool
store_listing_fits(const struct store *store, const char *directory, uint64_t taken_bytes,
                   struct fault *fault)
{
    char limit[16];

    return taken_bytes <= store_listing_bytes(store) ||
           fault_set(fault, ERR_STORE,
                     "%s%s%s holds too much to be listed within the %s that REPLICA_MEMORY leaves "
                     "for it: use a directory or a prefix for dumps alone, or set it higher",
                     store->url, directory[0] == '\0' ? "" : "/", directory,
                     text_bytes(limit, store_listing_bytes(store)));
}

bool
store_name_valid(const char *name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t first = strspn(name, letters);

    if (first == 0 || name[0] == '.' || strlen(name) > STORE_NAME_MAX)
        return false;
    if (name[first] == '\0')
        return true;
    const char *second = name + first + 1;
    return name[first] == '/' && second[0] != '.' && second[0] != '\0' &&
           second[strspn(second, letters)] == '\0';
}
