/* stream_connect - a connected socket from the first address of a host that answers.
 *
 * Addresses are tried one after the other without waiting for each to fail: the next one is started
 * CONNECT_STAGGER_MS after the last, or at once when it failed (RFC 8305 section 5).  The sentence
 * of a failure names all that were tried.
 *
 * Threads: any. */
#ifndef NET_STREAM_CONNECT_H
#define NET_STREAM_CONNECT_H

#include "net/resolve.h"

enum { CONNECT_STAGGER_MS = 250 };

/* Connect to one of the addresses.  Returns a socket that never blocks, or -1 with the fault and
 * *trouble. */
int stream_connect(const struct stream_config *config, const struct addresses *addresses,
                   uint64_t deadline_ms, enum trouble *trouble, struct fault *fault);

/* The system's words for an error, as a part of a sentence: "connection refused". */
const char *stream_reason(char words[static 128], int error);

#endif
