/* index - see index.h.
 *
 *     directories  ∩  those with a manifest  =  the dumps of the new index
 *     the entry of each: the manifest in hand, else its line in the old index, else its manifest */
#include "store/index.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

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

/* An index that is no JSON is not repaired but made anew: nothing stands in it that the manifests
 * do not know. */
static bool
old_read(struct store *store, struct arena *arena, const struct json **old, struct fault *fault)
{
    struct text text = {0};
    struct fault unparsed = {0};
    bool found;

    bool read = store_read(store, "index.json", INDEX_BYTES_MAX, &text, &found, fault);
    *old = NULL;
    if (read && found)
        *old = json_parse(arena, text_of(&text), text.size, "index.json", &unparsed);
    text_free(&text);
    return read;
}

/* The line of one directory, if it is a complete dump.  A manifest that cannot be read is left out:
 * the index is for those who want to restore. */
static bool
line_find(struct store *store, const struct json *old, const struct manifest *manifest,
          const char *name, struct arena *arena, struct line *line)
{
    char object[STORE_NAME_MAX + 1];
    struct store_reader *reader = NULL;
    struct manifest *found = arena_take(arena, sizeof *found);
    struct fault unread = {0};

    if (manifest != NULL && strcmp(manifest->name, name) == 0) {
        line_from_manifest(line, manifest);
        return true;
    }
    snprintf(object, sizeof object, "%s/manifest.json", name);
    if (!store->ops->get_begin(store, object, &reader, &unread) || reader == NULL)
        return false;
    store->ops->get_end(reader);
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

static bool
update_locked(struct store *store, const struct manifest *manifest, struct arena *arena,
              struct text *text, struct fault *fault)
{
    const struct json *old;

    if (!old_read(store, arena, &old, fault))
        return false;
    text_add(text, "{\"dumps\":[");
    if (!lines_add(store, old, manifest, arena, text, fault))
        return false;
    text_add(text, "]}\n");
    return store_write(store, "index.json", text->data, text->size, fault);
}

bool
index_update(struct store *store, const struct manifest *manifest, struct fault *fault)
{
    struct arena arena = {0};
    struct text text = {0};

    if (!store->ops->lock(store, fault))
        return false;
    bool updated = update_locked(store, manifest, &arena, &text, fault);
    store->ops->unlock(store);
    text_free(&text);
    arena_free(&arena);
    return updated;
}
