/* wire - see wire.h. */
#include <postgres_fe.h>

#include "pg/wire.h"

#include <assert.h>
#include <errno.h>
#include <libpq-int.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

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

bool
wire_read(struct pg_session *conn, void *data, size_t size, bool wait, size_t *got,
          struct fault *fault)
{
    *got = 0;
    for (;;) {
        errno = 0;
        ssize_t count = pqsecure_read(conn->pq, data, size);
        if (count > 0) {
            *got = (size_t) count;
            return true;
        }
        if (count == 0)
            return fault_set(fault, conn->side,
                             "the server closed the connection in the middle of a COPY");
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return fault_set(fault, conn->side, "unable to read from the server: %s",
                             strerror(errno));
        if (!wait)
            return true;
        if (stop_wait(conn->stop, PQsocket(conn->pq), POLLIN, -1, fault) < 0)
            return false;
    }
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
