/* dumps - finding dumps in a store, by their manifests; see manifest.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "store/manifest.h"

enum {
    NAMES_TRIED_MAX = 10000, /* runs that begin in the same ten seconds */
    STEP_MAX = 16,           /* from one name that is taken to the next one */
    NAMES_SHOWN_MAX = 5,     /* in a sentence */
    AHEAD_MS_MAX = 24 * 3600 * 1000, /* what clocks of two machines may differ by */
};

/* A directory that is a dump, complete or not. */
struct found {
    const char *name;
    uint64_t created_ms;
    bool complete;
};

bool
dump_name_read(const char *name, uint64_t *created_ms)
{
    char again[DUMP_NAME_MAX];
    uint64_t value = 0;

    if (strncmp(name, "dump-", 5) != 0)
        return false;
    for (const char *at = name + 5; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t) (*at - '0'), &value))
            return false;
    snprintf(again, sizeof again, "dump-%" PRIu64, value);
    if (strcmp(name, again) != 0)
        return false;
    *created_ms = value;
    return true;
}

/* Two runs that saw each other take one name would meet again at the next one; steps of chance part
 * them. */
bool
dump_name_take(struct store *store, struct arena *arena, const char **name, struct fault *fault)
{
    uint64_t begun_ms = clock_epoch_ms(), step = 0;
    struct random random;

    random_init(&random);
    for (uint64_t i = 0; step < NAMES_TRIED_MAX; i++) {
        char tried[DUMP_NAME_MAX];
        bool taken;
        snprintf(tried, sizeof tried, "dump-%" PRIu64, begun_ms + step);
        if (!store->ops->directory_take(store, tried, &taken, fault))
            return false;
        if (taken) {
            *name = arena_text(arena, tried);
            return true;
        }
        step += 1 + random_below(&random, i < STEP_MAX ? i + 1 : STEP_MAX);
    }
    return fault_set(fault, ERR_LOCKED,
                     "%s has dumps of every moment in the next %d s; is the clock right?",
                     store->url, NAMES_TRIED_MAX / 1000);
}

static int
found_compare(const void *a, const void *b)
{
    const struct found *first = a, *second = b;

    return (first->created_ms > second->created_ms) - (first->created_ms < second->created_ms);
}

bool
manifest_exists(struct store *store, const char *dump, bool *exists, struct fault *fault)
{
    char name[STORE_NAME_MAX + 1];

    snprintf(name, sizeof name, "%s/manifest.json", dump);
    return store->ops->exists(store, name, exists, fault);
}

/* Of a dump whose manifest cannot even be looked for we know that it is there. */
static bool
is_complete(struct store *store, struct found *dump)
{
    struct fault unknown = {0};

    if (!manifest_exists(store, dump->name, &dump->complete, &unknown))
        dump->complete = true;
    return dump->complete;
}

/* Every dump, complete or not, oldest first. */
static bool
directories_find(struct store *store, struct arena *arena, struct found **found, size_t *count,
                 struct fault *fault)
{
    const char **names;
    size_t names_count;

    if (!store->ops->directories(store, arena, &names, &names_count, fault))
        return false;
    *found = arena_array(arena, names_count, sizeof **found);
    *count = 0;
    for (size_t i = 0; i < names_count; i++) {
        struct found *dump = &(*found)[*count];
        dump->name = names[i];
        *count += dump_name_read(names[i], &dump->created_ms);
    }
    if (*count > 0)
        qsort(*found, *count, sizeof **found, found_compare);
    return true;
}

/* Whether there is room to make a manifest of its text. */
static bool
manifest_fits(const char *name, const struct text *text, uint64_t limit, struct fault *fault)
{
    uint64_t wanted = manifest_memory(text_of(text), text->size);
    char more[16], has[16];

    return wanted <= limit ||
           fault_set(fault, ERR_CONFIG,
                     "reading %s takes %s, and REPLICA_MEMORY leaves no more room for a manifest "
                     "than %s: set it higher by at least the difference",
                     name, text_bytes(more, wanted), text_bytes(has, limit));
}

/* Read the manifest of a dump that is named exactly; *exists is false when it has none.  held is
 * what else is in memory of what the store said. */
static bool
named_read(struct store *store, const char *dump, uint64_t held, struct arena *arena,
           struct manifest *manifest, bool *exists, struct fault *fault)
{
    char name[STORE_NAME_MAX + 1];
    struct text text = {0};

    snprintf(name, sizeof name, "%s/manifest.json", dump);
    uint64_t limit = store->limits.document_bytes, most = MANIFEST_BYTES_MAX;
    bool limited = limit > 0;
    limit = limit > held ? limit - held : 0;
    if (limited && limit / 2 < most)
        most = limit / 2; /* text, and strings made of it */
    bool done = store_read(store, name, most, &text, exists, fault);
    if (!done && limited && text.size >= most - most / 8)
        fault_because(fault, "REPLICA_MEMORY leaves no more room for a manifest");
    if (done && *exists)
        done = (!limited || manifest_fits(name, &text, limit, fault)) &&
               manifest_parse(arena, dump, text_of(&text), text.size, manifest, fault);
    text_free(&text);
    return done;
}

/* "dump-1, dump-2 and 7 older ones", newest first; only complete ones. */
static void
add_names(struct text *text, const struct found *found, size_t count)
{
    size_t shown = 0, hidden = 0;

    for (size_t i = count; i-- > 0;) {
        if (!found[i].complete)
            continue;
        if (shown == NAMES_SHOWN_MAX) {
            hidden++;
            continue;
        }
        text_addf(text, "%s%s", shown++ == 0 ? "" : ", ", found[i].name);
    }
    if (hidden > 0)
        text_addf(text, " and %zu older", hidden);
}

/* There is no such dump: say so, and what there is instead. */
static bool
refuse(struct store *store, const char *wanted, struct found *found, size_t count,
       struct fault *fault)
{
    size_t incomplete = 0;
    struct text others = {0};

    for (size_t i = 0; i < count; i++) {
        if (!is_complete(store, &found[i]) && strcmp(found[i].name, wanted) == 0)
            return fault_set(fault, ERR_STORE,
                             "%s in %s has no manifest: its run is still going on or was killed",
                             wanted, store->url);
        incomplete += !found[i].complete;
    }
    if (incomplete < count) {
        add_names(&others, found, count);
        fault_set(fault, ERR_STORE, "there is no dump '%s' in %s; there is %s", wanted, store->url,
                  text_of(&others));
    } else if (incomplete > 0) {
        fault_set(fault, ERR_STORE,
                  "there is no complete dump in %s; %zu without a manifest %s still being written "
                  "or %s killed",
                  store->url, incomplete, incomplete == 1 ? "is" : "are",
                  incomplete == 1 ? "was" : "were");
    } else {
        fault_set(fault, ERR_STORE, "there is no dump in %s", store->url);
    }
    text_free(&others);
    return false;
}

/* The newest complete one, looked for from the end, since in S3 each look is a request.  Also when
 * its manifest turns out to be unreadable, the newest is the latest: to fall back to an older one
 * would restore other data than was asked for.  But a dump of the far future, by a clock that was
 * wrong or by somebody who wants it to be the latest for ever, does not hide those made since. */
static const struct found *
latest_find(struct store *store, struct found *found, size_t count)
{
    uint64_t now_ms = clock_epoch_ms();
    const struct found *ahead = NULL;

    for (size_t i = count; i-- > 0;) {
        if (!is_complete(store, &found[i]))
            continue;
        if (found[i].created_ms <= now_ms + AHEAD_MS_MAX) {
            if (ahead != NULL)
                log_warning("%s in %s says that it was made in the future, so it is not the "
                            "latest; REPLICA_DUMP can name it", ahead->name, store->url);
            return &found[i];
        }
        if (ahead == NULL)
            ahead = &found[i];
    }
    if (ahead != NULL)
        log_warning("%s in %s says that it was made in the future; is the clock right?",
                    ahead->name, store->url);
    return ahead;
}

static bool
listed_read(struct store *store, const char *name, struct arena *listing, struct arena *arena,
            struct manifest *manifest, struct fault *fault)
{
    struct found *found;
    const struct found *newest = NULL;
    size_t count;
    bool exists = false;

    if (!directories_find(store, listing, &found, &count, fault))
        return false;
    if (strcmp(name, "latest") == 0)
        newest = latest_find(store, found, count);
    if (newest == NULL)
        return refuse(store, name, found, count, fault);
    if (!named_read(store, newest->name, listing->bytes, arena, manifest, &exists, fault))
        return false;
    return exists || fault_set(fault, ERR_STORE, "%s was removed from %s a moment ago",
                               newest->name, store->url);
}

bool
manifest_read(struct store *store, const char *name, struct arena *arena, struct manifest *manifest,
              struct fault *fault)
{
    struct arena listing = {0}; /* nobody asks for it again */
    uint64_t created_ms;
    bool exists = false;

    if (dump_name_read(name, &created_ms)) {
        if (!named_read(store, name, 0, arena, manifest, &exists, fault))
            return false;
        if (exists)
            return true;
    }
    bool done = listed_read(store, name, &listing, arena, manifest, fault);
    arena_free(&listing);
    return done;
}

/* One dump's line.  The manifest goes into an arena of its own, so that a listing holds lines and
 * not manifests. */
static void
entry_fill(struct store *store, struct arena *arena, const struct found *found,
           struct dump_entry *entry)
{
    struct arena scratch = {0};
    struct manifest manifest;
    struct fault fault = {0};
    bool exists = false;

    entry->name = found->name;
    entry->created_ms = found->created_ms;
    entry->readable =
        named_read(store, found->name, arena->bytes, &scratch, &manifest, &exists, &fault) &&
        exists;
    entry->complete = entry->readable || fault.err != ERR_NONE;
    if (entry->readable) {
        entry->stored_bytes = manifest.stored_bytes;
        entry->plain_bytes = manifest.plain_bytes;
        entry->rows = manifest.rows;
        entry->tables = manifest.tables_count;
        entry->database = arena_text(arena, manifest.database);
    } else if (entry->complete) {
        entry->problem = arena_text(arena, fault.text);
    }
    arena_free(&scratch);
}

bool
dumps_list(struct store *store, struct arena *arena, struct dump_entry **entries, size_t *count,
           struct fault *fault)
{
    struct found *found;

    if (!directories_find(store, arena, &found, count, fault))
        return false;
    *entries = arena_array(arena, *count, sizeof **entries);
    for (size_t i = 0; i < *count; i++)
        entry_fill(store, arena, &found[i], &(*entries)[i]);
    return true;
}
