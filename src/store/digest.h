/* digest - a SHA-256 as text: 64 lowercase hexadecimal digits.  Threads: any. */
#ifndef STORE_DIGEST_H
#define STORE_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

enum { DIGEST_TEXT_MAX = 65 };

/* Write a digest as text.  Returns text. */
const char *digest_text(char text[static DIGEST_TEXT_MAX], const uint8_t digest[static 32]);

/* Read exactly 64 lowercase digits.  False when text is anything else. */
bool digest_read(const char *text, uint8_t digest[static 32]);

#endif
