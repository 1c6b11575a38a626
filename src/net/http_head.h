/* http_head - the head of an answer: bytes in, status, headers and framing out.  Pure: no I/O.
 *
 *     HTTP/1.1 200 OK CRLF             status line
 *     name ":" OWS value OWS CRLF      0 .. HTTP_HEADERS_MAX headers
 *     CRLF
 *
 * It is strict, since whoever reads a head in another way than the peer meant takes one answer for
 * another (RFC 9112 section 11.2): every line ends with CRLF; no folded lines, no blank before the
 * colon, no control characters; a length is one number; no length beside chunks.
 *
 * Life:   http_head_begin; http_head_take until HEAD_DONE; then it is read.  It holds pointers into
 *         itself and must not be copied.
 * Limits: those of http.h. */
#ifndef NET_HTTP_HEAD_H
#define NET_HTTP_HEAD_H

#include "net/http.h"

enum head_step { HEAD_FAILED, HEAD_MORE, HEAD_DONE };

enum http_framing {
    HTTP_NO_BODY,
    HTTP_LENGTH,      /* so many bytes follow */
    HTTP_CHUNKED,
    HTTP_UNTIL_CLOSE, /* of a refusal without a length: what follows until the connection ends */
};

struct http_head {
    enum err err;
    bool bodiless;         /* the answer to HEAD */
    unsigned status;       /* 0 until the status line was understood */
    enum http_framing framing;
    uint64_t length;       /* of HTTP_LENGTH */
    bool close;            /* the peer will close the connection */
    bool has_length, chunked;
    size_t headers_count;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t line, size;     /* where the line in progress begins; bytes held */
    char bytes[HTTP_HEAD_BYTES_MAX];
};

/* Begin to read an answer, to HEAD if bodiless is set.  Failures are of kind err. */
void http_head_begin(struct http_head *head, bool bodiless, enum err err);

/* Take bytes; *used says how many, all of them unless the head has ended.  A sentence does not name
 * the peer: "the answer has two lengths, 12 and 13". */
enum head_step http_head_take(struct http_head *head, const char *data, size_t size, size_t *used,
                              struct fault *fault);

/* The value of the first header of that name, any case; NULL when there is none. */
const char *http_head_value(const struct http_head *head, const char *name);

#endif
