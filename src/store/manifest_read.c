/* manifest_read - from JSON to a manifest whose form can be trusted; see manifest.h.
 *
 * A manifest comes from outside.  Object names become paths, the encoding becomes SQL, the counts
 * are what a restore is measured by: all of that is checked here, once. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "store/digest.h"
#include "store/manifest.h"
#include "store/volume.h"

enum { MANIFEST_LEAST_BYTES = 128 * 1024 }; /* two blocks of an arena */

/* What is being read, for sentences: "dump-7/manifest.json: a table "public"."film"". */
struct reader {
    struct arena *arena;
    struct fault *fault;
    const char *where;
    const struct manifest_table *table; /* the one that is being read, or NULL */
    const char *suffix; /* of object names, from the compression */
};

static bool refuse(const struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "<where> [<table>] <format>", always false. */
static bool
refuse(const struct reader *reader, const char *format, ...)
{
    char words[FAULT_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    if (reader->table != NULL && reader->table->name != NULL)
        return fault_set(reader->fault, ERR_INTEGRITY, "%s \"%s\".\"%s\" %s", reader->where,
                         reader->table->schema, reader->table->name, words);
    return fault_set(reader->fault, ERR_INTEGRITY, "%s %s", reader->where, words);
}

static bool
text_read(const struct reader *reader, const struct json *object, const char *name,
          const char **value)
{
    *value = json_get_text(object, name, NULL);
    return *value != NULL || refuse(reader, "has no text \"%s\"", name);
}

static bool
name_read(const struct reader *reader, const struct json *object, const char *name,
          const char **value)
{
    if (!text_read(reader, object, name, value))
        return false;
    return **value != '\0' || refuse(reader, "has an empty \"%s\"", name);
}

static bool
number_read(const struct reader *reader, const struct json *object, const char *name,
            uint64_t *value)
{
    return json_get_number(object, name, value) ||
           refuse(reader, "has no whole number \"%s\"", name);
}

/* The items of an array.  What they are in memory, the caller knows. */
static bool
array_read(const struct reader *reader, const struct json *object, const char *name,
           const struct json **first, size_t *count)
{
    const struct json *array = json_get(object, name);

    if (array == NULL || array->type != JSON_ARRAY)
        return refuse(reader, "has no array \"%s\"", name);
    *first = array->first;
    *count = array->size;
    return true;
}

/* sum += value; a sum over 64 bits is no sum of real counts. */
static bool
add(const struct reader *reader, uint64_t *sum, uint64_t value)
{
    return !__builtin_add_overflow(*sum, value, sum) ||
           refuse(reader, "has numbers that add up to more than 64 bits");
}

static bool
equal(const struct reader *reader, const char *name, uint64_t value, uint64_t sum)
{
    return value == sum || refuse(reader, "says \"%s\" is %llu, but its parts add up to %llu", name,
                                  (unsigned long long) value, (unsigned long long) sum);
}

static bool
object_read(const struct reader *reader, const struct json *json, struct manifest_object *object)
{
    const char *digest;

    if (!name_read(reader, json, "name", &object->name) ||
        !number_read(reader, json, "stored_bytes", &object->stored_bytes) ||
        !number_read(reader, json, "plain_bytes", &object->plain_bytes) ||
        !text_read(reader, json, "sha256", &digest))
        return false;
    return digest_read(digest, object->sha256) ||
           refuse(reader, "has a sha256 that is not 64 hexadecimal digits");
}

/* pre-data, data and post-data bear the one name they can have, so it can lead nowhere else. */
static bool
section_read(const struct reader *reader, const struct json *root, const char *member,
             const char *file, struct manifest_object *object)
{
    struct reader inner = *reader;
    const char *name = arena_print(reader->arena, "%s%s", file, reader->suffix);

    inner.where = arena_print(reader->arena, "%s: \"%s\"", reader->where, member);
    if (!object_read(&inner, json_get(root, member), object))
        return false;
    return strcmp(object->name, name) == 0 ||
           refuse(&inner, "names the object '%s', not '%s'", object->name, name);
}

/* Most dumps have no such member. */
static bool
more_data_read(const struct reader *reader, const struct json *root, struct manifest *manifest)
{
    const struct json *item = NULL;
    char name[VOLUME_NAME_MAX];

    if (json_get(root, "more_data") == NULL)
        return true;
    if (!array_read(reader, root, "more_data", &item, &manifest->more_data_count))
        return false;
    manifest->more_data = arena_array(reader->arena, manifest->more_data_count,
                                      sizeof *manifest->more_data);
    for (size_t i = 0; i < manifest->more_data_count; i++, item = item->next) {
        struct manifest_object *piece = &manifest->more_data[i];
        if (!object_read(reader, item, piece))
            return false;
        if (strcmp(piece->name, data_piece_name(name, (unsigned) i + 2, reader->suffix)) != 0)
            return refuse(reader, "goes on in the object '%s', not '%s'", piece->name, name);
    }
    return true;
}

static bool
columns_read(const struct reader *reader, const struct json *json, struct manifest_table *table)
{
    const struct json *item = NULL;

    if (!array_read(reader, json, "columns", &item, &table->columns_count))
        return false;
    table->columns = arena_array(reader->arena, table->columns_count, sizeof *table->columns);
    for (size_t i = 0; i < table->columns_count; i++, item = item->next) {
        struct manifest_column *column = &table->columns[i];
        if (!name_read(reader, item, "name", &column->name) ||
            !text_read(reader, item, "type", &column->type))
            return false;
        column->rule = json_get_text(item, "rule", NULL);
        if (column->rule == NULL && json_get(item, "rule") != NULL)
            return refuse(reader, "has a \"rule\" that is no text");
    }
    return true;
}

static bool
volumes_read(const struct reader *reader, const struct json *json, struct manifest_table *table)
{
    const struct json *item = NULL;
    uint64_t rows = 0;
    unsigned number;

    if (!array_read(reader, json, "volumes", &item, &table->volumes_count))
        return false;
    table->volumes = arena_array(reader->arena, table->volumes_count, sizeof *table->volumes);
    for (size_t i = 0; i < table->volumes_count; i++, item = item->next) {
        struct manifest_object *volume = &table->volumes[i];
        if (!object_read(reader, item, volume) ||
            !number_read(reader, item, "rows", &volume->rows) || !add(reader, &rows, volume->rows))
            return false;
        if (!volume_number(volume->name, reader->suffix, &number))
            return refuse(reader, "has a volume called '%s', not '<number>.sql%s'", volume->name,
                          reader->suffix);
    }
    return equal(reader, "rows", table->rows, rows);
}

/* PostgreSQL keeps these schemas to itself: nothing of a database's own is in them, and rows that
 * are loaded there change what the server is. */
static bool
schema_check(const struct reader *reader, const char *schema)
{
    bool system = strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0;

    return !system || refuse(reader, "would be loaded into \"%s\", a schema of PostgreSQL's own",
                             schema);
}

static bool
table_read(const struct reader *reader, const struct json *json, struct manifest_table *table)
{
    struct reader inner = *reader;
    const struct json *data = json_get(json, "data"), *into = json_get(json, "into");

    if (!name_read(reader, json, "schema", &table->schema) ||
        !name_read(reader, json, "name", &table->name))
        return false;
    inner.table = table;
    if (into != NULL && (!name_read(&inner, into, "schema", &table->into_schema) ||
                         !name_read(&inner, into, "name", &table->into_name)))
        return false;
    if (!schema_check(&inner, table->schema) ||
        (into != NULL && !schema_check(&inner, table->into_schema)))
        return false;
    if (data == NULL || (data->type != JSON_TRUE && data->type != JSON_FALSE))
        return refuse(&inner, "has no boolean \"data\"");
    table->data = data->type == JSON_TRUE;
    if (json_get(json, "late") != NULL && !number_read(&inner, json, "late", &table->late))
        return false;
    if (json_get(json, "late") != NULL && table->late == 0)
        return refuse(&inner, "has a \"late\" of 0");
    if (!number_read(&inner, json, "rows", &table->rows) || !columns_read(&inner, json, table) ||
        !volumes_read(&inner, json, table))
        return false;
    return table->data || table->volumes_count == 0 ||
           refuse(&inner, "has volumes, but its data was skipped");
}

static bool
tables_read(const struct reader *reader, const struct json *root, struct manifest *manifest)
{
    const struct json *item = NULL;
    struct reader inner = *reader;

    if (!array_read(reader, root, "tables", &item, &manifest->tables_count))
        return false;
    manifest->tables = arena_array(reader->arena, manifest->tables_count, sizeof *manifest->tables);
    inner.where = arena_print(reader->arena, "%s: a table", reader->where);
    for (size_t i = 0; i < manifest->tables_count; i++, item = item->next)
        if (!table_read(&inner, item, &manifest->tables[i]))
            return false;
    return true;
}

static int
table_compare(const void *a, const void *b)
{
    const struct manifest_table *first = *(const struct manifest_table *const *) a;
    const struct manifest_table *second = *(const struct manifest_table *const *) b;
    int order = strcmp(first->schema, second->schema);

    return order != 0 ? order : strcmp(first->name, second->name);
}

static int
late_compare(const void *a, const void *b)
{
    const struct manifest_table *first = *(const struct manifest_table *const *) a;
    const struct manifest_table *second = *(const struct manifest_table *const *) b;

    return (first->late > second->late) - (first->late < second->late);
}

const struct manifest_table **
manifest_late(struct arena *arena, const struct manifest *manifest, size_t *count)
{
    size_t used = 0;

    for (size_t i = 0; i < manifest->tables_count; i++)
        used += manifest->tables[i].late > 0;
    const struct manifest_table **tables = arena_array(arena, used, sizeof *tables);
    *count = used;
    used = 0;
    for (size_t i = 0; i < manifest->tables_count; i++)
        if (manifest->tables[i].late > 0)
            tables[used++] = &manifest->tables[i];
    if (used > 0)
        qsort(tables, used, sizeof *tables, late_compare);
    return tables;
}

static bool
places_differ(const struct reader *reader, const struct manifest *manifest)
{
    size_t count;
    const struct manifest_table **tables = manifest_late(reader->arena, manifest, &count);

    for (size_t i = 1; i < count; i++)
        if (tables[i - 1]->late == tables[i]->late)
            return refuse(reader, "says \"late\" is %llu of both \"%s\".\"%s\" and \"%s\".\"%s\"",
                          (unsigned long long) tables[i]->late, tables[i - 1]->schema,
                          tables[i - 1]->name, tables[i]->schema, tables[i]->name);
    return true;
}

static int
name_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static bool
tables_differ(const struct reader *reader, const struct manifest *manifest)
{
    size_t count = manifest->tables_count;
    const struct manifest_table **tables = arena_array(reader->arena, count, sizeof *tables);

    for (size_t i = 0; i < count; i++)
        tables[i] = &manifest->tables[i];
    if (count > 0)
        qsort(tables, count, sizeof *tables, table_compare);
    for (size_t i = 1; i < count; i++)
        if (table_compare(&tables[i - 1], &tables[i]) == 0)
            return refuse(reader, "names the table \"%s\".\"%s\" twice", tables[i]->schema,
                          tables[i]->name);
    return true;
}

static bool
volumes_differ(const struct reader *reader, const struct manifest *manifest)
{
    size_t count = 0, at = 0;

    for (size_t i = 0; i < manifest->tables_count; i++)
        count += manifest->tables[i].volumes_count;
    const char **names = arena_array(reader->arena, count, sizeof *names);
    for (size_t i = 0; i < manifest->tables_count; i++)
        for (size_t j = 0; j < manifest->tables[i].volumes_count; j++)
            names[at++] = manifest->tables[i].volumes[j].name;
    assert(at == count);
    if (count > 0)
        qsort(names, count, sizeof *names, name_compare);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return refuse(reader, "names the object %s twice", names[i]);
    return true;
}

static bool
add_object(const struct reader *reader, struct manifest *sums, const struct manifest_object *object)
{
    return add(reader, &sums->rows, object->rows) &&
           add(reader, &sums->plain_bytes, object->plain_bytes) &&
           add(reader, &sums->stored_bytes, object->stored_bytes);
}

static bool
sums_check(const struct reader *reader, const struct manifest *manifest)
{
    struct manifest sums = {0};

    if (!add_object(reader, &sums, &manifest->pre_data) ||
        !add_object(reader, &sums, &manifest->data) ||
        !add_object(reader, &sums, &manifest->post_data))
        return false;
    for (size_t i = 0; i < manifest->more_data_count; i++)
        if (!add_object(reader, &sums, &manifest->more_data[i]))
            return false;
    for (size_t i = 0; i < manifest->tables_count; i++)
        for (size_t j = 0; j < manifest->tables[i].volumes_count; j++)
            if (!add_object(reader, &sums, &manifest->tables[i].volumes[j]))
                return false;
    return equal(reader, "rows", manifest->rows, sums.rows) &&
           equal(reader, "plain_bytes", manifest->plain_bytes, sums.plain_bytes) &&
           equal(reader, "stored_bytes", manifest->stored_bytes, sums.stored_bytes);
}

/* The number comes first: a newer format may have changed everything else. */
static bool
format_read(const struct reader *reader, const struct json *root, const char *name,
            struct manifest *manifest)
{
    if (root->type != JSON_OBJECT)
        return refuse(reader, "is no json object");
    if (!number_read(reader, root, "format", &manifest->format))
        return false;
    if (manifest->format > MANIFEST_FORMAT)
        return fault_set(reader->fault, ERR_CONFIG,
                         "%s has format %llu, this replica reads up to %d: use a newer replica",
                         name, (unsigned long long) manifest->format, MANIFEST_FORMAT);
    return manifest->format > 0 || refuse(reader, "has format 0, which does not exist");
}

static bool
head_read(struct reader *reader, const struct json *root, const char *name,
          struct manifest *manifest)
{
    if (!text_read(reader, root, "name", &manifest->name) ||
        !number_read(reader, root, "created_at", &manifest->created_ms) ||
        !number_read(reader, root, "finished_at", &manifest->finished_ms) ||
        !text_read(reader, root, "replica_version", &manifest->replica_version) ||
        !text_read(reader, root, "server_version", &manifest->server_version) ||
        !text_read(reader, root, "database", &manifest->database) ||
        !name_read(reader, root, "encoding", &manifest->encoding) ||
        !text_read(reader, root, "lsn", &manifest->lsn) ||
        !text_read(reader, root, "snapshot", &manifest->snapshot) ||
        !text_read(reader, root, "compression", &manifest->compression) ||
        !number_read(reader, root, "rows", &manifest->rows) ||
        !number_read(reader, root, "plain_bytes", &manifest->plain_bytes) ||
        !number_read(reader, root, "stored_bytes", &manifest->stored_bytes))
        return false;
    if (json_get(root, "longest_statement") != NULL &&
        !number_read(reader, root, "longest_statement", &manifest->longest_statement))
        return false;

    uint64_t created_ms;
    if (strcmp(manifest->name, name) != 0)
        return refuse(reader, "belongs to another dump, '%s'", manifest->name);
    if (!dump_name_read(name, &created_ms) || created_ms != manifest->created_ms)
        return refuse(reader, "says it was created at %llu, which is not what its name says",
                      (unsigned long long) manifest->created_ms);
    reader->suffix = object_suffix(manifest->compression);
    return reader->suffix != NULL ||
           fault_set(
               reader->fault, ERR_CONFIG,
               "%s is compressed by '%s', which this replica does not know: use a newer replica",
               name, manifest->compression);
}

/* It is written into a SET between quotes, as the encoding is. */
static bool
lc_monetary_read(const struct reader *reader, const struct json *root, struct manifest *manifest)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.@-";
    const char *locale = json_get_text(root, "lc_monetary", NULL);

    if (locale == NULL)
        return json_get(root, "lc_monetary") == NULL ||
               refuse(reader, "has a \"lc_monetary\" that is no text");
    if (*locale == '\0' || locale[strspn(locale, letters)] != '\0')
        return refuse(reader, "has the lc_monetary '%s', which names no locale", locale);
    manifest->lc_monetary = locale;
    return true;
}

static bool
encoding_check(const struct reader *reader, const char *encoding)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

    return encoding[strspn(encoding, letters)] == '\0' ||
           refuse(reader, "has '%s', which names no encoding", encoding);
}

/* The structures take less than a third of what the JSON does: 88 bytes for a table, whose seven
 * values take 224 and their texts 70, 24 for a column, 72 for an object. */
uint64_t
manifest_memory(const char *data, size_t size)
{
    return size + json_memory(data, size) / 3 * 4 + MANIFEST_LEAST_BYTES;
}

bool
manifest_parse(struct arena *arena, const char *name, const char *data, size_t size,
               struct manifest *manifest, struct fault *fault)
{
    struct reader reader = {.arena = arena, .fault = fault};

    *manifest = (struct manifest){.held_bytes = manifest_memory(data, size)};
    reader.where = arena_print(arena, "%s/manifest.json", name);
    const struct json *root = json_parse(arena, data, size, reader.where, fault);
    return root != NULL && format_read(&reader, root, name, manifest) &&
           head_read(&reader, root, name, manifest) &&
           encoding_check(&reader, manifest->encoding) &&
           lc_monetary_read(&reader, root, manifest) &&
           section_read(&reader, root, "pre_data", "pre-data.sql", &manifest->pre_data) &&
           section_read(&reader, root, "data", "data.sql", &manifest->data) &&
           more_data_read(&reader, root, manifest) &&
           section_read(&reader, root, "post_data", "post-data.sql", &manifest->post_data) &&
           tables_read(&reader, root, manifest) && tables_differ(&reader, manifest) &&
           places_differ(&reader, manifest) && volumes_differ(&reader, manifest) &&
           sums_check(&reader, manifest);
}
