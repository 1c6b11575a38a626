/* s3_client - what the files of the client share: the client itself.  See s3.h.
 *
 * One lock guards the few things that calls change; nothing waits under it.  Places are never
 * removed, so a call keeps the one it began with, and so does an idle connection. */
#ifndef S3_S3_CLIENT_H
#define S3_S3_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/random.h"
#include "s3/endpoint.h"
#include "s3/pool.h"
#include "s3/retry.h"
#include "s3/s3.h"
#include "s3/sigv4.h"

/* A bucket is in one region; more moves than this are two stores that point at each other. */
enum { S3_PLACES_MAX = 8 };

struct s3 {
    struct s3_config config;
    struct arena arena;   /* what config points to */
    struct stop *stop;
    struct stop unheard;  /* never thrown: for those who tidy up after the other was */
    struct trust *trust;
    struct credentials *credentials;
    struct pool pool;
    bool checksums;       /* CRC32C goes along */

    pthread_mutex_t lock; /* of the next five */
    struct endpoint places[S3_PLACES_MAX];
    unsigned places_count; /* the last one holds */
    struct sigv4_key key;
    struct retry_bucket bucket;
    struct random random;

    _Atomic int64_t skew_ms;        /* what to add to our clock to have the store's */
    _Atomic int64_t server_ms;      /* the store's epoch when clock_ms() was 0; 0 for unknown */
    _Atomic uint64_t tidy_until_ms; /* of clock_ms(); 0 until the switch was found thrown */
    atomic_bool answered;           /* the store has said something at least once */
    atomic_bool admitted;           /* it has taken our keys at least once */
    atomic_bool md5_wanted;         /* it wants Content-MD5 with bodies */
    atomic_bool expect_refused;     /* it does not know Expect: 100-continue, and says so (417) */
    atomic_bool batches_refused;    /* it does not know DeleteObjects */
};

/* Where the bucket is, as far as is known. */
const struct endpoint *s3_place(struct s3 *s3);

/* The bucket is said to be in another region than from.  False when that cannot be followed. */
bool s3_place_move(struct s3 *s3, const struct endpoint *from, const char *region);

#endif
