/* stream - see stream.h.  A socket in the clear answers in TLS's words too (enum tls_step), so that
 * there is one loop for both: do what goes, wait for what it wants. */
#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/resolve.h"
#include "net/stream_connect.h"
#include "net/url.h"

struct stream {
    const struct stream_config *config;
    struct tls_config tls_config;
    struct tls *tls; /* NULL: in the clear */
    int fd;
    bool ended;      /* properly, by TLS's goodbye; the connection's own end may take its time */
    bool has_ahead;  /* a byte was read to see whether the peer speaks */
    char ahead;
    char peer[URL_HOST_MAX + 16];
};

enum way { READING, WRITING };

/* Say what the system said; the stream is of no more use. */
static enum tls_step
broken(const struct stream *stream, enum way way, int error, struct fault *fault)
{
    char words[128];

    fault_set(fault, stream->config->err, "the connection to %s broke while %s: %s", stream->peer,
              way == READING ? "reading" : "writing", stream_reason(words, error));
    return TLS_FAILED;
}

static enum tls_step
take_sealed(struct stream *stream, void *data, size_t size, size_t *got, struct fault *fault)
{
    enum tls_step step = tls_read(stream->tls, data, size, got, fault);

    stream->ended |= step == TLS_CLOSED;
    return step;
}

static enum tls_step
take(struct stream *stream, void *data, size_t size, size_t *got, struct fault *fault)
{
    *got = 0;
    if (stream->has_ahead) {
        *(char *) data = stream->ahead;
        stream->has_ahead = false;
        *got = 1;
        return TLS_OK;
    }
    if (stream->tls != NULL)
        return take_sealed(stream, data, size, got, fault);
    for (;;) {
        ssize_t count = recv(stream->fd, data, size, 0);
        if (count >= 0) {
            *got = (size_t) count;
            return count > 0 ? TLS_OK : TLS_CLOSED;
        }
        if (errno == EAGAIN)
            return TLS_WANT_READ;
        if (errno != EINTR)
            return broken(stream, READING, errno, fault);
    }
}

static enum tls_step
give(struct stream *stream, const void *data, size_t size, size_t *took, struct fault *fault)
{
    *took = 0;
    if (stream->tls != NULL)
        return size > 0 ? tls_write(stream->tls, data, size, took, fault)
                        : tls_flush(stream->tls, fault);
    while (size > 0) {
        ssize_t count = send(stream->fd, data, size, MSG_NOSIGNAL);
        if (count >= 0) {
            *took = (size_t) count;
            break;
        }
        if (errno == EAGAIN)
            return TLS_WANT_WRITE;
        if (errno != EINTR)
            return broken(stream, WRITING, errno, fault);
    }
    return TLS_OK;
}

/* The kind of a failure that take() or give() has described. */
static bool
failed(const struct stream *stream, enum trouble *trouble)
{
    *trouble = stream->tls != NULL && tls_refused(stream->tls) ? TROUBLE_REFUSED : TROUBLE_BROKEN;
    return false;
}

/* Wait for the socket, at most idle_ms and never beyond the deadline. */
static bool
wait_for(const struct stream *stream, short events, enum way way, unsigned idle_ms,
         uint64_t deadline_ms, enum trouble *trouble, struct fault *fault)
{
    uint64_t now_ms = clock_ms();
    uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    bool idle = idle_ms < left_ms;
    /* Past the deadline not even what is there already counts: a peer that trickles must end. */
    int ready = left_ms == 0 ? stop_requested(stream->config->stop) ? -1 : 0
                             : stop_wait(stream->config->stop, stream->fd, events,
                                         (int) (idle ? idle_ms : left_ms), fault);
    if (ready > 0)
        return true;

    if (stop_requested(stream->config->stop)) {
        *trouble = TROUBLE_STOPPED;
        return fault_set(fault, ERR_STOPPED, "stopped");
    }
    char duration[32];
    *trouble = ready < 0 ? TROUBLE_BROKEN : TROUBLE_TIMEOUT;
    if (idle)
        return fault_set(fault, stream->config->err, "%s %s nothing for %s", stream->peer,
                         way == READING ? "sent" : "took", clock_duration(duration, idle_ms));
    return fault_set(fault, stream->config->err, "the time for %s %s was over",
                     way == READING ? "reading from" : "writing to", stream->peer);
}

static bool
handshake(struct stream *stream, uint64_t deadline_ms, enum trouble *trouble, struct fault *fault)
{
    uint64_t limit_ms = clock_ms() + stream->config->connect_ms;

    if (limit_ms > deadline_ms)
        limit_ms = deadline_ms;
    for (;;) {
        enum tls_step step = tls_handshake(stream->tls, fault);
        if (step == TLS_OK)
            return true;
        if (step == TLS_FAILED)
            return failed(stream, trouble);
        if (!wait_for(stream, step == TLS_WANT_READ ? POLLIN : POLLOUT, READING,
                      stream->config->connect_ms, limit_ms, trouble, fault))
            return *trouble == TROUBLE_TIMEOUT
                       ? fault_because(fault, "in the middle of the TLS handshake")
                       : false;
    }
}

struct stream *
stream_open(const struct stream_config *config, uint64_t deadline_ms, enum trouble *trouble,
            struct fault *fault)
{
    struct addresses addresses;

    assert(config->connect_ms > 0 && config->idle_ms > 0);
    *trouble = TROUBLE_NONE;
    if (!resolve_host(config, deadline_ms, &addresses, trouble, fault))
        return NULL;
    int fd = stream_connect(config, &addresses, deadline_ms, trouble, fault);
    if (fd < 0)
        return NULL;

    struct stream *stream = malloc(sizeof *stream);
    if (stream == NULL)
        memory_exhausted(sizeof *stream);
    *stream = (struct stream){.config = config, .fd = fd};
    url_peer(config->host, config->port, stream->peer);
    if (config->tls == NULL)
        return stream;

    stream->tls_config = *config->tls;
    stream->tls_config.peer = stream->peer;
    stream->tls_config.name = config->host;
    stream->tls_config.err = config->err;
    stream->tls = tls_begin(fd, &stream->tls_config);
    if (handshake(stream, deadline_ms, trouble, fault))
        return stream;
    stream_close(stream);
    return NULL;
}

/* Whether the peer speaks, or has ended the stream (TLS_OK), or is silent (TLS_WANT_READ).  Under
 * TLS a readable socket may hold half a record, or one that says nothing; only a byte is proof. */
static enum tls_step
listen_to(struct stream *stream, struct fault *fault)
{
    size_t got;

    if (!stream_readable(stream))
        return TLS_WANT_READ;
    if (stream->tls == NULL || stream->has_ahead || stream->ended)
        return TLS_OK;
    enum tls_step step = take_sealed(stream, &stream->ahead, 1, &got, fault);
    stream->has_ahead = step == TLS_OK;
    return step == TLS_CLOSED ? TLS_OK : step == TLS_WANT_WRITE ? TLS_WANT_READ : step;
}

/* Write all of it, or until the peer speaks if that is listened to. */
static bool
write_until(struct stream *stream, const void *data, size_t size, bool listen, size_t *taken,
            uint64_t deadline_ms, enum trouble *trouble, struct fault *fault)
{
    *taken = 0;
    for (;;) {
        size_t took = 0;
        enum tls_step step = listen ? listen_to(stream, fault) : TLS_WANT_READ;
        if (step == TLS_FAILED)
            return failed(stream, trouble);
        if (step == TLS_OK)
            return true;
        bool last = *taken == size;
        step = give(stream, (const char *) data + *taken, size - *taken, &took, fault);
        *taken += took;
        if (step == TLS_FAILED)
            return failed(stream, trouble);
        if (step == TLS_OK && last)
            return true;
        short events = (short) ((listen || step == TLS_WANT_READ ? POLLIN : 0) |
                                (step != TLS_WANT_READ ? POLLOUT : 0));
        if (step != TLS_OK && !wait_for(stream, events, WRITING, stream->config->idle_ms,
                                        deadline_ms, trouble, fault))
            return false;
    }
}

bool
stream_write(struct stream *stream, const void *data, size_t size, uint64_t deadline_ms,
             enum trouble *trouble, struct fault *fault)
{
    size_t taken;

    return write_until(stream, data, size, false, &taken, deadline_ms, trouble, fault);
}

bool
stream_offer(struct stream *stream, const void *data, size_t size, size_t *taken,
             uint64_t deadline_ms, enum trouble *trouble, struct fault *fault)
{
    return write_until(stream, data, size, true, taken, deadline_ms, trouble, fault);
}

bool
stream_read(struct stream *stream, void *data, size_t size, size_t *got, unsigned idle_ms,
            uint64_t deadline_ms, enum trouble *trouble, struct fault *fault)
{
    assert(size > 0);
    if (idle_ms == 0)
        idle_ms = stream->config->idle_ms;
    for (;;) {
        enum tls_step step = take(stream, data, size, got, fault);
        if (step == TLS_OK || step == TLS_CLOSED)
            return true;
        if (step == TLS_FAILED)
            return failed(stream, trouble);
        if (!wait_for(stream, step == TLS_WANT_READ ? POLLIN : POLLOUT, READING, idle_ms,
                      deadline_ms, trouble, fault))
            return false;
    }
}

bool
stream_readable(const struct stream *stream)
{
    struct pollfd look = {.fd = stream->fd, .events = POLLIN};

    if (stream->has_ahead || stream->ended || (stream->tls != NULL && tls_pending(stream->tls) > 0))
        return true;
    return poll(&look, 1, 0) != 0;
}

void
stream_close(struct stream *stream)
{
    if (stream == NULL)
        return;
    tls_end(stream->tls);
    close(stream->fd);
    free(stream);
}
