/* transformers - the table of transformers.def at work: lookup, parameters, binding to a column,
 * and the frame around every single apply function. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "transform/mask.h"

/* Draws until a result that happens to be the original is accepted: of ten choices, 10^-64. */
enum { DRAWS_MAX = 64 };

enum { FILL_BYTES = 16 }; /* one store */

enum { CARD_DIGITS = 16, DATE_CHARACTERS = 10, WIDTH_MAX = 255, DOMAIN_BYTES_MAX = 253 };

static const char *const kind_names[] = {
    [VALUE_OTHER] = "other",     [VALUE_TEXT] = "text",       [VALUE_INTEGER] = "integer",
    [VALUE_NUMERIC] = "numeric", [VALUE_FLOAT] = "float",     [VALUE_BOOLEAN] = "boolean",
    [VALUE_DATE] = "date",       [VALUE_TIMESTAMP] = "timestamp", [VALUE_UUID] = "uuid",
};

static bool
check_date(const struct mask *mask, struct text *why)
{
    if (mask->column->kind != VALUE_TEXT || mask->room >= DATE_CHARACTERS)
        return true;
    text_addf(why, "a date needs %d characters, the column holds %zu", DATE_CHARACTERS, mask->room);
    return false;
}

/* A kept domain was in the column before, so it fits; a given one must leave room for "x@". */
static bool
check_email(const struct mask *mask, struct text *why)
{
    const char *domain = mask->settings->domain;

    if (domain == NULL || strlen(domain) + 2 <= mask->room)
        return true;
    text_addf(why, "an address at %s needs %zu characters, the column holds %zu", domain,
              strlen(domain) + 2, mask->room);
    return false;
}

static bool
check_card(const struct mask *mask, struct text *why)
{
    const struct column *column = mask->column;
    bool fits = true;

    if (column->kind == VALUE_TEXT)
        fits = mask->room >= CARD_DIGITS;
    else if (column->kind == VALUE_INTEGER)
        fits = column->byte_width == 8;
    else if (column->precision > 0)
        fits = column->scale >= 0 && column->precision - column->scale >= CARD_DIGITS;
    if (!fits)
        text_addf(why, "it holds fewer than the %d digits of a card", CARD_DIGITS);
    return fits;
}

static bool
check_null(const struct mask *mask, struct text *why)
{
    if (mask->column->not_null)
        text_add(why, "it is declared NOT NULL");
    return !mask->column->not_null;
}

static bool
check_fixed(const struct mask *mask, struct text *why)
{
    return fixed_value_check(mask->column, mask->settings->value, why);
}

static void
apply_null(const struct mask *mask, const struct value *value, struct random *random,
           struct result *result)
{
    (void) mask, (void) value, (void) random;
    result->null = true;
}

static void
apply_fixed(const struct mask *mask, const struct value *value, struct random *random,
            struct result *result)
{
    (void) value, (void) random;
    result_add(result, mask->settings->value, strlen(mask->settings->value));
}

static void
apply_random(const struct mask *mask, const struct value *value, struct random *random,
             struct result *result)
{
    static mask_apply_fn *const by_kind[] = {
        [VALUE_OTHER] = NULL,
        [VALUE_TEXT] = mask_random_text,
        [VALUE_INTEGER] = mask_random_integer,
        [VALUE_NUMERIC] = mask_random_numeric,
        [VALUE_FLOAT] = mask_random_float,
        [VALUE_BOOLEAN] = mask_random_boolean,
        [VALUE_DATE] = mask_random_date,
        [VALUE_TIMESTAMP] = mask_random_date,
        [VALUE_UUID] = mask_random_uuid,
    };

    assert(by_kind[mask->column->kind] != NULL);
    by_kind[mask->column->kind](mask, value, random, result);
}

static void
apply_keep_first(const struct mask *mask, const struct value *value, struct random *random,
                 struct result *result)
{
    if (mask->column->kind == VALUE_TEXT)
        mask_keep_first_text(mask, value, random, result);
    else
        mask_keep_first_number(mask, value, random, result);
}

static const struct transformer_info infos[] = {
#define TRANSFORMER(id, name, parameters, serves, flags, check, apply, choices, sentence) \
    {name, parameters, serves, sentence},
#include "transform/transformers.def"
#undef TRANSFORMER
};

static const struct transformer_work {
    mask_check_fn *check; /* NULL: any column of its kinds will do */
    mask_apply_fn *apply; /* NULL: transient */
    mask_choices_fn *choices;
    unsigned flags;
} works[] = {
#define TRANSFORMER(id, name, parameters, serves, flags, check, apply, choices, sentence) \
    {check, apply, choices, flags},
#include "transform/transformers.def"
#undef TRANSFORMER
};

const struct transformer_info *
transformers_list(size_t *count)
{
    *count = TRANSFORMERS_COUNT;
    return infos;
}

const struct transformer_info *
transformer_info(enum transformer transformer)
{
    assert(transformer < TRANSFORMERS_COUNT);
    return &infos[transformer];
}

bool
transformer_has(enum transformer transformer, enum transformer_flag flag)
{
    assert(transformer < TRANSFORMERS_COUNT);
    return (works[transformer].flags & flag) != 0;
}

enum transformer
transformer_find(const char *name)
{
    enum transformer found = 0;

    while (found < TRANSFORMERS_COUNT && strcmp(infos[found].name, name) != 0)
        found++;
    return found;
}

const char *
value_kind_name(enum value_kind kind)
{
    assert((size_t) kind < sizeof kind_names / sizeof *kind_names);
    return kind_names[kind];
}

/* The list that people read is the one that counts. */
bool
transformer_serves(enum transformer transformer, enum value_kind kind)
{
    const char *at = transformer_info(transformer)->serves, *name = value_kind_name(kind);
    size_t size = strlen(name);

    if (strcmp(at, "any") == 0)
        return true;
    for (; *at != '\0'; at += strspn(at, ", ")) {
        size_t word = strcspn(at, ",");
        if (word == size && memcmp(at, name, size) == 0)
            return true;
        at += word;
    }
    return false;
}

struct settings
settings_default(void)
{
    return (struct settings){.character = '*', .width = 10};
}

static bool
put_domain(struct settings *settings, const char *value, struct text *why)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    size_t size = strlen(value);

    settings->domain_keep = strcmp(value, "keep") == 0;
    if (settings->domain_keep)
        return true;
    settings->domain = value;
    if (size > 0 && size <= DOMAIN_BYTES_MAX && strspn(value, allowed) == size && value[0] != '.')
        return true;
    text_add(why, "domain is keep, or a name of letters, digits, dots and hyphens");
    return false;
}

/* A blank would be lost in a column of type char(n). */
static bool
put_character(struct settings *settings, const char *value, struct text *why)
{
    settings->character = value[0];
    if (value[0] > ' ' && value[0] <= '~' && value[1] == '\0')
        return true;
    text_add(why, "character is one visible ASCII character");
    return false;
}

static bool
put_width(struct settings *settings, const char *value, struct text *why)
{
    size_t size = strlen(value);
    bool number = size > 0 && size <= 3 && strspn(value, "0123456789") == size;

    settings->width = number ? (unsigned) strtoul(value, NULL, 10) : 0;
    if (number && settings->width <= WIDTH_MAX)
        return true;
    text_addf(why, "width is a number from 0 to %d", WIDTH_MAX);
    return false;
}

static bool
put_value(struct settings *settings, const char *value, struct text *why)
{
    settings->value = value;
    if (strlen(value) <= TRANSFORM_FIELD_BYTES)
        return true;
    text_addf(why, "a fixed value has at most %d bytes", TRANSFORM_FIELD_BYTES);
    return false;
}

static const struct parameter {
    enum transformer transformer;
    const char *key;
    bool alone; /* may be given without its name, and must be given */
    bool (*put)(struct settings *, const char *value, struct text *why);
} parameters[] = {
    {TRANSFORMER_email, "domain", false, put_domain},
    {TRANSFORMER_redacted, "character", false, put_character},
    {TRANSFORMER_redacted, "width", false, put_width},
    {TRANSFORMER_fixed, "value", true, put_value},
};

bool
settings_put(struct settings *settings, enum transformer transformer, const char *key,
             const char *value, struct text *why)
{
    const struct transformer_info *info = transformer_info(transformer);

    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        const struct parameter *parameter = &parameters[i];
        if (parameter->transformer != transformer)
            continue;
        if (key == NULL ? !parameter->alone : strcmp(parameter->key, key) != 0)
            continue;
        if (settings->given & 1u << i) {
            text_addf(why, "%s is given twice; a comma stands in quotes", parameter->key);
            return false;
        }
        settings->given |= 1u << i;
        return parameter->put(settings, value, why);
    }
    if (info->parameters[0] == '\0')
        text_addf(why, "%s takes no parameters", info->name);
    else if (transformer == TRANSFORMER_fixed)
        text_add(why, "a value that holds = stands in quotes, as in fixed('a=b')");
    else if (key == NULL)
        text_addf(why, "a parameter of %s is given by its name: %s", info->name, info->parameters);
    else
        text_addf(why, "%s has no parameter %s, but: %s", info->name, key, info->parameters);
    return false;
}

bool
settings_complete(const struct settings *settings, enum transformer transformer, struct text *why)
{
    if (transformer != TRANSFORMER_fixed || settings->value != NULL)
        return true;
    text_add(why, "fixed needs its value, as in fixed(x); fixed('') is the empty text");
    return false;
}

bool
mask_init(struct mask *mask, enum transformer transformer, const struct settings *settings,
          const struct column *column, struct text *why)
{
    const struct transformer_info *info = transformer_info(transformer);
    size_t length = column->length_max > 0 ? (size_t) column->length_max : TRANSFORM_FIELD_BYTES;

    *mask = (struct mask){.transformer = transformer, .settings = settings, .column = column};
    mask->room = length < TRANSFORM_FIELD_BYTES ? length : TRANSFORM_FIELD_BYTES;
    mask->choices = first_names_fitting(mask->room);
    if (!transformer_serves(transformer, column->kind)) {
        text_addf(why, "%s serves only: %s", info->name, info->serves);
        return false;
    }
    return works[transformer].check == NULL || works[transformer].check(mask, why);
}

const char *
mask_name(const struct mask *mask)
{
    return transformer_info(mask->transformer)->name;
}

void
result_fill(struct result *result, char byte, size_t count)
{
    size_t room = TRANSFORM_FIELD_BYTES - result->size;

    assert(count <= room);
    if (count <= FILL_BYTES && FILL_BYTES <= room)
        memset(result->data + result->size, byte, FILL_BYTES); /* over the end: no call */
    else
        memset(result->data + result->size, byte, count);
    result->size += count;
}

static bool
texts_same(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    if (a_size != b_size)
        return false;
    for (size_t i = 0; i < a_size; i++) {
        uint8_t x = a[i] >= 'A' && a[i] <= 'Z' ? a[i] + 32 : a[i];
        uint8_t y = b[i] >= 'A' && b[i] <= 'Z' ? b[i] + 32 : b[i];
        if (x != y)
            return false;
    }
    return true;
}

/* A name in other letters' case is the same name, and 5.00 is 5. */
static bool
result_same(const struct mask *mask, const struct value *value, const struct result *result)
{
    enum value_kind kind = mask->column->kind;

    if (value->cut || result->null)
        return false;
    if (kind == VALUE_NUMERIC || kind == VALUE_FLOAT)
        return numbers_same(value->data, value->size, result->data, result->size);
    return texts_same(value->data, value->size, result->data, result->size);
}

static struct value
value_of(const struct mask *mask, const uint8_t *data, size_t size, bool cut)
{
    struct value value = {.data = data, .size = size, .cut = cut};

    /* char(n) comes padded to its length. */
    while (mask->column->blank_padded && !cut && value.size > 0 && data[value.size - 1] == ' ')
        value.size--;
    if (utf8_is_ascii(data, value.size)) {
        value.utf8 = true;
        value.characters = value.size;
        return value;
    }
    if (mask->column->other_encoding) {
        value.characters = value.size;
        return value;
    }
    size_t valid = utf8_valid_size(data, value.size);
    value.utf8 = valid == value.size || (cut && value.size - valid < 4);
    if (value.utf8)
        value.size = valid;
    value.characters = value.utf8 ? utf8_characters(data, value.size) : value.size;
    return value;
}

void
mask_apply(const struct mask *mask, const uint8_t *data, size_t size, bool cut,
           struct random *random, struct result *result)
{
    const struct transformer_work *work = &works[mask->transformer];
    struct value value = {0};

    assert(work->apply != NULL);
    assert(size <= TRANSFORM_FIELD_BYTES);
    result->size = 0;
    result->null = false;
    if (work->flags & SEES)
        value = value_of(mask, data, size, cut);
    if (mask->column->kind == VALUE_TEXT && value.size == 0 && work->flags & KEEPS_EMPTY)
        return;

    bool differs = work->flags & DIFFERS && mask->column->kind != VALUE_BOOLEAN;
    for (unsigned draws = 0; draws < DRAWS_MAX; draws++) {
        result->size = 0;
        work->apply(mask, &value, random, result);
        if (!differs || !result_same(mask, &value, result))
            break;
    }
}

double
mask_choices(const struct mask *mask, const uint8_t *data, size_t size, bool cut,
             struct kept *kept)
{
    const struct transformer_work *work = &works[mask->transformer];
    struct value value = {0};

    assert(size <= TRANSFORM_FIELD_BYTES);
    *kept = (struct kept){0};
    if (work->flags & SEES)
        value = value_of(mask, data, size, cut);
    if (mask->column->kind == VALUE_TEXT && value.size == 0 && work->flags & KEEPS_EMPTY)
        return 1;
    return work->choices(mask, &value, kept);
}
