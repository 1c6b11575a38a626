/* s3_body - see s3_body.h. */
#include "s3/s3_body.h"

#include <assert.h>
#include <bearssl.h>
#include <stdint.h>

#include "s3/crc32c.h"

/* RFC 4648 section 4, padded: stores refuse a checksum without its '='. */
static void
base64_write(char *text, size_t text_size, const uint8_t *data, size_t size)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    assert(text_size > (size + 2) / 3 * 4);
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t) data[i] << 16 | (left > 1 ? (uint32_t) data[i + 1] << 8 : 0) |
                        (left > 2 ? data[i + 2] : 0);
        *text++ = digits[bits >> 18];
        *text++ = digits[bits >> 12 & 63];
        *text++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *text++ = left > 2 ? digits[bits & 63] : '=';
    }
    *text = '\0';
}

void
s3_body_init(struct s3_body *body, const void *data, size_t size)
{
    *body = (struct s3_body){.data = data, .size = size};
    sigv4_hash(body->sha256, data, size);
}

void
s3_body_crc32c(struct s3_body *body)
{
    if (body->crc32c[0] != '\0')
        return;
    uint32_t crc = crc32c(body->data, body->size);
    uint8_t bytes[4] = {(uint8_t) (crc >> 24), (uint8_t) (crc >> 16), (uint8_t) (crc >> 8),
                        (uint8_t) crc};
    base64_write(body->crc32c, sizeof body->crc32c, bytes, sizeof bytes);
}

void
s3_body_md5(struct s3_body *body)
{
    br_md5_context md5;
    uint8_t digest[br_md5_SIZE];

    if (body->md5[0] != '\0')
        return;
    br_md5_init(&md5);
    br_md5_update(&md5, body->data, body->size);
    br_md5_out(&md5, digest);
    base64_write(body->md5, sizeof body->md5, digest, sizeof digest);
}
