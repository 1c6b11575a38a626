/* transform_apply - binds a transformer to a made-up column and applies it to one value, for the
 * tests of transformers.  Everything here is static: each test is a program of its own. */
#ifndef UNIT_TRANSFORM_APPLY_H
#define UNIT_TRANSFORM_APPLY_H

#include <stdlib.h>
#include <strings.h>

#include "support.h"
#include "transform/mask.h"

#pragma GCC diagnostic ignored "-Wunused-function" /* no test needs all of them */

enum { DRAWS = 50 };

static struct random noise;
static uint8_t result_bytes[TRANSFORM_FIELD_BYTES + 1];

static const struct column text = {.name = "t", .base_type = "text", .kind = VALUE_TEXT};

static struct column
varchar(int length)
{
    return (struct column){
        .name = "v", .base_type = "varchar", .kind = VALUE_TEXT, .length_max = length};
}

static struct column
bpchar(int length)
{
    struct column column = varchar(length);
    column.base_type = "bpchar";
    column.blank_padded = true;
    return column;
}

static struct column
integer(int width)
{
    return (struct column){
        .name = "i", .base_type = "int", .kind = VALUE_INTEGER, .byte_width = width};
}

static struct column
numeric(int precision, int scale)
{
    return (struct column){.name = "n", .base_type = "numeric", .kind = VALUE_NUMERIC,
                           .precision = precision, .scale = scale};
}

static struct column
other(enum value_kind kind)
{
    return (struct column){.name = "o", .base_type = "o", .kind = kind, .byte_width = 4};
}

/* Bind with parameters written "key=value,key=value"; false: the column is refused. */
static bool
bind(struct mask *mask, struct settings *settings, const char *name, const char *key,
     const char *value, const struct column *column)
{
    struct text why = {0};
    enum transformer transformer = transformer_find(name);

    assert_int_not_equal(transformer, TRANSFORMERS_COUNT);
    *settings = settings_default();
    if (value != NULL)
        assert_true(settings_put(settings, transformer, key, value, &why));
    bool good = mask_init(mask, transformer, settings, column, &why);
    assert_int_equal(good, why.size == 0);
    text_free(&why);
    return good;
}

/* Apply once; the result is valid until the next call, and ends with a zero. */
static const char *
apply_bytes(const struct mask *mask, const void *data, size_t size, bool cut)
{
    struct result result = {.data = result_bytes};
    uint8_t *flush = malloc(size); /* so that the sanitizer sees a read too far */

    if (size > 0)
        memcpy(flush, data, size);
    mask_apply(mask, flush, size, cut, &noise, &result);
    free(flush);
    if (result.null)
        return NULL;
    assert_true(result.size <= TRANSFORM_FIELD_BYTES);
    result_bytes[result.size] = '\0';
    return (const char *) result_bytes;
}

static const char *
apply_with(const char *name, const char *key, const char *value, const struct column *column,
           const char *original)
{
    struct mask mask;
    struct settings settings;

    assert_true(bind(&mask, &settings, name, key, value, column));
    return apply_bytes(&mask, original, strlen(original), false);
}

static const char *
apply(const char *name, const struct column *column, const char *original)
{
    return apply_with(name, NULL, NULL, column, original);
}

static size_t
characters(const char *string)
{
    return utf8_characters((const uint8_t *) string, strlen(string));
}

static int
noise_setup(void **state)
{
    (void) state;
    random_init(&noise);
    return 0;
}

#endif
