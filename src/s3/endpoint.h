/* endpoint - to which host a bucket's requests go, and with which path.
 *
 *     virtual host   https://bucket.s3.eu-west-1.amazonaws.com/key     Amazon, plain bucket names
 *     path           https://minio:9000/bucket/key                     everything else
 *
 * Amazon's own host is built from the region, so it moves when the store names another one; a host
 * that the user has given stays, and only the signature's region moves.  A region that comes from
 * an answer is checked before it becomes a part of a host name: nobody but Amazon shall be reached
 * by it.
 *
 * Life:   endpoint_init, or endpoint_move from another; nothing to free.
 * Threads: read-only once made. */
#ifndef S3_ENDPOINT_H
#define S3_ENDPOINT_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/text.h"
#include "net/url.h"
#include "s3/s3.h"

enum {
    ENDPOINT_BUCKET_MAX = 64, /* S3: 3 .. 63 bytes */
    ENDPOINT_REGION_MAX = 64, /* a label of a host name */
};

struct endpoint {
    struct url url;                   /* host and port to connect to; path before the bucket's */
    char host[URL_HOST_MAX + 16];     /* the Host header */
    char bucket[ENDPOINT_BUCKET_MAX], region[ENDPOINT_REGION_MAX];
    char text[URL_PATH_MAX + URL_HOST_MAX + ENDPOINT_BUCKET_MAX + 32]; /* for people */
    bool amazon;                      /* one of Amazon's own */
    bool regional;                    /* its host is built from the region */
    bool path_style, dualstack, fips;
};

/* ERR_CONFIG names the variable that is wrong. */
bool endpoint_init(struct endpoint *endpoint, const struct s3_config *config, struct fault *fault);

/* Make the endpoint of another region.  False when that is no region, or the same one. */
bool endpoint_move(struct endpoint *to, const struct endpoint *from, const char *region);

/* Add the path of a key, not encoded; of the bucket itself for "". */
void endpoint_path(const struct endpoint *endpoint, const char *key, struct text *path);

/* Whether a text can be the name of an Amazon region: letters, digits and inner hyphens, not all of
 * them digits, at most 63. */
bool endpoint_region_valid(const char *region);

#endif
