/* s3_body - a request's body and its digests, reckoned once for all attempts to send it.
 *
 * Threads: one at a time. */
#ifndef S3_S3_BODY_H
#define S3_S3_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "s3/sigv4.h"

struct s3_body {
    const void *data;
    size_t size;
    char sha256[SIGV4_HASH_TEXT];
    char crc32c[12]; /* base64 of the big-endian checksum, or "" */
    char md5[28];    /* base64, or "" */
};

/* Begin with the SHA-256 that every request carries; data is the caller's, and stays. */
void s3_body_init(struct s3_body *body, const void *data, size_t size);

/* The others, where they are asked for; a second time costs nothing. */
void s3_body_crc32c(struct s3_body *body);
void s3_body_md5(struct s3_body *body);

#endif
