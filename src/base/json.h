/* json - reading and writing of small JSON documents (RFC 8259): manifest, index, log lines.
 *
 * A document is read as a whole into an arena; numbers are kept as the text they were, so that
 * integers keep all 64 bits.  The reader takes UTF-8; it refuses trailing bytes, invalid UTF-8,
 * names of members with a zero byte, and nesting deeper than JSON_DEPTH_MAX.  An object that has a
 * name twice is refused, for what it says depends on who reads it; so is one of more than
 * JSON_MEMBERS_MAX members, or looking for such a pair would take too long.
 *
 * Names in PostgreSQL are bytes, and in a database with encoding SQL_ASCII or LATIN1 these bytes
 * need not be UTF-8.  json_add_bytes() writes each byte 0x80..0xff that belongs to no valid UTF-8
 * sequence as the lone low surrogate \udc80..\udcff, and the reader turns such an escape back into
 * its byte.  A lone surrogate outside of that range is refused.
 *
 * Limits: memory is the document's size and sizeof(struct json) per value, which may be 17 times
 * the size; json_memory() tells before any is taken, and who reads what others wrote asks it.
 * Threads: a document may be read by many threads once parsed. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/text.h"

enum {
    JSON_DEPTH_MAX = 32,
    JSON_MEMBERS_MAX = 100, /* of one object; ours and AWS' have at most twenty */
};

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/* A value; small, for there may be millions. */
struct json {
    enum json_type type;
    uint32_t size;    /* bytes of text (a string may hold \u0000); items of an array or object */
    const char *name; /* member's name when it stands in an object, else NULL */
    union {
        const char *text;   /* string, unescaped, zero-ended; or the number as written */
        struct json *first; /* first item of an array or object */
    };
    struct json *next; /* next sibling */
};

/* The most memory that json_parse() takes for a document, but for the rest of an arena's block.  It
 * is told by looking for commas and brackets alone; of what is no JSON it is more than is taken. */
uint64_t json_memory(const char *data, size_t size);

/* Read a whole document, below 4 GiB.  Returns NULL with the fault (ERR_INTEGRITY) naming byte
 * offset and cause; what is the document's name for that sentence.  The result does not point into
 * data. */
const struct json *json_parse(struct arena *arena, const char *data, size_t size, const char *what,
                              struct fault *fault);

/* The member of an object, or NULL when object is NULL, no object, or has no such member. */
const struct json *json_get(const struct json *object, const char *name);

/* The value as text, or fallback when it is missing, no string, or holds a zero byte. */
const char *json_get_text(const struct json *object, const char *name, const char *fallback);

/* The value as an unsigned integer.  False when missing, negative, fractional or over 64 bits. */
bool json_get_number(const struct json *object, const char *name, uint64_t *value);

/* The value as a boolean, or fallback when it is missing or no boolean. */
bool json_get_bool(const struct json *object, const char *name, bool fallback);

/* Add a string with its quotes; what tame.h calls wild is escaped; bytes that are no UTF-8 become
 * \ufffd.
 * For people: what was read back need not be what was written. */
void json_add_string(struct text *text, const char *string);

/* Add a document that json_parse() took, with what commands a terminal written as an escape.  That
 * can only stand in strings, so the document stays the same. */
void json_add_document(struct text *text, const char *data, size_t size);

/* Add a string with its quotes so that json_parse() gives back the same bytes, whichever. */
void json_add_bytes(struct text *text, const char *string);

#endif
