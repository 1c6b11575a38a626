/* show - what one dump holds: its manifest, as tables for people or as it is. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/json.h"
#include "commands/commands.h"
#include "commands/memory.h"
#include "commands/open_store.h"
#include "commands/output.h"
#include "store/manifest.h"

static void
add_facts(struct text *text, const struct manifest *manifest)
{
    char created[32], took[32], stored[16], plain[16];
    struct output facts;
    uint64_t begun_ms = manifest->created_ms, ended_ms = manifest->finished_ms;

    output_begin(&facts, "ll");
    output_cells(&facts, "dump", manifest->name, "database", manifest->database);
    output_cells(&facts, "created", clock_text(created, manifest->created_ms));
    output_cells(&facts, "took",
                 clock_duration(took, ended_ms > begun_ms ? ended_ms - begun_ms : 0));
    output_cells(&facts, "server", manifest->server_version, "replica", manifest->replica_version);
    output_cells(&facts, "encoding", manifest->encoding, "position", manifest->lsn);
    output_cells(&facts, "compression", manifest->compression, "rows");
    output_cell(&facts, "%" PRIu64, manifest->rows);
    output_cells(&facts, "stored", text_bytes(stored, manifest->stored_bytes));
    output_cells(&facts, "plain", text_bytes(plain, manifest->plain_bytes));
    output_end(&facts, text);
}

static void
object_row(struct output *table, const char *what, const struct manifest_object *object)
{
    char stored[16], plain[16];

    output_cells(table, object->name, what, text_bytes(stored, object->stored_bytes),
                 text_bytes(plain, object->plain_bytes));
}

static void
add_objects(struct text *text, const struct manifest *manifest)
{
    struct output table;

    output_begin(&table, "llrr");
    output_cells(&table, "object", "holds", "stored", "plain");
    object_row(&table, "tables, types, functions", &manifest->pre_data);
    object_row(&table, "sequences, large objects", &manifest->data);
    for (size_t i = 0; i < manifest->more_data_count; i++)
        object_row(&table, "more large objects", &manifest->more_data[i]);
    object_row(&table, "indexes, constraints, triggers", &manifest->post_data);
    output_end(&table, text);
}

/* "email (email), phone (phone-number)" */
static void
add_masked(struct text *text, const struct manifest_table *table)
{
    for (size_t i = 0; i < table->columns_count; i++) {
        const struct manifest_column *column = &table->columns[i];
        if (column->rule != NULL)
            text_addf(text, "%s%s (%s)", text->size == 0 ? "" : ", ", column->name, column->rule);
    }
    if (text->size == 0)
        text_add(text, "-");
}

static void
table_row(struct output *output, const struct manifest_table *table)
{
    char stored[16], plain[16];
    struct text cell = {0};
    uint64_t stored_bytes = 0, plain_bytes = 0;

    for (size_t i = 0; i < table->volumes_count; i++) {
        stored_bytes += table->volumes[i].stored_bytes;
        plain_bytes += table->volumes[i].plain_bytes;
    }
    text_addf(&cell, "%s.%s", table->schema, table->name);
    output_cells(output, text_of(&cell));
    if (table->data)
        output_cell(output, "%" PRIu64, table->rows);
    else
        output_cells(output, "left out");
    output_cell(output, "%zu", table->volumes_count);
    text_clear(&cell);
    add_masked(&cell, table);
    output_cells(output, text_bytes(stored, stored_bytes), text_bytes(plain, plain_bytes),
                 text_of(&cell));
    text_free(&cell);
}

static void
add_tables(struct text *text, const struct manifest *manifest)
{
    struct output table;

    output_begin(&table, "lrrrrl");
    output_cells(&table, "table", "rows", "volumes", "stored", "plain", "masked columns");
    for (size_t i = 0; i < manifest->tables_count; i++)
        table_row(&table, &manifest->tables[i]);
    output_end(&table, text);
}

static void
add_manifest(struct text *text, const struct manifest *manifest)
{
    add_facts(text, manifest);
    text_add(text, "\n");
    add_objects(text, manifest);
    text_add(text, "\n");
    add_tables(text, manifest);
}

/* The stored bytes, read a second time: what a tool gets must be what the store holds.  Only what
 * would command a terminal is written as JSON's escape for it. */
static bool
add_stored(struct text *text, struct store *store, const struct manifest *manifest,
           struct fault *fault)
{
    struct arena arena = {0};
    const char *name = arena_print(&arena, "%s/manifest.json", manifest->name);
    struct text stored = {0};
    bool found = false;
    bool ok = store_read(store, name, MANIFEST_BYTES_MAX, &stored, &found, fault);

    if (ok && !found)
        ok = fault_set(fault, ERR_STORE, "%s was removed from %s while it was shown", name,
                       store->url);
    if (ok)
        json_add_document(text, text_of(&stored), stored.size);
    text_free(&stored);
    arena_free(&arena);
    return ok;
}

bool
show_run(const struct env *env, struct stop *stop, struct fault *fault)
{
    struct arena arena = {0};
    struct text text = {0};
    struct manifest manifest;
    struct memory_plan memory;
    struct store *store = open_store(env, env->store, false, stop, fault);
    bool ok = store != NULL && manifest_read(store, env->dump, &arena, &manifest, fault) &&
              memory_for_manifest(env, MEMORY_LOOK, &manifest, &memory, fault);

    if (ok)
        memory_log(&memory, LOG_DEBUG);
    if (ok && env->log_format == LOG_JSON)
        ok = add_stored(&text, store, &manifest, fault);
    else if (ok)
        add_manifest(&text, &manifest);
    ok = ok && output_write(&text, stop, fault);
    if (store != NULL)
        store_close(store);
    text_free(&text);
    arena_free(&arena);
    return ok;
}
