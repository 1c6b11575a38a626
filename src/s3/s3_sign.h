/* s3_sign - a call as it goes on the wire: target, headers, signature; made anew for each attempt.
 *
 * Life:   s3_sign; the request; s3_signed_free.  call, place and keys must outlive it. */
#ifndef S3_S3_SIGN_H
#define S3_S3_SIGN_H

#include "s3/s3_request.h"

struct s3_signed {
    struct text target, path, authorization;
    char date[SIGV4_DATE_TEXT];
    struct sigv4_field fields[SIGV4_FIELDS_MAX]; /* the headers that are signed */
    size_t fields_count;
    struct http_header headers[SIGV4_FIELDS_MAX + 2];
    size_t headers_count;
};

void s3_sign(struct s3_signed *made, struct s3 *s3, const struct s3_call *call,
             const struct endpoint *place, const struct credential *keys);
void s3_signed_free(struct s3_signed *made);

#endif
