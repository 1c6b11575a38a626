/* resolve - see resolve.h.  The caller and the resolver's thread share one struct query; whoever
 * leaves it last frees it. */
#include "net/resolve.h"

#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/stream_connect.h"
#include "net/url.h"

/* musl's resolver keeps three questions and three answers of 4,800 bytes on its stack, and its
 * threads have 128 KiB unless told. */
enum { RESOLVER_STACK_BYTES = 256 * 1024 };

struct query {
    atomic_int holders; /* the caller and the thread */
    atomic_bool done;
    int fd;             /* becomes readable when it is done */
    int error;          /* of getaddrinfo() */
    struct addresses addresses;
    unsigned port;
    char host[URL_HOST_MAX];
};

static void
query_leave(struct query *query)
{
    if (atomic_fetch_sub(&query->holders, 1) > 1)
        return;
    close(query->fd);
    free(query);
}

static void
address_set(struct address *address, const struct sockaddr *socket, socklen_t size, unsigned port)
{
    assert(size <= sizeof address->socket);
    memcpy(&address->socket, socket, size);
    address->size = size;
    if (socket->sa_family == AF_INET6)
        ((struct sockaddr_in6 *) &address->socket)->sin6_port = htons((uint16_t) port);
    else
        ((struct sockaddr_in *) &address->socket)->sin_port = htons((uint16_t) port);
}

/* The next address of a family, or of any other one. */
static const struct addrinfo *
next_of(const struct addrinfo *info, int family, bool other)
{
    while (info != NULL && (info->ai_family == family) == other)
        info = info->ai_next;
    return info;
}

/* Keep the resolver's order (RFC 6724) within a family, and let the families take turns, the first
 * one's first. */
static void
interleave(const struct addrinfo *info, unsigned port, struct addresses *addresses)
{
    int family = info->ai_family;
    const struct addrinfo *next[2] = {info, next_of(info, family, true)};

    for (bool other = false; addresses->count < RESOLVE_ADDRESSES_MAX; other = !other) {
        if (next[other] == NULL)
            other = !other;
        if (next[other] == NULL)
            return;
        address_set(&addresses->list[addresses->count++], next[other]->ai_addr,
                    next[other]->ai_addrlen, port);
        next[other] = next_of(next[other]->ai_next, family, other);
    }
}

static void *
query_run(void *argument)
{
    struct query *query = argument;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *info = NULL;

    query->error = getaddrinfo(query->host, NULL, &hints, &info);
    if (query->error == 0) {
        interleave(info, query->port, &query->addresses);
        freeaddrinfo(info);
    }
    atomic_store(&query->done, true);
    uint64_t one = 1;
    ssize_t written = write(query->fd, &one, sizeof one);
    assert(written == sizeof one);
    query_leave(query);
    return NULL;
}

/* Signals are for the other threads: this one may live on after the switch they throw is gone. */
static int
thread_begin(struct query *query)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, RESOLVER_STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attributes, query_run, query);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

/* NULL with errno. */
static struct query *
query_begin(const char *host, unsigned port)
{
    struct query *query = calloc(1, sizeof *query);

    if (query == NULL)
        memory_exhausted(sizeof *query);
    atomic_init(&query->holders, 2);
    query->port = port;
    snprintf(query->host, sizeof query->host, "%s", host);
    query->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = query->fd < 0 ? errno : thread_begin(query);
    if (error == 0)
        return query;
    if (query->fd >= 0)
        close(query->fd);
    free(query);
    errno = error;
    return NULL;
}

static const char *
query_reason(const struct query *query)
{
    switch (query->error) {
    case EAI_NONAME:
    case EAI_NODATA:
        return "no name server knows an address for it";
    case EAI_AGAIN:
        return "no name server answered";
    case EAI_FAIL:
        return "the name server failed";
    default:
        return gai_strerror(query->error);
    }
}

/* An address as it stands.  AI_NUMERICHOST asks nobody, and knows scopes ("fe80::1%eth0"). */
static bool
resolve_address(const struct stream_config *config, struct addresses *addresses)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *info;

    if (config->host[0] == '\0' || getaddrinfo(config->host, NULL, &hints, &info) != 0)
        return false;
    interleave(info, config->port, addresses);
    freeaddrinfo(info);
    return true;
}

bool
resolve_host(const struct stream_config *config, uint64_t deadline_ms, struct addresses *addresses,
             enum trouble *trouble, struct fault *fault)
{
    *addresses = (struct addresses){0};
    if (resolve_address(config, addresses))
        return true;

    *trouble = TROUBLE_CONNECT;
    struct query *query = query_begin(config->host, config->port);
    char words[128], duration[32];
    if (query == NULL)
        return fault_set(fault, config->err, "unable to start a thread that resolves %s: %s",
                         config->host, stream_reason(words, errno));

    uint64_t now_ms = clock_ms();
    uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    if (left_ms > config->connect_ms)
        left_ms = config->connect_ms;
    int ready = stop_wait(config->stop, query->fd, POLLIN, (int) left_ms, fault);
    if (ready < 0)
        *trouble = TROUBLE_STOPPED;
    else if (!atomic_load(&query->done))
        fault_set(fault, config->err, "unable to find the address of %s: no answer within %s",
                  config->host, clock_duration(duration, left_ms));
    else if (query->error != 0)
        fault_set(fault, config->err, "unable to find the address of %s: %s", config->host,
                  query_reason(query));
    else
        *addresses = query->addresses;
    query_leave(query);
    return addresses->count > 0;
}

const char *
resolve_text(const struct address *address, char text[static RESOLVE_TEXT_MAX])
{
    const struct sockaddr *socket = (const struct sockaddr *) &address->socket;

    if (getnameinfo(socket, address->size, text, RESOLVE_TEXT_MAX, NULL, 0, NI_NUMERICHOST) != 0)
        snprintf(text, RESOLVE_TEXT_MAX, "an address of family %d", socket->sa_family);
    return text;
}
