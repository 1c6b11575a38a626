/* mask - a transformer bound to one column, and what it does to one value.
 *
 * Private to transform/.  transformers.def is the table of all transformers; from it come this
 * enum, the reference that `replica transformers` prints, the parser of parameters and the
 * functions below.
 *
 *     COPY text ─copy_value_read─▶ bytes ─mask_apply─▶ bytes or NULL ─copy_value_write─▶ COPY text
 *
 * Threads: a mask is read-only once bound; any number of threads. */
#ifndef TRANSFORM_MASK_H
#define TRANSFORM_MASK_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/copy.h"
#include "base/random.h"
#include "base/text.h"
#include "pg/catalog.h"
#include "transform/transform.h"

enum transformer {
#define TRANSFORMER(id, ...) TRANSFORMER_##id,
#include "transform/transformers.def"
#undef TRANSFORMER
    TRANSFORMERS_COUNT
};

/* What is true of a transformer whatever its column and parameters are. */
enum transformer_flag {
    SEES = 1,        /* the result depends on the value, or has to differ from it */
    KEEPS_EMPTY = 2, /* an empty text stays empty */
    DIFFERS = 4,     /* drawn again when a result happens to be the original */
    FUNCTION = 8,    /* deterministic by itself: equal values have equal results, in every column of
                        one type and with the same parameters */
    UNIQUE = 16,     /* it draws from so many that results may be told to be unique */
};

/* The parameters of a rule; each transformer reads its own. */
struct settings {
    const char *domain;  /* email: NULL = example.com */
    bool domain_keep;    /* email */
    char character;      /* redacted */
    unsigned width;      /* redacted, 0..255 */
    const char *value;   /* fixed; NULL = not given */
    unsigned given;      /* a bit for each parameter that the rule has */
};

struct mask {
    enum transformer transformer;
    const struct settings *settings;
    const struct column *column;
    size_t room;    /* characters of the longest result: by the column or TRANSFORM_FIELD_BYTES */
    size_t choices; /* first-name: how many names fit */
    unsigned line;  /* the rule it comes from, for sentences */
    const char *written;
};

/* A value that is not NULL, unescaped. */
struct value {
    const uint8_t *data;
    size_t size;
    bool cut;          /* there was more of it */
    bool utf8;         /* data is valid UTF-8 as a whole, and the column's encoding that or none */
    size_t characters; /* of data; its bytes when it is not utf8 */
};

/* Where a transformer writes; data has room for TRANSFORM_FIELD_BYTES. */
struct result {
    uint8_t *data;
    size_t size;
    bool null;
};

typedef void mask_apply_fn(const struct mask *, const struct value *, struct random *,
                           struct result *);

/* What of a value stays in all of its results, and so tells values apart. */
struct kept {
    const uint8_t *data; /* bytes of it */
    size_t size;
    size_t shape;        /* of a number: its sign, and digits before and behind the point */
    bool others;         /* seldom, there are results that choices does not count */
};

/* How many results are possible for one value, all about as likely; 1: always the same.  kept comes
 * zeroed. */
typedef double mask_choices_fn(const struct mask *, const struct value *, struct kept *kept);

/* What is wrong with this column for the mask, beyond its kind: adds a sentence to why. */
typedef bool mask_check_fn(const struct mask *mask, struct text *why);

/* Find a transformer by name; TRANSFORMERS_COUNT when there is none. */
enum transformer transformer_find(const char *name);
const struct transformer_info *transformer_info(enum transformer transformer);

bool transformer_has(enum transformer transformer, enum transformer_flag flag);

/* Whether it takes values of a kind. */
bool transformer_serves(enum transformer transformer, enum value_kind kind);
const char *value_kind_name(enum value_kind kind);

/* Put the parameters' defaults. */
struct settings settings_default(void);

/* Set one parameter; key NULL is the value without a name.  False: why holds the sentence. */
bool settings_put(struct settings *settings, enum transformer transformer, const char *key,
                  const char *value, struct text *why);

/* Whether all that must be given is; false: why holds the sentence. */
bool settings_complete(const struct settings *settings, enum transformer transformer,
                       struct text *why);

/* Bind to a column.  False when the transformer cannot serve it: why holds the sentence. */
bool mask_init(struct mask *mask, enum transformer transformer, const struct settings *settings,
               const struct column *column, struct text *why);

/* Make the result for one value.  size <= TRANSFORM_FIELD_BYTES; cut tells that there was more. */
void mask_apply(const struct mask *mask, const uint8_t *data, size_t size, bool cut,
                struct random *random, struct result *result);

/* How many results mask_apply may make of this value, as mask_choices_fn says. */
double mask_choices(const struct mask *mask, const uint8_t *data, size_t size, bool cut,
                    struct kept *kept);

/* Add bytes to a result; what does not fit is our own mistake. */
static inline void
result_add(struct result *result, const void *bytes, size_t size)
{
    assert(size <= TRANSFORM_FIELD_BYTES - result->size);
    copy_small(result->data + result->size, bytes, size);
    result->size += size;
}

static inline void
result_put(struct result *result, char byte)
{
    assert(result->size < TRANSFORM_FIELD_BYTES);
    result->data[result->size++] = (uint8_t) byte;
}

/* Add count times one byte. */
void result_fill(struct result *result, char byte, size_t count);

/* mask_text.c */
mask_apply_fn mask_random_text, mask_first_name, mask_email, mask_keep_first_text;
mask_apply_fn mask_phone_number, mask_redacted;
size_t first_names_fitting(size_t room);

/* Where the domain of an address begins, of those that email(domain=keep) keeps with this much
 * room; false: it gets another.  local receives the count of characters before the @, 0: there is
 * no @. */
bool mask_email_parts(const struct mask *mask, const struct value *value, const uint8_t **domain,
                      size_t *domain_size, size_t *local);

/* mask_choices.c */
mask_choices_fn choices_one, choices_random, choices_date, choices_first_name, choices_email;
mask_choices_fn choices_keep_first, choices_phone, choices_card;

/* mask_number.c */
mask_apply_fn mask_random_integer, mask_random_numeric, mask_random_float, mask_random_boolean;
mask_apply_fn mask_keep_first_number, mask_credit_card;

/* Whether two numbers as PostgreSQL writes them are the same; without exponents. */
bool numbers_same(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size);

/* mask_time.c */
mask_apply_fn mask_random_date, mask_random_uuid;

/* Days of a month 1..12. */
unsigned month_days(unsigned year, unsigned month);

/* fixed_value.c: whether the column would take the value, as far as can be told without the
 * server; of VALUE_OTHER it says yes, and fixed_values_ask() has the last word. */
bool fixed_value_check(const struct column *column, const char *value, struct text *why);

/* utf8 - the few questions we ask.  A cut text may end inside a character, which then does not
 * count. */
bool utf8_is_ascii(const uint8_t *data, size_t size);
size_t utf8_valid_size(const uint8_t *data, size_t size); /* bytes of the longest valid beginning */
size_t utf8_characters(const uint8_t *data, size_t size);
size_t utf8_prefix(const uint8_t *data, size_t size, size_t characters); /* bytes of the first n */

#endif
