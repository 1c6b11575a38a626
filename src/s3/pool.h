/* pool - connections to the store: idle ones are kept for the next request.
 *
 * A connection serves one place (endpoint), one stop switch and one patience; another need takes
 * another connection.  TLS sessions are resumed: what the last handshake agreed on is the seed of
 * the next one.
 *
 * Life:   pool_init; pool_take, use http, pool_give or pool_drop; pool_free when all are back.
 * Limits: POOL_IDLE_MAX idle ones; those in use are as many as there are threads.
 * Threads: any; one lock, a leaf.  A connection that is taken is one thread's. */
#ifndef S3_POOL_H
#define S3_POOL_H

#include <pthread.h>
#include <stdbool.h>

#include "base/stop.h"
#include "net/http.h"
#include "s3/endpoint.h"

enum {
    POOL_IDLE_MAX = 16,
    POOL_CONNECT_MS = 10 * 1000,
};

struct pool_wish {
    const struct endpoint *place; /* outlives the pool */
    struct stop *stop;
    unsigned idle_ms;             /* how long the store may be silent */
    bool fresh;                   /* none that was used before */
};

struct pool_connection {
    struct http *http;
    struct pool_wish wish;
    struct stream_config config;
    struct tls_config tls;
    struct tls_resume resume;
    unsigned requests; /* made so far */
    struct pool_connection *next;
};

struct pool {
    pthread_mutex_t lock;
    struct pool_connection *idle; /* the last one used first: it is the least stale */
    unsigned idle_count;
    const struct trust *trust;
    const struct endpoint *place; /* the only one whose connections are kept; NULL: any */
    const struct endpoint *seed_place;
    struct tls_resume seed;
};

void pool_init(struct pool *pool, const struct trust *trust);
struct pool_connection *pool_take(struct pool *pool, const struct pool_wish *wish);

/* Give back a connection that http_keep() has found fit for another request. */
void pool_give(struct pool *pool, struct pool_connection *connection);

/* Close a connection that is not.  NULL is allowed. */
void pool_drop(struct pool_connection *connection);

/* Remember the session that a request was just answered in. */
void pool_learn(struct pool *pool, const struct pool_connection *connection);

/* The store has moved: close the idle connections to all other places, and those that come back. */
void pool_move(struct pool *pool, const struct endpoint *place);
void pool_free(struct pool *pool);

#endif
