/* text - a growing piece of text for the control plane: SQL, JSON, messages.
 *
 * Life:   a zeroed struct text is empty; text_free() returns the memory.
 * Limits: grows with what is added; running out ends the process.  data is zero-ended whenever size
 *         > 0; text_of() gives "" for an empty one.
 * Threads: one at a time. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

struct text {
    char *data;
    size_t size, capacity;
};

void text_add_bytes(struct text *text, const void *bytes, size_t size);
void text_add(struct text *text, const char *string);
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Add an SQL identifier, always in double quotes, inner ones doubled. */
void text_add_name(struct text *text, const char *name);

/* Add "schema"."name". */
void text_add_name_pair(struct text *text, const char *schema, const char *name);

/* Add an SQL string literal E'…' that holds under any standard_conforming_strings. */
void text_add_literal(struct text *text, const char *value);

/* The text as a C string; valid until the next change. */
const char *text_of(const struct text *text);

/* Make it empty again, keeping the memory. */
void text_clear(struct text *text);
void text_free(struct text *text);

/* What makes a word of a count one of several: "s", or "" behind 1, as in "%zu table%s". */
const char *text_plural(unsigned long long count);

/* Write a byte count for people: "0 B", "999 B", "1.5 KiB", "120 GiB".  buffer holds 16 bytes. */
const char *text_bytes(char buffer[static 16], unsigned long long bytes);

#endif
