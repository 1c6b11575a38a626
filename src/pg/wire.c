/* wire - see wire.h. */
#include "pg/libpq_inside.h"

#include "pg/wire.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "base/log.h"
#include "pg/tls_backend.h"

enum { SILENCE_MS = 60 * 1000 };

size_t
wire_take(struct pg_session *conn, void *data, size_t size)
{
    PGconn *pq = conn->pq;
    assert(pq->inStart >= 0 && pq->inStart <= pq->inEnd);
    size_t held = (size_t) (pq->inEnd - pq->inStart);

    if (held > size)
        held = size;
    memcpy(data, pq->inBuffer + pq->inStart, held);
    pq->inStart += (int) held;
    pq->inCursor = pq->inStart;
    return held;
}

/* One call of libpq's secure read: a socketful of plain bytes, or one record of TLS.  *got is 0
 * when it would have to wait. */
static bool
read_some(struct pg_session *conn, void *data, size_t size, size_t *got, struct fault *fault)
{
    ssize_t count;
    do {
        errno = 0;
        count = pqsecure_read(conn->pq, data, size);
    } while (count < 0 && errno == EINTR);

    *got = count > 0 ? (size_t) count : 0;
    if (count > 0 || (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)))
        return true;
    if (count == 0)
        return fault_set(fault, conn->side,
                         "the server closed the connection in the middle of a COPY");
    const char *complaint = tls_backend_complaint(conn->pq);
    return fault_set(fault, conn->side, "unable to read from the server: %s",
                     complaint[0] != '\0' ? complaint : strerror(errno));
}

bool
wire_wait(struct pg_session *conn, struct fault *fault)
{
    /* A destination may build an index for hours; a source has something to say all the time. */
    bool source = conn->side == ERR_SOURCE;
    int ready;

    for (unsigned silent_s = 0;; silent_s += SILENCE_MS / 1000) {
        if (silent_s > 0)
            log_warning("the source has sent nothing for %u s and is waited for: its server may be "
                        "stopped, or wait for a disk or a lock", silent_s);
        ready = stop_wait(conn->stop, PQsocket(conn->pq), POLLIN, source ? SILENCE_MS : -1, fault);
        if (ready != 0)
            return ready > 0;
    }
}

/* Under TLS a read gives no more than a record, mostly of the 8 KiB that a backend sends at a time;
 * so it is asked again until nothing more is there.  A failure behind the first bytes is kept: the
 * next call meets it again. */
bool
wire_read(struct pg_session *conn, void *data, size_t size, bool wait, size_t *got,
          struct fault *fault)
{
    struct fault later = {0};
    size_t more = 0;

    /* A server that never pauses would never be waited for. */
    if (stop_requested(conn->stop))
        return fault_set(fault, ERR_STOPPED, "stopped");
    for (;;) {
        if (!read_some(conn, data, size, got, fault))
            return false;
        if (*got > 0)
            break;
        if (!wait)
            return true;
        if (!wire_wait(conn, fault))
            return false;
    }
    if (PQsslInUse(conn->pq))
        while (*got < size &&
               read_some(conn, (uint8_t *) data + *got, size - *got, &more, &later) && more > 0)
            *got += more;
    return true;
}

bool
wire_holds(const struct pg_session *conn)
{
    return pqsecure_bytes_pending(conn->pq) > 0;
}

bool
wire_error_waits(const struct pg_session *conn)
{
    const PGconn *pq = conn->pq;
    const uint8_t *at = (const uint8_t *) pq->inBuffer + pq->inStart;
    size_t left = (size_t) (pq->inEnd - pq->inStart);

    while (left >= 5 && at[0] != 'E') {
        size_t bytes = ((size_t) at[1] << 24 | (size_t) at[2] << 16 | (size_t) at[3] << 8 | at[4]);
        if (bytes < 4 || bytes >= left)
            return false;
        at += bytes + 1;
        left -= bytes + 1;
    }
    return left > 0 && at[0] == 'E';
}

void
wire_return(struct pg_session *conn, const void *data, size_t size)
{
    PGconn *pq = conn->pq;
    size_t held = (size_t) (pq->inEnd - pq->inStart);

    memmove(pq->inBuffer, pq->inBuffer + pq->inStart, held);
    pq->inStart = pq->inCursor = 0;
    pq->inEnd = (int) held;
    if (size > (size_t) INT_MAX - held || pqCheckInBufferSpace(size + held, pq) != 0)
        memory_exhausted(size);
    memmove(pq->inBuffer + size, pq->inBuffer, held);
    memcpy(pq->inBuffer, data, size);
    pq->inEnd = (int) (size + held);
}
