/* tame - words of others, made fit to stand in a line of ours.
 *
 * Names of tables, words of servers, values of variables and manifests come from outside.  Written
 * as they are, a newline in one begins a line that we never said, and an escape sequence commands
 * the terminal that shows it.  So whatever goes to a log, a table, a live line or the termination
 * log comes through here, and JSON asks the same question:
 *
 *     "a\nb"              a\nb          C0 and DEL
 *     "\x1b[2J"           \x1b[2J
 *     "\xc2\x9b"          \u009b        C1, which begins a sequence like ESC [
 *     "\xe2\x80\xa8"      \u2028        separators of lines and paragraphs
 *     "\xe2\x80\xae"      \u202e        what turns the direction of the text behind it
 *     "\xe9"              \xe9          no UTF-8
 *
 * It is for people: a backslash stays one, so what is shown need not be unambiguous.
 *
 * Life:   none.   Threads: any. */
#ifndef BASE_TAME_H
#define BASE_TAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum { TAME_BYTES_MAX = 6 }; /* of the longest escape, \u202e */

/* The character at `at`, which is before end: its bytes, 1..4, and its point.  0 when no valid
 * UTF-8 stands there (RFC 3629: no overlong forms, surrogates, or points above 10FFFF). */
size_t utf8_read(const char *at, const char *end, unsigned *point);

/* Whether a character commands who shows it, rather than being shown. */
bool point_is_wild(unsigned point);

/* Add words, zero-ended. */
void text_add_tame(struct text *text, const char *words);

/* The same into a buffer: as many whole characters as there is room for, and a zero.  Returns
 * whether all of them fitted. */
bool tame_copy(char *target, size_t target_size, const char *words);

#endif
