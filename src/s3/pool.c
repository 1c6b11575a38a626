/* pool - see pool.h. */
#include "s3/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void
pool_init(struct pool *pool, const struct trust *trust)
{
    *pool = (struct pool){.trust = trust};
    pthread_mutex_init(&pool->lock, NULL);
}

static bool
wishes_equal(const struct pool_wish *a, const struct pool_wish *b)
{
    return a->place == b->place && a->stop == b->stop && a->idle_ms == b->idle_ms;
}

/* Take an idle connection out of the list; NULL when none fits. */
static struct pool_connection *
idle_take(struct pool *pool, const struct pool_wish *wish)
{
    struct pool_connection **link = &pool->idle, *found;

    while (*link != NULL && !wishes_equal(&(*link)->wish, wish))
        link = &(*link)->next;
    if ((found = *link) != NULL) {
        *link = found->next;
        found->next = NULL;
        pool->idle_count--;
    }
    return found;
}

static struct pool_connection *
connection_make(struct pool *pool, const struct pool_wish *wish)
{
    const struct url *url = &wish->place->url;
    struct pool_connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL)
        memory_exhausted(sizeof *connection);
    connection->wish = *wish;
    connection->tls = (struct tls_config){
        .name = url->host,
        .check_name = true,
        .send_name = true,
        .trust = pool->trust,
        .alpn = "http/1.1",
        .resume = &connection->resume,
    };
    connection->config = (struct stream_config){
        .host = url->host,
        .port = url->port,
        .tls = &connection->tls,
        .connect_ms = POOL_CONNECT_MS,
        .idle_ms = wish->idle_ms,
        .err = ERR_STORE,
        .stop = wish->stop,
    };
    connection->http = http_open(url, &connection->config);
    return connection;
}

struct pool_connection *
pool_take(struct pool *pool, const struct pool_wish *wish)
{
    struct pool_connection *connection;
    struct tls_resume seed = {0};

    pthread_mutex_lock(&pool->lock);
    connection = wish->fresh ? NULL : idle_take(pool, wish);
    if (connection == NULL && pool->seed_place == wish->place)
        seed = pool->seed;
    pthread_mutex_unlock(&pool->lock);

    if (connection == NULL) {
        connection = connection_make(pool, wish);
        connection->resume = seed;
    }
    explicit_bzero(&seed, sizeof seed);
    return connection;
}

void
pool_drop(struct pool_connection *connection)
{
    if (connection == NULL)
        return;
    http_close(connection->http);
    explicit_bzero(&connection->resume, sizeof connection->resume);
    free(connection);
}

void
pool_give(struct pool *pool, struct pool_connection *connection)
{
    struct pool_connection *surplus = connection, **link = &pool->idle;

    assert(connection->next == NULL);
    pthread_mutex_lock(&pool->lock);
    if (pool->place == NULL || pool->place == connection->wish.place) {
        connection->next = pool->idle;
        pool->idle = connection;
        surplus = NULL;
        if (++pool->idle_count > POOL_IDLE_MAX) {
            while ((*link)->next != NULL)
                link = &(*link)->next;
            surplus = *link;
            *link = NULL;
            pool->idle_count--;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    pool_drop(surplus);
}

void
pool_learn(struct pool *pool, const struct pool_connection *connection)
{
    if (!connection->resume.valid)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->seed = connection->resume;
    pool->seed_place = connection->wish.place;
    pthread_mutex_unlock(&pool->lock);
}

void
pool_move(struct pool *pool, const struct endpoint *place)
{
    struct pool_connection *stale = NULL;

    pthread_mutex_lock(&pool->lock);
    pool->place = place;
    for (struct pool_connection **link = &pool->idle; *link != NULL;) {
        struct pool_connection *connection = *link;
        if (connection->wish.place == place) {
            link = &connection->next;
            continue;
        }
        *link = connection->next;
        connection->next = stale;
        stale = connection;
        pool->idle_count--;
    }
    pthread_mutex_unlock(&pool->lock);
    while (stale != NULL) {
        struct pool_connection *next = stale->next;
        pool_drop(stale);
        stale = next;
    }
}

void
pool_free(struct pool *pool)
{
    pool_move(pool, NULL);
    assert(pool->idle_count == 0);
    explicit_bzero(&pool->seed, sizeof pool->seed);
    pthread_mutex_destroy(&pool->lock);
}
