/* text - see text.h. */
#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

static void
text_reserve(struct text *text, size_t more)
{
    size_t wanted;
    if (__builtin_add_overflow(text->size, more, &wanted) || wanted >= SIZE_MAX / 2)
        memory_exhausted(more);
    wanted++;
    if (wanted <= text->capacity)
        return;

    size_t capacity = text->capacity < 128 ? 256 : text->capacity * 2;
    if (capacity < wanted)
        capacity = wanted;
    char *data = realloc(text->data, capacity);
    if (data == NULL)
        memory_exhausted(capacity);
    text->data = data;
    text->capacity = capacity;
}

void
text_add_bytes(struct text *text, const void *bytes, size_t size)
{
    text_reserve(text, size);
    if (size > 0)
        memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void
text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void
text_addf(struct text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    assert(length >= 0);
    text_reserve(text, (size_t) length);
    vsnprintf(text->data + text->size, (size_t) length + 1, format, again);
    text->size += (size_t) length;
    va_end(again);
    va_end(args);
}

void
text_add_name(struct text *text, const char *name)
{
    text_add(text, "\"");
    for (const char *at = name; *at != '\0'; at++)
        text_add_bytes(text, *at == '"' ? "\"\"" : at, *at == '"' ? 2 : 1);
    text_add(text, "\"");
}

void
text_add_name_pair(struct text *text, const char *schema, const char *name)
{
    text_add_name(text, schema);
    text_add(text, ".");
    text_add_name(text, name);
}

void
text_add_literal(struct text *text, const char *value)
{
    text_add(text, "E'");
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\'' || *at == '\\')
            text_add_bytes(text, at, 1);
        text_add_bytes(text, at, 1);
    }
    text_add(text, "'");
}

const char *
text_of(const struct text *text)
{
    return text->data == NULL ? "" : text->data;
}

void
text_clear(struct text *text)
{
    text->size = 0;
    if (text->data != NULL)
        text->data[0] = '\0';
}

void
text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

const char *
text_plural(unsigned long long count)
{
    return count == 1 ? "" : "s";
}

const char *
text_bytes(char buffer[static 16], unsigned long long bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double) bytes;
    size_t unit = 0;

    /* 1023.5 would be rounded to 1024 of a unit. */
    while (value >= 1023.5 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    snprintf(buffer, 16, unit == 0 || value >= 99.95 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return buffer;
}
