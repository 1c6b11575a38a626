/* http - an HTTP/1.1 client (RFC 9110, RFC 9112): one connection, one request after the other.
 *
 *     http_open ── http_send ── status, headers ── http_read ⟲ 0 ── http_keep ── http_send …
 *
 * Bodies end where Content-Length or the last chunk says, never where the connection ends: a body
 * that is cut short is a failure.  No length and no chunks are refused, unless the status or HEAD
 * says that there is no body, or the answer is a refusal anyway (300 and above; proxies send such):
 * then the body is what comes until the connection ends.  Both Content-Length and
 * Transfer-Encoding, two different lengths, a folded or nameless header, a bare CR or LF: refused
 * (request smuggling, RFC 9112 section 11.2).
 * 1xx answers are passed over.
 *
 * Life:   http_open gives a connection; http_close.  It connects with the first http_send, and
 *         again when an idle connection has gone stale.
 * Limits: HTTP_HEAD_BYTES_MAX of status line and headers, HTTP_HEADERS_MAX of them.
 * Threads: one at a time. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/stream.h"
#include "net/url.h"

enum {
    HTTP_HEAD_BYTES_MAX = 32 * 1024,
    HTTP_HEADERS_MAX = 100,
    HTTP_CONTINUE_MS = 1000, /* stores that ignore Expect get the body after this */
};

struct http_header {
    const char *name, *value;
};

struct http_request {
    const char *method;
    const char *target;                /* exactly what goes on the wire, encoded already */
    const struct http_header *headers; /* all but Content-Length, Connection and Expect; Host is
                                          added when it is missing */
    size_t headers_count;
    const void *body;                  /* stays the caller's, who may send it again */
    size_t body_size;
    bool expect_continue;              /* ask before the body is sent */
    unsigned total_ms;                 /* from here to the end of the answer's body; > 0 */
};

struct http;

/* Prepare a connection to url's host.  config's host and port come from url; tls is used when url
 * says https, and must be there then.  TLS sessions are resumed from one connection to the next, in
 * tls's resume or in one of our own.  url and what config points to must outlive it. */
struct http *http_open(const struct url *url, const struct stream_config *config);

/* Send a request and read the answer's head.  False with the fault and http_trouble().  A final
 * answer that comes while the body is still being sent is taken, and the connection is not kept.
 * Nothing is sent twice: only when a kept connection turns out to be dead before the request's
 * head is out, a new one is opened. */
bool http_send(struct http *http, const struct http_request *request, struct fault *fault);

/* Of the last answer: */
unsigned http_status(const struct http *http);

/* The value of a header, any case; NULL when there is none.  Valid until the next http_send. */
const char *http_header(const struct http *http, const char *name);

/* Length of the body still to come; false when it is not known (chunked). */
bool http_length(const struct http *http, uint64_t *length);

/* Read some of the body, at most size (> 0); *got is 0 at its proper end. */
bool http_read(struct http *http, void *data, size_t size, size_t *got, struct fault *fault);

/* Done with this answer: what is left of its body is dropped when it is short, otherwise the
 * connection is closed.  Returns whether the connection can serve the next request. */
bool http_keep(struct http *http);

/* What kind the last failure was. */
enum trouble http_trouble(const struct http *http);

/* Whether a byte of the last request may have reached the peer. */
bool http_sent(const struct http *http);

/* NULL is allowed. */
void http_close(struct http *http);

#endif
