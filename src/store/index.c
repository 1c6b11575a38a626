/* index - see index.h.
 *
 *     directories  ∩  those with a manifest  =  the dumps of the new index
 *     the entry of each: the manifest in hand, else its line in the old index, else its manifest
 *
 * A round reads the version that is there before it lists.  So when a swap succeeds, whoever comes
 * later with another manifest finds our index and adds to it; and whoever came before stands in
 * our listing.  Where the store does not say what a write has replaced, another round looks whether
 * what lies there by then is still the truth. */
#include "store/index.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"

enum {
    ROUNDS_MAX = 100,           /* writers that end at the same moment: one wins each round */
    ROUNDS_MS_MAX = 120 * 1000,
    PAUSE_MS_MAX = 2000,
};

struct line {
    const char *name, *database;
    uint64_t created_ms, stored_bytes, plain_bytes, rows, tables;
    bool compressed, encrypted;
};

/* Other programs read this file, and many refuse a lone surrogate: a database's name that is no
 * UTF-8 is shown here, not kept; its manifest keeps it. */
static void
line_add(struct text *text, const struct line *line, bool first)
{
    text_add(text, first ? "\n" : ",\n");
    text_addf(text, "{\"size\":%llu,\"directory_name\":\"%s\",\"created_at\":%llu,",
              (unsigned long long) line->stored_bytes, line->name,
              (unsigned long long) line->created_ms);
    text_addf(text, "\"compressed\":%s,\"encrypted\":%s,", line->compressed ? "true" : "false",
              line->encrypted ? "true" : "false");
    text_addf(text, "\"rows\":%llu,\"tables\":%llu,\"plain_bytes\":%llu,\"database\":",
              (unsigned long long) line->rows, (unsigned long long) line->tables,
              (unsigned long long) line->plain_bytes);
    json_add_string(text, line->database);
    text_add(text, "}");
}

static void
line_from_manifest(struct line *line, const struct manifest *manifest)
{
    *line = (struct line){
        .name = manifest->name,
        .database = manifest->database == NULL ? "" : manifest->database,
        .created_ms = manifest->created_ms,
        .stored_bytes = manifest->stored_bytes,
        .plain_bytes = manifest->plain_bytes,
        .rows = manifest->rows,
        .tables = manifest->tables_count,
        .compressed = strcmp(manifest->compression, "none") != 0,
    };
}

/* The old index's line about a dump.  False when there is none, or one that says too little. */
static bool
line_from_index(struct line *line, const struct json *old, const char *name)
{
    const struct json *dumps = json_get(old, "dumps");

    if (dumps == NULL || dumps->type != JSON_ARRAY)
        return false;
    for (const struct json *item = dumps->first; item != NULL; item = item->next) {
        if (strcmp(json_get_text(item, "directory_name", ""), name) != 0)
            continue;
        line->name = name;
        line->database = json_get_text(item, "database", NULL);
        line->compressed = json_get_bool(item, "compressed", true);
        line->encrypted = json_get_bool(item, "encrypted", false);
        return line->database != NULL && json_get_number(item, "size", &line->stored_bytes) &&
               json_get_number(item, "created_at", &line->created_ms) &&
               json_get_number(item, "plain_bytes", &line->plain_bytes) &&
               json_get_number(item, "rows", &line->rows) &&
               json_get_number(item, "tables", &line->tables);
    }
    return false;
}

/* An index that is no JSON, or too large to be read in the memory that there is, is not repaired
 * but made anew: nothing stands in it that the manifests do not know. */
static bool
old_read(struct store *store, struct arena *arena, struct text *text, const struct json **old,
         char version[static STORE_VERSION_MAX], struct fault *fault)
{
    uint64_t limit = store->limits.document_bytes;
    struct fault unparsed = {0};
    bool larger;

    *old = NULL;
    if (limit == 0 || limit > INDEX_BYTES_MAX)
        limit = INDEX_BYTES_MAX;
    if (!store_read_version(store, "index.json", limit, text, version, &larger, fault))
        return false;
    limit = store->limits.document_bytes;
    if (larger || (limit > 0 && text->size + json_memory(text_of(text), text->size) > limit))
        log_warning("index.json in %s is larger than it can be, and is made anew", store->url);
    else if (text->size > 0)
        *old = json_parse(arena, text->data, text->size, "index.json", &unparsed);
    return true;
}

/* The line of one directory, if it is a complete dump.  A manifest that cannot be read is left out:
 * the index is for those who want to restore.  Where the store does not even say whether there is
 * one, the line that stood there stays: an index must not forget a dump over a hiccup. */
static bool
line_find(struct store *store, const struct json *old, const struct manifest *manifest,
          const char *name, struct arena *arena, struct line *line)
{
    bool exists = false;
    struct manifest *found = arena_take(arena, sizeof *found);
    struct fault unread = {0};

    if (manifest != NULL && strcmp(manifest->name, name) == 0) {
        line_from_manifest(line, manifest);
        return true;
    }
    if (!manifest_exists(store, name, &exists, &unread))
        return line_from_index(line, old, name);
    if (!exists)
        return false;
    if (line_from_index(line, old, name))
        return true;
    if (!manifest_read(store, name, arena, found, &unread))
        return false;
    line_from_manifest(line, found);
    return true;
}

static bool
lines_add(struct store *store, const struct json *old, const struct manifest *manifest,
          struct arena *arena, struct text *text, struct fault *fault)
{
    const char **names;
    size_t count;
    uint64_t created_ms;
    bool first = true;

    if (!store->ops->directories(store, arena, &names, &count, fault))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct arena scratch = {0}; /* a whole manifest may go in */
        struct line line = {0};
        if (dump_name_read(names[i], &created_ms) &&
            line_find(store, old, manifest, names[i], &scratch, &line)) {
            line_add(text, &line, first);
            first = false;
        }
        arena_free(&scratch);
    }
    return true;
}

/* One round.  *done is false when there has to be another one. */
static bool
round_run(struct store *store, const struct manifest *manifest, struct arena *arena,
          enum swap *swap, bool *done, struct fault *fault)
{
    struct text before = {0}, text = {0};
    char version[STORE_VERSION_MAX];
    const struct json *old;

    *done = false;
    bool ok = old_read(store, arena, &before, &old, version, fault);
    text_add(&text, "{\"dumps\":[");
    ok = ok && lines_add(store, old, manifest, arena, &text, fault);
    text_add(&text, "]}\n");
    if (ok && before.size == text.size && memcmp(before.data, text.data, text.size) == 0) {
        *done = true;
    } else if (ok) {
        ok = store->ops->put_swap(store, "index.json", text.data, text.size, version, swap, fault);
        *done = *swap == SWAP_DONE;
    }
    text_free(&before);
    text_free(&text);
    return ok;
}

/* Writers that met once meet again unless chance parts them. */
static bool
pause_before(struct store *store, unsigned round, struct fault *fault)
{
    struct random random;
    unsigned most_ms = round < 6 ? 50u << round : PAUSE_MS_MAX;

    random_init(&random);
    return stop_wait(store->stop, -1, 0, (int) random_below(&random, most_ms) + 1, fault) >= 0;
}

static bool
update_locked(struct store *store, const struct manifest *manifest, struct fault *fault)
{
    uint64_t begun_ms = clock_ms();
    bool done = false;

    for (unsigned round = 0; round < ROUNDS_MAX && clock_ms() - begun_ms < ROUNDS_MS_MAX; round++) {
        struct arena arena = {0};
        enum swap swap = SWAP_DONE;
        bool ok = round_run(store, manifest, &arena, &swap, &done, fault);
        arena_free(&arena);
        if (!ok || done)
            return ok;
        if (swap == SWAP_CONFLICT && !pause_before(store, round, fault))
            return false;
    }
    return fault_set(fault, ERR_LOCKED, "index.json in %s was changed by others all the time",
                     store->url);
}

bool
index_update(struct store *store, const struct manifest *manifest, struct fault *fault)
{
    if (!store->ops->lock(store, fault))
        return false;
    bool updated = update_locked(store, manifest, fault);
    store->ops->unlock(store);
    return updated;
}
