/* check_store - what a dump asks of its store, and a restore of the dump in it (check.h). */
#include "commands/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "commands/open_store.h"

enum { PROBE_BYTES_MAX = 4096 };

/* Look at the probe in every way in which a dump or a restore would. */
static bool
probe_look(struct store *store, const char *directory, const char *path, const struct text *wanted,
           struct fault *fault)
{
    struct arena arena = {0};
    struct text got = {0};
    struct store_entry *entries = NULL;
    size_t count = 0;
    bool found = false;
    bool ok = store_read(store, path, PROBE_BYTES_MAX, &got, &found, fault) &&
              store->ops->list(store, directory, &arena, &entries, &count, fault);

    if (ok && (!found || got.size != wanted->size ||
               memcmp(got.data, wanted->data, got.size) != 0))
        ok = fault_set(fault, ERR_STORE, "%s in %s was written, but %s", path, store->url,
                       found ? "other bytes came back" : "can't be found");
    if (ok && (count != 1 || entries[0].bytes != wanted->size))
        ok = fault_set(fault, ERR_STORE, "%s in %s was written, but a listing does not show it",
                       path, store->url);
    text_free(&got);
    arena_free(&arena);
    return ok;
}

static bool
probe_remove(struct store *store, const char *path, struct fault *fault)
{
    struct text got = {0};
    bool found = false;
    bool ok = store->ops->remove(store, path, fault) &&
              store_read(store, path, PROBE_BYTES_MAX, &got, &found, fault);

    text_free(&got);
    if (ok && found)
        return fault_set(fault, ERR_STORE, "%s in %s was removed, but is still there", path,
                         store->url);
    return ok;
}

/* The probe lies in a directory of its own, whose name is no dump's. */
bool
check_store(struct check *check, struct text *said, struct fault *fault)
{
    char directory[64], path[STORE_NAME_MAX];
    struct text probe = {0};
    uint64_t number;

    check->store = open_store(check->env, check->env->to, true, check->stop, fault);
    if (check->store == NULL)
        return false;
    random_bytes(&number, sizeof number);
    snprintf(directory, sizeof directory, "check-%" PRIu64 "-%016" PRIx64, clock_epoch_ms(),
             number);
    snprintf(path, sizeof path, "%s/probe", directory);
    text_addf(&probe, "written by `replica check` and of no use: %s\n", path);

    bool ok = store_write(check->store, path, probe.data, probe.size, fault);
    if (ok) {
        struct fault ignored = {0};
        bool looked = probe_look(check->store, directory, path, &probe, fault);
        ok = probe_remove(check->store, path, looked ? fault : &ignored) && looked;
    }
    text_addf(said, "%s: an object can be written, read, listed and removed", check->store->url);
    text_free(&probe);
    return ok;
}

bool
check_dump(struct check *check, struct text *said, struct fault *fault)
{
    struct restore *restore = &check->restore;
    const struct manifest *manifest = &restore->manifest;
    char plain[16];

    restore->store = open_store(check->env, check->env->from, false, check->stop, fault);
    if (restore->store == NULL || !manifest_read(restore->store, check->env->dump, &restore->arena,
                                                 &restore->manifest, fault))
        return false;
    text_addf(said, "%s: %s (PostgreSQL %s, %s), %zu table%s, %" PRIu64 " row%s, %s",
              manifest->name, manifest->database, manifest->server_version, manifest->encoding,
              manifest->tables_count, text_plural(manifest->tables_count), manifest->rows,
              text_plural(manifest->rows), text_bytes(plain, manifest->plain_bytes));
    return true;
}

/* One listing says whether anything is missing or cut off; what the bytes are, only reading them
 * does. */
bool
check_volumes(struct check *check, struct text *said, struct fault *fault)
{
    struct restore *restore = &check->restore;
    size_t objects;
    char stored[16];

    if (!restore_objects(restore, &objects, fault))
        return false;
    text_addf(said, "%zu object%s, %s, each there with its size", objects,
              text_plural(objects),
              text_bytes(stored, restore->manifest.stored_bytes));
    return true;
}
