/* stream - a TCP connection, with TLS on it or not, that blocks only as long as it may.
 *
 * Every wait hears the stop switch and has an end: connecting, silence (idle), and the moment by
 * which everything must be over (the deadline of each call).
 *
 * All addresses of a name are tried, IPv6 and IPv4 in turn, each next one 250 ms after the last,
 * until one answers (happy eyeballs, RFC 8305).  The name is resolved on a thread of its own, since
 * getaddrinfo() cannot be interrupted.  TCP_NODELAY; keepalives after 30 s, every 10 s, 3 times;
 * TCP_USER_TIMEOUT.
 *
 * Life:   stream_open; read and write; stream_close.
 * Threads: one at a time. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/stop.h"
#include "net/tls.h"

/* What kind of failure it was, for those who may try again. */
enum trouble {
    TROUBLE_NONE,
    TROUBLE_CONNECT, /* no address answered (in time), or the name is unknown: nothing was sent */
    TROUBLE_BROKEN,  /* reset, or ended in the middle */
    TROUBLE_TIMEOUT, /* silence or deadline */
    TROUBLE_REFUSED, /* the peer's certificate or protocol is not accepted: to retry is pointless */
    TROUBLE_STOPPED, /* the stop switch */
};

struct stream_config {
    const char *host; /* a name or an address, without brackets */
    unsigned port;
    const struct tls_config *tls; /* NULL: in the clear.  peer, name and err are filled in by us */
    unsigned connect_ms;          /* for the name, each address, and the handshake; > 0 */
    unsigned idle_ms;             /* > 0 */
    enum err err;                 /* the kind of every failure but ERR_STOPPED */
    struct stop *stop;
};

struct stream;

/* Connect.  NULL with the fault and *trouble.  config and what it points to must outlive the
 * stream. */
struct stream *stream_open(const struct stream_config *config, uint64_t deadline_ms,
                           enum trouble *trouble, struct fault *fault);

/* Write all of it to the socket (and through TLS) before deadline_ms of clock_ms(). */
bool stream_write(struct stream *stream, const void *data, size_t size, uint64_t deadline_ms,
                  enum trouble *trouble, struct fault *fault);

/* The same, but leave off as soon as the peer speaks or ends the stream.  *taken says how much was
 * written, also on failure; less than size on success means that there is something to read. */
bool stream_offer(struct stream *stream, const void *data, size_t size, size_t *taken,
                  uint64_t deadline_ms, enum trouble *trouble, struct fault *fault);

/* Read some bytes, at most size (> 0); *got is 0 when the peer has ended the stream.  idle_ms may
 * be below the config's; 0 means the config's. */
bool stream_read(struct stream *stream, void *data, size_t size, size_t *got, unsigned idle_ms,
                 uint64_t deadline_ms, enum trouble *trouble, struct fault *fault);

/* Whether something can be read without waiting: on an idle connection that is its end, or a peer
 * that speaks out of turn; either way it is of no more use. */
bool stream_readable(const struct stream *stream);

/* NULL is allowed. */
void stream_close(struct stream *stream);

#endif
