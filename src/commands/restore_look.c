/* restore_look - is the dump there and whole, as far as that can be told for little?  Asked before
 * the destination is touched: what REPLICA_CLEAN drops can't be had back (restore.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/rights.h"
#include "commands/script.h"

enum { OUTLOOK_SHOWN_BYTES = 1500 };

struct listing {
    const struct store *store;
    const char *directory;
    struct store_entry *entries; /* by name */
    size_t count;
    size_t found;
    const struct manifest_object *largest;
};

static int
by_name(const void *name, const void *entry)
{
    return strcmp(name, ((const struct store_entry *) entry)->name);
}

static bool
object_is_there(struct listing *listing, const struct manifest_object *object,
                struct fault *fault)
{
    const struct store_entry *entry = NULL;

    if (listing->count > 0)
        entry = bsearch(object->name, listing->entries, listing->count, sizeof *entry, by_name);
    if (entry == NULL)
        return fault_set(fault, ERR_INTEGRITY,
                         "%s/%s is missing from the store %s, though its manifest names it",
                         listing->directory, object->name, listing->store->url);
    if (entry->bytes != object->stored_bytes)
        return fault_set(fault, ERR_INTEGRITY,
                         "%s/%s has %" PRIu64 " bytes, the manifest says %" PRIu64,
                         listing->directory, object->name, entry->bytes, object->stored_bytes);
    if (listing->largest == NULL || object->stored_bytes > listing->largest->stored_bytes)
        listing->largest = object;
    listing->found++;
    return true;
}

static bool
objects_are_there(struct listing *listing, const struct manifest *manifest, struct fault *fault)
{
    bool ok = object_is_there(listing, &manifest->pre_data, fault) &&
              object_is_there(listing, &manifest->data, fault) &&
              object_is_there(listing, &manifest->post_data, fault);

    for (size_t i = 0; i < manifest->more_data_count && ok; i++)
        ok = object_is_there(listing, &manifest->more_data[i], fault);
    for (size_t i = 0; i < manifest->tables_count && ok; i++)
        for (size_t j = 0; j < manifest->tables[i].volumes_count && ok; j++)
            ok = object_is_there(listing, &manifest->tables[i].volumes[j], fault);
    return ok;
}

/* What a store has put into an archive it lists like anything else, and gives nobody; the rules by
 * which it does so pass over small objects. */
static bool
object_opens(struct store *store, const struct listing *listing, struct fault *fault)
{
    struct store_reader *reader;
    char path[STORE_NAME_MAX];

    snprintf(path, sizeof path, "%s/%s", listing->directory, listing->largest->name);
    if (!store->ops->get_begin(store, path, &reader, fault))
        return false;
    if (reader != NULL)
        store->ops->get_end(reader);
    return true;
}

bool
restore_objects(struct restore *restore, size_t *objects, struct fault *fault)
{
    struct store *store = restore->store;
    struct listing listing = {.store = store, .directory = restore->manifest.name};
    struct arena arena = {0};
    bool ok = store->ops->list(store, listing.directory, &arena, &listing.entries, &listing.count,
                               fault) &&
              objects_are_there(&listing, &restore->manifest, fault) &&
              object_opens(store, &listing, fault);

    *objects = listing.found;
    arena_free(&arena);
    return ok;
}

static bool
section_look(struct restore *restore, const struct manifest_object *section,
             sql_statement_fn *statement, void *argument, struct fault *fault)
{
    struct sql_guard guard;

    return (sql_guard_init(&guard, restore->manifest.encoding, false, ERR_INTEGRITY, fault) &&
            restore_statements(restore, section, &guard, statement, argument, fault) &&
            sql_guard_end(&guard, fault)) ||
           fault_because(fault, "while looking through %s/%s", restore->manifest.name,
                         section->name);
}

bool
restore_schema(struct restore *restore, sql_statement_fn *statement, void *argument,
               struct fault *fault)
{
    return section_look(restore, &restore->manifest.pre_data, statement, argument, fault) &&
           section_look(restore, &restore->manifest.post_data, statement, argument, fault);
}

void
outlook_init(struct outlook *outlook, const struct restore *restore, sql_statement_fn *next,
             void *argument)
{
    *outlook = (struct outlook){.env = restore->env, .next = next, .argument = argument};
    sql_dialect_init(&outlook->dialect, restore->conn.server_version);
}

/* Add to a list that stays short. */
static void
outlook_add(struct text *list, size_t *count, const char *said)
{
    ++*count;
    if (list->size + strlen(said) < OUTLOOK_SHOWN_BYTES)
        text_addf(list, "%s%s", list->size > 0 ? "; " : "", said);
    else if (*count == 1)
        text_addf(list, "%.*s…", OUTLOOK_SHOWN_BYTES, said);
}

bool
outlook_statement(void *argument, const char *sql, struct fault *fault)
{
    struct outlook *outlook = argument;

    if (!script_wants(outlook->env->owners, outlook->env->privileges, sql))
        return true;
    enum sql_fate fate = sql_dialect_statement(&outlook->dialect, sql, &outlook->rewritten,
                                               &outlook->said);
    if (fate == SQL_REFUSED)
        outlook_add(&outlook->refused, &outlook->refused_count, text_of(&outlook->said));
    else if (outlook->said.size > 0)
        outlook_add(&outlook->lost, &outlook->lost_count, text_of(&outlook->said));
    if (outlook->next == NULL || fate == SQL_REFUSED || fate == SQL_LEFT_OUT)
        return true;
    return outlook->next(outlook->argument,
                         fate == SQL_KEPT ? sql : text_of(&outlook->rewritten), fault);
}

bool
outlook_end(struct outlook *outlook, struct text *said, struct fault *fault)
{
    bool good = outlook->refused_count == 0;

    if (!good)
        fault_set(fault, ERR_TARGET,
                  "PostgreSQL %d of the destination is too old for %zu of the statements; take a "
                  "newer one, or change this at the source: %s", outlook->dialect.major,
                  outlook->refused_count, text_of(&outlook->refused));
    else if (said != NULL && outlook->lost_count > 0)
        text_addf(said, "%zu differ in PostgreSQL %d: %s", outlook->lost_count,
                  outlook->dialect.major, text_of(&outlook->lost));
    sql_dialect_free(&outlook->dialect);
    text_free(&outlook->rewritten);
    text_free(&outlook->said);
    text_free(&outlook->refused);
    text_free(&outlook->lost);
    return good;
}

/* The schema's text is small; rows and large objects are not, and are read once. */
bool
restore_look(struct restore *restore, struct fault *fault)
{
    struct rights rights = {0};
    struct outlook outlook;
    size_t objects;

    outlook_init(&outlook, restore, rights_statement, &rights);
    bool ok = restore_objects(restore, &objects, fault) &&
              rights_begin(&rights, restore, fault) &&
              restore_schema(restore, outlook_statement, &outlook, fault);
    bool known = outlook_end(&outlook, NULL, fault);
    return rights_told(&rights, fault) && known && ok;
}
