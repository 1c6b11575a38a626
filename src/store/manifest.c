/* manifest - writing; see manifest.h.  manifest_read.c holds the way back. */
#include "store/manifest.h"

#include <assert.h>
#include <stdio.h>

#include "base/json.h"
#include "store/digest.h"
#include "store/index.h"
#include "store/volume.h"

static void
add_text(struct text *text, const char *name, const char *value)
{
    text_addf(text, "\"%s\":", name);
    json_add_bytes(text, value == NULL ? "" : value);
}

static void
add_number(struct text *text, const char *name, uint64_t value)
{
    text_addf(text, "\"%s\":%llu", name, (unsigned long long) value);
}

static void
add_object(struct text *text, const struct manifest_object *object, bool has_rows)
{
    char digest[DIGEST_TEXT_MAX];

    text_add(text, "{");
    add_text(text, "name", object->name);
    text_add(text, ",");
    add_number(text, "stored_bytes", object->stored_bytes);
    text_add(text, ",");
    add_number(text, "plain_bytes", object->plain_bytes);
    text_add(text, ",");
    if (has_rows) {
        add_number(text, "rows", object->rows);
        text_add(text, ",");
    }
    add_text(text, "sha256", digest_text(digest, object->sha256));
    text_add(text, "}");
}

static void
add_columns(struct text *text, const struct manifest_table *table)
{
    text_add(text, "\"columns\":[");
    for (size_t i = 0; i < table->columns_count; i++) {
        const struct manifest_column *column = &table->columns[i];
        text_add(text, i == 0 ? "{" : ",{");
        add_text(text, "name", column->name);
        text_add(text, ",");
        add_text(text, "type", column->type);
        if (column->rule != NULL) {
            text_add(text, ",");
            add_text(text, "rule", column->rule);
        }
        text_add(text, "}");
    }
    text_add(text, "]");
}

static void
add_table(struct text *text, const struct manifest_table *table)
{
    text_add(text, "{");
    add_text(text, "schema", table->schema);
    text_add(text, ",");
    add_text(text, "name", table->name);
    if (table->into_name != NULL) {
        text_add(text, ",\"into\":{");
        add_text(text, "schema", table->into_schema);
        text_add(text, ",");
        add_text(text, "name", table->into_name);
        text_add(text, "}");
    }
    if (table->late > 0) {
        text_add(text, ",");
        add_number(text, "late", table->late);
    }
    text_addf(text, ",\"data\":%s,", table->data ? "true" : "false");
    add_number(text, "rows", table->rows);
    text_add(text, ",\n  ");
    add_columns(text, table);
    text_add(text, ",\n  \"volumes\":[");
    for (size_t i = 0; i < table->volumes_count; i++) {
        text_add(text, i == 0 ? "" : ",\n    ");
        add_object(text, &table->volumes[i], true);
    }
    text_add(text, "]}");
}

static void
add_texts(struct text *text, const struct manifest *manifest)
{
    const struct {
        const char *name, *value;
    } texts[] = {
        {"replica_version", manifest->replica_version},
        {"server_version", manifest->server_version},
        {"database", manifest->database},
        {"encoding", manifest->encoding},
        {"lsn", manifest->lsn},
        {"snapshot", manifest->snapshot},
        {"compression", manifest->compression},
        {"lc_monetary", manifest->lc_monetary},
    };
    size_t count = sizeof texts / sizeof *texts - (manifest->lc_monetary == NULL);

    for (size_t i = 0; i < count; i++) {
        text_add(text, ",\n");
        add_text(text, texts[i].name, texts[i].value);
    }
}

static void
add_numbers(struct text *text, const struct manifest *manifest)
{
    text_add(text, ",\n");
    add_number(text, "rows", manifest->rows);
    text_add(text, ",");
    add_number(text, "plain_bytes", manifest->plain_bytes);
    text_add(text, ",");
    add_number(text, "stored_bytes", manifest->stored_bytes);
    if (manifest->longest_statement > 0) {
        text_add(text, ",");
        add_number(text, "longest_statement", manifest->longest_statement);
    }
}

static void
add_objects(struct text *text, const struct manifest *manifest)
{
    text_add(text, ",\n\"pre_data\":");
    add_object(text, &manifest->pre_data, false);
    text_add(text, ",\n\"data\":");
    add_object(text, &manifest->data, false);
    for (size_t i = 0; i < manifest->more_data_count; i++) {
        text_add(text, i == 0 ? ",\n\"more_data\":[" : ",\n  ");
        add_object(text, &manifest->more_data[i], false);
    }
    text_add(text, manifest->more_data_count > 0 ? "]" : "");
    text_add(text, ",\n\"post_data\":");
    add_object(text, &manifest->post_data, false);
}

void
manifest_add(struct text *text, const struct manifest *manifest)
{
    text_add(text, "{");
    add_number(text, "format", manifest->format);
    text_add(text, ",\n");
    add_text(text, "name", manifest->name);
    text_add(text, ",\n");
    add_number(text, "created_at", manifest->created_ms);
    text_add(text, ",");
    add_number(text, "finished_at", manifest->finished_ms);
    add_texts(text, manifest);
    add_numbers(text, manifest);
    add_objects(text, manifest);
    text_add(text, ",\n\"tables\":[");
    for (size_t i = 0; i < manifest->tables_count; i++) {
        text_add(text, i == 0 ? "\n" : ",\n");
        add_table(text, &manifest->tables[i]);
    }
    text_add(text, "]}\n");
}

static void
add_up(struct manifest *manifest, const struct manifest_object *object)
{
    manifest->rows += object->rows;
    manifest->plain_bytes += object->plain_bytes;
    manifest->stored_bytes += object->stored_bytes;
}

static void
complete(struct manifest *manifest)
{
    bool named = dump_name_read(manifest->name, &manifest->created_ms);

    assert(named);
    assert(object_suffix(manifest->compression) != NULL);
    manifest->format = MANIFEST_FORMAT;
    manifest->rows = manifest->plain_bytes = manifest->stored_bytes = 0;
    manifest->pre_data.rows = manifest->data.rows = manifest->post_data.rows = 0;
    add_up(manifest, &manifest->pre_data);
    add_up(manifest, &manifest->data);
    add_up(manifest, &manifest->post_data);
    for (size_t i = 0; i < manifest->more_data_count; i++)
        add_up(manifest, &manifest->more_data[i]);
    for (size_t i = 0; i < manifest->tables_count; i++) {
        struct manifest_table *table = &manifest->tables[i];
        table->rows = 0;
        for (size_t j = 0; j < table->volumes_count; j++) {
            table->rows += table->volumes[j].rows;
            add_up(manifest, &table->volumes[j]);
        }
    }
}

/* Until the commit nothing can have arrived. */
static bool
text_put(struct store *store, const char *name, const struct text *text,
         enum manifest_state *state, struct fault *fault)
{
    struct store_writer *writer = store->ops->put_begin(store, name, fault);
    struct fault unknown = {0};
    bool exists = true;

    if (writer == NULL)
        return false;
    if (!store->ops->put_write(writer, text->data, text->size, fault) ||
        stop_requested(store->stop)) {
        store->ops->put_abort(writer);
        return fault_set(fault, ERR_STOPPED, "stopped before %s was written", name);
    }
    *state = MANIFEST_THERE;
    if (store->ops->put_commit(writer, fault))
        return store->ops->settle(store, fault);
    if (!store->ops->puts_may_arrive && store->ops->exists(store, name, &exists, &unknown) &&
        !exists) {
        *state = MANIFEST_NONE;
        return false;
    }
    *state = MANIFEST_PERHAPS;
    return fault_because(fault,
                         "while writing %s; it may have arrived, so what the dump has written is "
                         "left",
                         name);
}

bool
manifest_write(struct store *store, struct manifest *manifest, enum manifest_state *state,
               struct fault *fault)
{
    struct text text = {0};
    char name[STORE_NAME_MAX + 1];
    bool written;

    *state = MANIFEST_NONE;
    complete(manifest);
    manifest_add(&text, manifest);
    snprintf(name, sizeof name, "%s/manifest.json", manifest->name);
    if (text.size > MANIFEST_BYTES_MAX)
        written = fault_set(fault, ERR_STORE,
                            "the manifest of %s would take %zu bytes, more than the %d a manifest "
                            "may have; dump fewer tables at once",
                            manifest->name, text.size, MANIFEST_BYTES_MAX);
    else
        written = store->ops->settle(store, fault) &&
                  text_put(store, name, &text, state, fault);
    text_free(&text);
    if (!written)
        return false;
    return index_update(store, manifest, fault) ||
           fault_because(fault, "while bringing index.json up to date; %s itself is complete",
                         manifest->name);
}
