/* resolve - the addresses of a host, without getting stuck in the resolver.
 *
 * getaddrinfo() cannot be interrupted, so it runs on a detached thread of its own, which outlives a
 * caller that gives up.  An address needs neither thread nor resolver.
 *
 * Limits: RESOLVE_ADDRESSES_MAX; what a name has beyond them is passed over.
 * Threads: any. */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "net/stream.h"

enum { RESOLVE_ADDRESSES_MAX = 16, RESOLVE_TEXT_MAX = 48 };

struct address {
    struct sockaddr_storage socket; /* with the port */
    socklen_t size;
};

struct addresses {
    struct address list[RESOLVE_ADDRESSES_MAX]; /* the two families in turn (RFC 8305 section 4) */
    size_t count;
};

/* Find the addresses of config's host, at least one, before deadline_ms of clock_ms() and within
 * config's connect_ms. */
bool resolve_host(const struct stream_config *config, uint64_t deadline_ms,
                  struct addresses *addresses, enum trouble *trouble, struct fault *fault);

/* An address for people: "192.0.2.1", "2001:db8::1". */
const char *resolve_text(const struct address *address, char text[static RESOLVE_TEXT_MAX]);

#endif
