/* transform_rules - any text as rules, bound to a small catalog of every kind of column. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "transform/transform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct column columns[] = {
    {.name = "i", .type = "i", .base_type = "int4", .kind = VALUE_INTEGER, .byte_width = 4},
    {.name = "t", .type = "t", .base_type = "text", .kind = VALUE_TEXT},
    {.name = "v", .type = "v", .base_type = "varchar", .kind = VALUE_TEXT, .length_max = 9},
    {.name = "n", .type = "n", .base_type = "numeric", .kind = VALUE_NUMERIC, .precision = 5,
     .scale = 2},
    {.name = "f", .type = "f", .base_type = "float4", .kind = VALUE_FLOAT, .byte_width = 4},
    {.name = "b", .type = "b", .base_type = "bool", .kind = VALUE_BOOLEAN},
    {.name = "d", .type = "d", .base_type = "date", .kind = VALUE_DATE},
    {.name = "s", .type = "s", .base_type = "timestamptz", .kind = VALUE_TIMESTAMP,
     .with_zone = true},
    {.name = "u", .type = "u", .base_type = "uuid", .kind = VALUE_UUID},
    {.name = "o", .type = "o", .base_type = "_text", .kind = VALUE_OTHER, .not_null = true},
    {.name = "g", .type = "g", .base_type = "text", .kind = VALUE_TEXT, .generated = true},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static const uint32_t parent[] = {1};
static struct table tables[] = {
    {.oid = 1, .schema = "a", .name = "p", .kind = 'p', .columns = columns,
     .columns_count = COLUMNS},
    {.oid = 2, .schema = "a", .name = "r", .kind = 'r', .copied = true, .columns = columns,
     .columns_count = COLUMNS, .ancestors = parent, .ancestors_count = 1},
    {.oid = 3, .schema = "public", .name = "T", .kind = 'r', .copied = true, .columns = columns,
     .columns_count = COLUMNS},
};
static const struct catalog catalog = {.tables = tables, .tables_count = 3};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct fault fault = {0};
    struct table_masks *masks;
    const char *text = arena_copy(&arena, (const char *) data, size);
    const struct rules *rules = rules_read(&arena, text, &fault);

    assert((rules == NULL) == (fault.err == ERR_CONFIG));
    if (rules != NULL && rules_bind(rules, &catalog, &arena, &masks, &fault))
        assert(masks[0].ruled_count == 0 && masks[1].columns_count == COLUMNS - 1);
    arena_free(&arena);
    return 0;
}
