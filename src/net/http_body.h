/* http_body - where the body of an answer ends (RFC 9112 sections 6 and 7).  Pure: no I/O, and the
 * body's own bytes do not pass through it.
 *
 *     length:   data
 *     chunked:  size [;extension] CRLF  data CRLF  …  0 CRLF  [trailer CRLF …]  CRLF
 *
 * Extensions and trailers are read and dropped.
 *
 * Life:   http_body_begin; then, until it is done: http_body_run() bytes of data, told to
 *         http_body_pass(), or, when there are none, framing for http_body_take().
 * Limits: HTTP_CHUNK_LINE_MAX for the line of a size, HTTP_TRAILER_BYTES_MAX for all trailers. */
#ifndef NET_HTTP_BODY_H
#define NET_HTTP_BODY_H

#include "net/http_head.h"

/* Sizes have at most 16 digits; S3's signed chunks, the longest known, add 85 bytes. */
enum { HTTP_CHUNK_LINE_MAX = 1024, HTTP_TRAILER_BYTES_MAX = 8192 };

struct http_body {
    enum http_framing framing;
    enum err err;
    enum {
        BODY_DATA,
        BODY_DATA_CR, /* what must come next: the CR behind a chunk's data, … */
        BODY_DATA_LF,
        BODY_SIZE,
        BODY_EXTENSION,
        BODY_SIZE_LF,
        BODY_TRAILER, /* the beginning of a line */
        BODY_TRAILER_REST,
        BODY_TRAILER_LF,
        BODY_END_LF,
        BODY_DONE,
    } state;
    uint64_t left;    /* of the data in this run; UINT64_MAX until the connection closes */
    size_t digits;    /* of the chunk's size */
    size_t held;      /* bytes of this line, or of the trailers */
};

/* Begin at the first byte after a head. */
void http_body_begin(struct http_body *body, const struct http_head *head);

/* Whether all of it has passed. */
bool http_body_done(const struct http_body *body);

/* Bytes of data that come next; 0 when framing does, or nothing. */
uint64_t http_body_run(const struct http_body *body);

/* So many bytes of data, at most http_body_run(), have passed. */
void http_body_pass(struct http_body *body, uint64_t size);

/* Take framing; *used says how many bytes, all of them unless data comes next or it is done. */
bool http_body_take(struct http_body *body, const char *data, size_t size, size_t *used,
                    struct fault *fault);

/* The connection ended: a proper end only of HTTP_UNTIL_CLOSE. */
bool http_body_cut(struct http_body *body, struct fault *fault);

#endif
