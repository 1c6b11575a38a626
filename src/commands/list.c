/* list - the dumps of a store, the newest last. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/json.h"
#include "commands/commands.h"
#include "commands/memory.h"
#include "commands/open_store.h"
#include "commands/output.h"
#include "store/manifest.h"

static const char *
state_word(const struct dump_entry *entry)
{
    return !entry->complete ? "incomplete" : !entry->readable ? "unreadable" : "complete";
}

static void
entry_row(struct output *table, const struct dump_entry *entry, uint64_t now_ms)
{
    char created[32], age[32], stored[16], plain[16];

    clock_text(created, entry->created_ms);
    created[19] = '\0'; /* 2026-11-21T09:26:00: nobody reads the milliseconds of a dump */
    created[10] = ' ';
    clock_duration(age, now_ms > entry->created_ms ? now_ms - entry->created_ms : 0);
    output_cells(table, entry->name, age, created);
    if (!entry->complete || !entry->readable) {
        output_cells(table, "-", "-", "-", "-", "-", state_word(entry));
        return;
    }
    output_cells(table, entry->database, text_bytes(stored, entry->stored_bytes),
                 text_bytes(plain, entry->plain_bytes));
    output_cell(table, "%" PRIu64, entry->rows);
    output_cell(table, "%" PRIu64, entry->tables);
    output_cells(table, state_word(entry));
}

static void
add_table(struct text *text, const struct dump_entry *entries, size_t count)
{
    struct output table;
    uint64_t now_ms = clock_epoch_ms();

    output_begin(&table, "lrllrrrrl");
    output_cells(&table, "dump", "age", "created (UTC)", "database", "stored", "plain", "rows",
                 "tables", "state");
    for (size_t i = 0; i < count; i++)
        entry_row(&table, &entries[i], now_ms);
    output_end(&table, text);
}

static void
add_json_entry(struct text *text, const struct dump_entry *entry)
{
    text_add(text, "{\"name\":");
    json_add_string(text, entry->name);
    text_addf(text, ",\"state\":\"%s\",\"created_at\":%" PRIu64, state_word(entry),
              entry->created_ms);
    if (entry->complete && entry->readable) {
        text_add(text, ",\"database\":");
        json_add_string(text, entry->database);
        text_addf(text, ",\"stored_bytes\":%" PRIu64 ",\"plain_bytes\":%" PRIu64,
                  entry->stored_bytes, entry->plain_bytes);
        text_addf(text, ",\"rows\":%" PRIu64 ",\"tables\":%" PRIu64, entry->rows, entry->tables);
    }
    if (entry->complete && !entry->readable && entry->problem != NULL) {
        text_add(text, ",\"problem\":");
        json_add_string(text, entry->problem);
    }
    text_add(text, "}");
}

static void
add_json(struct text *text, const struct dump_entry *entries, size_t count)
{
    text_add(text, "{\"dumps\":[");
    for (size_t i = 0; i < count; i++) {
        text_add(text, i == 0 ? "\n" : ",\n");
        add_json_entry(text, &entries[i]);
    }
    text_add(text, count == 0 ? "]}\n" : "\n]}\n");
}

/* A dump that cannot be read is no failure of the list, which is how one finds out. */
static void
problems_log(const struct dump_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (entries[i].complete && !entries[i].readable && entries[i].problem != NULL)
            log_warning("%s is unreadable: %s", entries[i].name, entries[i].problem);
}

bool
list_run(const struct env *env, struct stop *stop, struct fault *fault)
{
    struct arena arena = {0};
    struct text text = {0};
    struct dump_entry *entries;
    size_t count;
    struct memory_plan memory;

    if (!memory_for_manifest(env, MEMORY_LOOK, NULL, &memory, fault))
        return false;
    memory_log(&memory, LOG_DEBUG);
    struct store *store = open_store(env, env->store, false, stop, fault);
    bool ok = store != NULL && dumps_list(store, &arena, &entries, &count, fault);

    if (ok) {
        if (count == 0)
            log_info("no dumps in %s", store->url);
        problems_log(entries, count);
        if (env->log_format == LOG_JSON)
            add_json(&text, entries, count);
        else if (count > 0)
            add_table(&text, entries, count);
        ok = output_write(&text, stop, fault);
    }
    if (store != NULL)
        store_close(store);
    text_free(&text);
    arena_free(&arena);
    return ok;
}
