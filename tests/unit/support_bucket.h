/* support_bucket - a bucket in memory behind a small S3 server on loopback: real requests of the
 * real client, with sanitizers on both ends.  It checks no signature; tests/live/strict_s3.py does.
 *
 *     bucket_begin(&bucket) ── store_open(bucket.url, &bucket.config, …) ── bucket_end(&bucket)
 *
 * What is to fail is said by the fields below, before or between requests.  Mistakes of the client
 * end the program, since cmocka's assertions cannot go into the server's threads. */
#ifndef UNIT_SUPPORT_BUCKET_H
#define UNIT_SUPPORT_BUCKET_H

#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/stop.h"
#include "s3/s3.h"

enum { BUCKET_CONNECTIONS_MAX = 256, BUCKET_PARTS_MAX = 64 };

struct bucket {
    char url[64], endpoint[64];  /* s3://bucket/team/shop */
    struct s3_config config;
    struct stop stop;

    bool conditions;             /* If-Match is honoured; otherwise it is not looked at */
    bool etags_change;           /* somebody between changes etags on their way */
    bool uploads_unlisted;       /* 501 to who lists uploads */
    atomic_int deny_put, deny_part, deny_abort, deny_list; /* 403 to the nth from now on; 0: none */
    uint64_t age_ms;             /* everything that is there, and will be, is so much older */
    void (*before)(struct bucket *, const char *method, const char *name); /* of each request */
    void *context;

    atomic_uint puts, parts, parts_now, parts_at_once, completes, aborts, deletes;
    size_t sizes[BUCKET_PARTS_MAX]; /* of the parts of the upload that was completed last */
    size_t sizes_count;

    pthread_mutex_t lock;        /* of all below */
    struct bucket_object *objects;
    struct bucket_upload *uploads;
    unsigned etags, ids;
    int listener;
    pthread_t acceptor;
    pthread_t threads[BUCKET_CONNECTIONS_MAX];
    int fds[BUCKET_CONNECTIONS_MAX];
    unsigned connections;
};

void bucket_begin(struct bucket *bucket);
void bucket_end(struct bucket *bucket);

/* Whether there is an object "team/shop/<name>", and its bytes. */
bool bucket_has(struct bucket *bucket, const char *name);
struct bytes bucket_read(struct bucket *bucket, const char *name);

/* Put one, or begin an upload, by another hand. */
void bucket_put(struct bucket *bucket, const char *name, const char *data);
void bucket_upload(struct bucket *bucket, const char *name);

/* How many names begin so; and unfinished uploads. */
size_t bucket_count(struct bucket *bucket, const char *prefix);
size_t bucket_uploads(struct bucket *bucket);

#endif
