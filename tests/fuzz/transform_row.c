/* transform_row - any bytes as COPY rows of four columns, of which the second and the last have rules.
 *
 * The first byte chooses the transformer, the second and third the windows.  When the walk is done,
 * the result has the same rows and columns, and the columns without a rule are the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "transform/transform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS = 4, GROWTH = 600 };

static const struct {
    const char *transformer;
    struct column column;
} choices[] = {
    {"random", {.base_type = "text", .kind = VALUE_TEXT}},
    {"email(domain=keep)", {.base_type = "varchar", .kind = VALUE_TEXT, .length_max = 20}},
    {"redacted(width=255)", {.base_type = "text", .kind = VALUE_TEXT}},
    {"keep-first-char", {.base_type = "bpchar", .kind = VALUE_TEXT, .length_max = 5,
                         .blank_padded = true}},
    {"random", {.base_type = "numeric", .kind = VALUE_NUMERIC, .precision = 5, .scale = 2}},
    {"keep-first-char", {.base_type = "numeric", .kind = VALUE_NUMERIC, .precision = 2,
                         .scale = -2}},
    {"random", {.base_type = "float8", .kind = VALUE_FLOAT, .byte_width = 8}},
    {"random", {.base_type = "int2", .kind = VALUE_INTEGER, .byte_width = 2}},
    {"phone-number", {.base_type = "text", .kind = VALUE_TEXT}},
    {"fixed('a\tb\n\\')", {.base_type = "text", .kind = VALUE_TEXT}},
    {"null", {.base_type = "text", .kind = VALUE_TEXT}},
};

static const struct table_masks *
masks_of(struct arena *arena, unsigned choice)
{
    struct column *columns = arena_array(arena, COLUMNS, sizeof *columns);
    struct fault fault = {0};
    struct table_masks *masks;

    for (unsigned i = 0; i < COLUMNS; i++) {
        columns[i] = choices[choice].column;
        columns[i].name = arena_print(arena, "c%u", i);
        columns[i].type = "";
    }
    struct table table = {.oid = 1, .schema = "s", .name = "t", .copied = true,
                          .columns = columns, .columns_count = COLUMNS};
    struct catalog catalog = {.tables = &table, .tables_count = 1};
    const char *text = arena_print(arena, "s.t.c1 %s\ns.t.c3 %s", choices[choice].transformer,
                                   choices[choice].transformer);
    const struct rules *rules = rules_read(arena, text, &fault);
    bool bound = rules != NULL && rules_bind(rules, &catalog, arena, &masks, &fault);
    assert(bound);
    return masks;
}

static bool
push(struct stage *stage, struct source_span *input, size_t source_window, struct target_span *output,
     size_t target_window)
{
    for (;;) {
        struct fault fault = {0};
        size_t left = input->size - input->used, room = output->size - output->used;
        struct source_span source = {.data = input->data + input->used,
                                     .size = left < source_window ? left : source_window};
        struct target_span target = {.data = output->data + output->used,
                                     .size = room < target_window ? room : target_window};
        assert(room > 0);
        enum step step = stage_step(stage, &source, &target, left == 0, &fault);
        input->used += source.used;
        output->used += target.used;
        if (step != STEP_AGAIN)
            return step == STEP_DONE;
    }
}

static size_t
field_size(const uint8_t *at, const uint8_t *end)
{
    size_t size = 0;

    while (at + size < end && at[size] != '\t' && at[size] != '\n')
        size++;
    return size;
}

static void
compare(const struct source_span *input, const struct target_span *output)
{
    const uint8_t *in = input->data, *in_end = in + input->size;
    const uint8_t *out = output->data, *out_end = out + output->used;

    for (unsigned column = 0; in < in_end; column = (column + 1) % COLUMNS) {
        size_t in_size = field_size(in, in_end), out_size = field_size(out, out_end);
        assert(out + out_size < out_end && in[in_size] == out[out_size]);
        if (column % 2 == 0)
            assert(in_size == out_size && memcmp(in, out, in_size) == 0);
        in += in_size + 1;
        out += out_size + 1;
    }
    assert(out == out_end);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct transform transform;

    if (size < 3)
        return 0;
    struct source_span input = {.data = data + 3, .size = size - 3};
    struct target_span output = {.size = size * GROWTH + 1};
    output.data = malloc(output.size);
    assert(output.data != NULL);
    transform_open(&transform);
    const struct table_masks *masks = masks_of(&arena, data[0] % (sizeof choices / sizeof *choices));
    struct stage *stage = transform_init(&transform, masks);
    if (push(stage, &input, data[1] + 1u, &output, data[2] + 1u))
        compare(&input, &output);
    transform_close(&transform);
    free(output.data);
    arena_free(&arena);
    return 0;
}
