/* s3_page - one page of a listing, as the store wrote it, added to what came before: no I/O.
 *
 * Keys that are no valid XML come through because they are asked for URL-encoded; a store that does
 * not echo <EncodingType> has not encoded them.  What does not begin with the prefix that was asked
 * for is passed over, and takes no memory: there are stores that do not look at it, and whoever
 * asked is about to delete or abort what is listed.
 *
 * Threads: one at a time. */
#ifndef S3_S3_PAGE_H
#define S3_S3_PAGE_H

#include "base/text.h"
#include "s3/s3.h"

/* What the pages of ListObjectsV2 are made into. */
struct s3_keys {
    const char *prefix;
    struct arena *arena;
    struct s3_listing *listing;
    size_t entries_capacity, prefixes_capacity;
    struct text key;   /* the last that was read */
    struct text token; /* of the next page */
    bool more;         /* there is one */
};

/* What the pages of ListMultipartUploads are made into. */
struct s3_uploads {
    const char *prefix;
    struct arena *arena;
    struct s3_pending *pending;
    size_t count, capacity;
    struct text key, id;           /* the last that were read */
    struct text next_key, next_id; /* markers of the next page */
    bool more;
};

/* Add a page that is known to be whole. */
void s3_keys_read(struct s3_keys *keys, const struct text *page);
void s3_uploads_read(struct s3_uploads *uploads, const struct text *page);

/* Free all but what stands in the arena. */
void s3_keys_free(struct s3_keys *keys);
void s3_uploads_free(struct s3_uploads *uploads);

#endif
