/* s3_store - a store in a bucket: one S3 object per object.
 *
 *     <prefix>/index.json                                 If-Match, where the store honours it
 *     <prefix>/dump-1653170039392/claim-5f0c….json        who is writing; goes when the run ends
 *     <prefix>/dump-1653170039392/1.sql.zst
 *
 *     s3_store.c    the driver: names to keys, small objects, listings
 *     s3_writer.c   an object on its way, in parts beside each other
 *     s3_take.c     names that no two runs share
 *     s3_sweep.c    uploads that nobody will finish
 *
 * What it asks of a store is that a listing shows every PUT that was answered before (Amazon S3
 * since 2020, and all others that are known).  Claims are no objects to list() and exists().
 *
 * Life, limits, threads: as in store.h. */
#ifndef STORE_S3_STORE_H
#define STORE_S3_STORE_H

#include <pthread.h>

#include "s3/s3.h"
#include "store/store.h"

struct s3_store {
    struct store store;
    struct s3 *s3;
    char *prefix;               /* "" or with a slash at its end */
    pthread_mutex_t lock;       /* of all below; a leaf */
    struct s3_writer *idle;     /* writers between two objects */
    struct s3_taken *taken;     /* directories that are ours until close() */
    bool littered;              /* an upload may be left: our claims stay, for a sweep to read */
    bool unlisted;              /* we may not, or cannot, list uploads */
    enum { CONDITIONS_UNKNOWN, CONDITIONS_HONOURED, CONDITIONS_IGNORED } conditions;
    char refused[STORE_VERSION_MAX]; /* the version that was last refused */
};

/* config's bucket is not looked at: the URL names it. */
struct store *s3_store_open(const char *url, const struct s3_config *config, struct stop *stop,
                            struct fault *fault);

/* Write an object's key. */
const char *s3_store_key(const struct s3_store *store, const char *name,
                         char key[static S3_KEY_MAX + 1]);

/* The part of a key behind the prefix. */
const char *s3_store_name(const struct s3_store *store, const char *key);

#endif
