/* stream_connect - see stream_connect.h.  The sockets under way lie in one epoll, so that a single
 * descriptor tells stop_wait() about all of them. */
#include "net/stream_connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "net/url.h"

/* Balancers drop what is idle for 4 min (Azure) or 350 s (AWS); Linux itself asks after 2 hours. */
enum {
    KEEPALIVE_AFTER_S = 30,
    KEEPALIVE_EVERY_S = 10,
    KEEPALIVE_COUNT = 3,
    /* As long as the keepalives take, for bytes that are never acknowledged. */
    UNACKNOWLEDGED_MS = 1000 * (KEEPALIVE_AFTER_S + KEEPALIVE_EVERY_S * KEEPALIVE_COUNT),
};

struct attempt {
    int fd;            /* -1 once it has ended */
    int error;
    uint64_t begin_ms, end_ms;
};

struct race {
    const struct stream_config *config;
    const struct addresses *addresses;
    struct attempt attempts[RESOLVE_ADDRESSES_MAX];
    size_t started, waiting;
    uint64_t deadline_ms, next_ms; /* of all; when the next attempt begins */
    int epoll;
    int winner;
};

const char *
stream_reason(char words[static 128], int error)
{
    snprintf(words, 128, "%s", strerror(error));
    if (words[0] >= 'A' && words[0] <= 'Z' && words[1] >= 'a' && words[1] <= 'z')
        words[0] = (char) (words[0] - 'A' + 'a');
    return words;
}

static void
set_option(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value);
}

/* A kernel that does not know one of them serves us without it. */
static void
set_options(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_AFTER_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS);
}

/* Let a waiting attempt end: with an error the next address may begin at once. */
static void
attempt_end(struct race *race, struct attempt *attempt, int error)
{
    race->waiting--;
    attempt->end_ms = clock_ms();
    if (error == 0) {
        race->winner = attempt->fd;
        epoll_ctl(race->epoll, EPOLL_CTL_DEL, attempt->fd, NULL);
    } else {
        close(attempt->fd);
        race->next_ms = attempt->end_ms;
    }
    attempt->fd = -1;
    attempt->error = error;
}

static void
attempt_begin(struct race *race)
{
    struct attempt *attempt = &race->attempts[race->started];
    const struct address *address = &race->addresses->list[race->started++];
    const struct sockaddr *socket_address = (const struct sockaddr *) &address->socket;

    *attempt = (struct attempt){.begin_ms = clock_ms()};
    attempt->fd = socket(socket_address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd < 0) {
        attempt->error = errno;
        return;
    }
    race->waiting++;
    race->next_ms = attempt->begin_ms + CONNECT_STAGGER_MS;
    set_options(attempt->fd);

    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = attempt};
    if (connect(attempt->fd, socket_address, address->size) == 0)
        attempt_end(race, attempt, 0);
    else if (errno != EINPROGRESS ||
             epoll_ctl(race->epoll, EPOLL_CTL_ADD, attempt->fd, &event) != 0)
        attempt_end(race, attempt, errno);
}

/* See which of them have connected or failed.  The first one wins; a second one is closed. */
static void
collect(struct race *race)
{
    struct epoll_event events[RESOLVE_ADDRESSES_MAX];
    int count = epoll_wait(race->epoll, events, RESOLVE_ADDRESSES_MAX, 0);

    for (int i = 0; i < count && race->winner < 0; i++) {
        struct attempt *attempt = events[i].data.ptr;
        int error = 0;
        socklen_t size = sizeof error;
        if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
        attempt_end(race, attempt, error);
    }
}

/* End those that have waited too long; give the moment at which something is to be done next. */
static uint64_t
expire(struct race *race, uint64_t now_ms)
{
    uint64_t wake_ms = race->deadline_ms;

    for (size_t i = 0; i < race->started; i++) {
        struct attempt *attempt = &race->attempts[i];
        if (attempt->fd < 0)
            continue;
        uint64_t limit_ms = attempt->begin_ms + race->config->connect_ms;
        if (now_ms >= limit_ms || now_ms >= race->deadline_ms)
            attempt_end(race, attempt, ETIMEDOUT);
        else if (limit_ms < wake_ms)
            wake_ms = limit_ms;
    }
    if (race->started < race->addresses->count && race->next_ms < wake_ms)
        wake_ms = race->next_ms;
    return wake_ms;
}

/* Run until one has connected (true) or none is left.  False with a fault only when stopped. */
static bool
run(struct race *race, struct fault *fault)
{
    while (race->winner < 0) {
        uint64_t now_ms = clock_ms();
        uint64_t wake_ms = expire(race, now_ms);
        bool more = race->started < race->addresses->count && now_ms < race->deadline_ms;
        if (more && (race->waiting == 0 || now_ms >= race->next_ms)) {
            attempt_begin(race);
            continue;
        }
        if (race->waiting == 0)
            return false;
        /* No further than connect_ms away, since an attempt is under way. */
        int wait_ms = wake_ms > now_ms ? (int) (wake_ms - now_ms) : 0;
        if (stop_wait(race->config->stop, race->epoll, POLLIN, wait_ms, fault) < 0)
            return false;
        collect(race);
    }
    return true;
}

/* "unable to connect to db:5432: connection refused at ::1, no answer within 10 s at 192.0.2.1" */
static void
explain(const struct race *race, const char *peer, struct fault *fault)
{
    struct text tried = {0};

    for (size_t i = 0; i < race->started; i++) {
        char words[128], duration[32], address[RESOLVE_TEXT_MAX];
        const struct attempt *attempt = &race->attempts[i];
        text_add(&tried, i == 0 ? "" : ", ");
        if (attempt->error == ETIMEDOUT)
            text_addf(&tried, "no answer within %s",
                      clock_duration(duration, attempt->end_ms - attempt->begin_ms));
        else
            text_add(&tried, stream_reason(words, attempt->error));
        if (!url_host_is_address(race->config->host))
            text_addf(&tried, " at %s", resolve_text(&race->addresses->list[i], address));
    }
    fault_set(fault, race->config->err, "unable to connect to %s: %s", peer,
              race->started > 0 ? text_of(&tried) : "the time for it was over");
    text_free(&tried);
}

int
stream_connect(const struct stream_config *config, const struct addresses *addresses,
               uint64_t deadline_ms, enum trouble *trouble, struct fault *fault)
{
    char peer[URL_HOST_MAX + 16], words[128];
    struct race race = {
        .config = config, .addresses = addresses, .deadline_ms = deadline_ms, .winner = -1};

    url_peer(config->host, config->port, peer);
    race.epoll = epoll_create1(EPOLL_CLOEXEC);
    *trouble = TROUBLE_CONNECT;
    if (race.epoll < 0) {
        fault_set(fault, config->err, "unable to connect to %s: %s", peer,
                  stream_reason(words, errno));
        return -1;
    }
    if (run(&race, fault))
        *trouble = TROUBLE_NONE;
    else if (stop_requested(config->stop))
        *trouble = TROUBLE_STOPPED;
    if (*trouble == TROUBLE_CONNECT)
        explain(&race, peer, fault);
    for (size_t i = 0; i < race.started; i++)
        if (race.attempts[i].fd >= 0)
            close(race.attempts[i].fd);
    close(race.epoll);
    return race.winner;
}
