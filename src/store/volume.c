/* volume - see volume.h. */
#include "store/volume.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The comment must stay one line whatever a name holds. */
static void
add_comment_names(struct text *text, const struct manifest_table *table)
{
    size_t begin = text->size;

    text_add_name_pair(text, table->schema, table->name);
    for (size_t i = begin; i < text->size; i++)
        if (text->data[i] == '\n' || text->data[i] == '\r')
            text->data[i] = ' ';
}

void
volume_preamble(struct text *text, const char *dump, const char *encoding,
                const struct manifest_table *table, unsigned number)
{
    text_addf(text, "-- replica %s volume %u: ", dump, number);
    add_comment_names(text, table);
    text_addf(text, "\nSET client_encoding = '%s';\n", encoding);
    text_add(text, "SET xmloption = content;\n"
                   "SET statement_timeout = 0;\n"
                   "SELECT pg_catalog.set_config('search_path', '', false);\n");
    volume_copy(text, table);
    text_add(text, ";\n");
}

void
volume_copy(struct text *text, const struct manifest_table *table)
{
    bool through = table->into_name != NULL;

    text_add(text, "COPY ");
    text_add_name_pair(text, through ? table->into_schema : table->schema,
                       through ? table->into_name : table->name);
    for (size_t i = 0; i < table->columns_count; i++) {
        text_add(text, i == 0 ? " (" : ", ");
        text_add_name(text, table->columns[i].name);
    }
    text_add(text, table->columns_count == 0 ? " FROM stdin" : ") FROM stdin");
}

const char *
volume_name(char name[static VOLUME_NAME_MAX], unsigned number, const char *suffix)
{
    int size = snprintf(name, VOLUME_NAME_MAX, "%u.sql%s", number, suffix);

    assert(number > 0);
    assert(size > 0 && size < VOLUME_NAME_MAX);
    return name;
}

const char *
data_piece_name(char name[static VOLUME_NAME_MAX], unsigned number, const char *suffix)
{
    int size = snprintf(name, VOLUME_NAME_MAX, "data-%u.sql%s", number, suffix);

    assert(number > 1);
    assert(size > 0 && size < VOLUME_NAME_MAX);
    return name;
}

bool
volume_number(const char *name, const char *suffix, unsigned *number)
{
    char again[VOLUME_NAME_MAX];
    unsigned value = 0;

    for (const char *at = name; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (unsigned) (*at - '0'), &value))
            return false;
    if (value == 0 || strcmp(name, volume_name(again, value, suffix)) != 0)
        return false;
    *number = value;
    return true;
}

const char *
object_suffix(const char *compression)
{
    static const char zstd[] = "zstd:";
    const char *level = compression + sizeof zstd - 1;

    if (strcmp(compression, "none") == 0)
        return "";
    if (strncmp(compression, zstd, sizeof zstd - 1) != 0)
        return NULL;
    level += *level == '-';
    return *level != '\0' && level[strspn(level, "0123456789")] == '\0' ? ".zst" : NULL;
}
