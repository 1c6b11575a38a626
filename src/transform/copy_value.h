/* copy_value - one value of COPY's text format and back (see the manual on COPY, "Text Format").
 *
 *     \b \f \n \r \t \v   those bytes      \\         a backslash
 *     \1 \12 \123         octal            \x1 \x12   hexadecimal
 *     \ and another       that one         \N alone   NULL, no value at all
 *
 * Threads: any. */
#ifndef TRANSFORM_COPY_VALUE_H
#define TRANSFORM_COPY_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool copy_value_is_null(const uint8_t *data, size_t size);

/* Whether the value stands for itself: no escape in it. */
bool copy_value_is_plain(const uint8_t *data, size_t size);

/* Unescape in place; returns the new size, never more than the old.  An escape without its end -
 * the value was cut there - is dropped. */
size_t copy_value_read(uint8_t *data, size_t size, bool cut);

/* Escape into target, which has room for twice the size and does not overlap; returns the size. */
size_t copy_value_write(const uint8_t *data, size_t size, uint8_t *target);

#endif
