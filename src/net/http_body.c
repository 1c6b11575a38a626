/* http_body - see http_body.h. */
#include "net/http_body.h"

#include <assert.h>
#include <inttypes.h>

enum { SIZE_DIGITS_MAX = 16 }; /* 64 bits */

void
http_body_begin(struct http_body *body, const struct http_head *head)
{
    *body = (struct http_body){.framing = head->framing, .err = head->err};
    switch (head->framing) {
    case HTTP_NO_BODY:
        body->state = BODY_DONE;
        break;
    case HTTP_LENGTH:
        body->left = head->length;
        body->state = head->length > 0 ? BODY_DATA : BODY_DONE;
        break;
    case HTTP_CHUNKED:
        body->state = BODY_SIZE;
        break;
    case HTTP_UNTIL_CLOSE:
        body->left = UINT64_MAX;
        body->state = BODY_DATA;
        break;
    }
}

bool
http_body_done(const struct http_body *body)
{
    return body->state == BODY_DONE;
}

uint64_t
http_body_run(const struct http_body *body)
{
    return body->state == BODY_DATA ? body->left : 0;
}

void
http_body_pass(struct http_body *body, uint64_t size)
{
    assert(size <= http_body_run(body));
    if (body->framing == HTTP_UNTIL_CLOSE)
        return;
    body->left -= size;
    if (body->left == 0 && body->state == BODY_DATA)
        body->state = body->framing == HTTP_CHUNKED ? BODY_DATA_CR : BODY_DONE;
}

static bool
refuse(const struct http_body *body, const char *what, struct fault *fault)
{
    return fault_set(fault, body->err, "the answer's chunks are broken: %s", what);
}

static int
digit_of(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The size of a chunk; blanks behind it have been seen where there should be none. */
static bool
take_size(struct http_body *body, char byte, struct fault *fault)
{
    int digit = digit_of(byte);

    if (digit >= 0) {
        if (++body->digits > SIZE_DIGITS_MAX)
            return refuse(body, "a size has more than 16 digits", fault);
        body->left = body->left << 4 | (uint64_t) digit;
        return true;
    }
    if (body->digits == 0 || (byte != '\r' && byte != ';' && byte != ' ' && byte != '\t'))
        return refuse(body, "a size is no hexadecimal number", fault);
    body->state = byte == '\r' ? BODY_SIZE_LF : BODY_EXTENSION;
    return true;
}

/* What is read and dropped: no control characters, up to a CR that leads to the state after it. */
static bool
drop(struct http_body *body, char byte, int after, struct fault *fault)
{
    if (byte == '\r')
        body->state = after;
    else if ((unsigned char) byte < ' ' && byte != '\t')
        return refuse(body, "a control character in an extension or a trailer", fault);
    return true;
}

/* Exactly this byte, then that state. */
static bool
expect(struct http_body *body, char byte, char expected, int after, struct fault *fault)
{
    if (byte != expected)
        return refuse(body, "a line or a chunk does not end with CR LF where it should", fault);
    body->state = after;
    return true;
}

static bool
take_byte(struct http_body *body, char byte, struct fault *fault)
{
    switch (body->state) {
    case BODY_DATA_CR:
        return expect(body, byte, '\r', BODY_DATA_LF, fault);
    case BODY_DATA_LF:
        body->digits = body->held = 0;
        return expect(body, byte, '\n', BODY_SIZE, fault);
    case BODY_SIZE:
        return take_size(body, byte, fault);
    case BODY_EXTENSION:
        return drop(body, byte, BODY_SIZE_LF, fault);
    case BODY_SIZE_LF:
        body->held = 0;
        return expect(body, byte, '\n', body->left > 0 ? BODY_DATA : BODY_TRAILER, fault);
    case BODY_TRAILER:
        body->state = BODY_TRAILER_REST;
        return drop(body, byte, BODY_END_LF, fault);
    case BODY_TRAILER_REST:
        return drop(body, byte, BODY_TRAILER_LF, fault);
    case BODY_TRAILER_LF:
        return expect(body, byte, '\n', BODY_TRAILER, fault);
    case BODY_END_LF:
        return expect(body, byte, '\n', BODY_DONE, fault);
    case BODY_DATA:
    case BODY_DONE:
        break;
    }
    assert(!"no framing comes here");
    return false;
}

bool
http_body_take(struct http_body *body, const char *data, size_t size, size_t *used,
               struct fault *fault)
{
    for (*used = 0; *used < size && body->state != BODY_DATA && body->state != BODY_DONE; ++*used) {
        bool trailer = body->state >= BODY_TRAILER;
        if (++body->held > (trailer ? HTTP_TRAILER_BYTES_MAX : HTTP_CHUNK_LINE_MAX))
            return refuse(body, trailer ? "too many trailers" : "the line of a size is too long",
                          fault);
        if (!take_byte(body, data[*used], fault))
            return false;
    }
    return true;
}

bool
http_body_cut(struct http_body *body, struct fault *fault)
{
    if (body->framing == HTTP_UNTIL_CLOSE)
        body->state = BODY_DONE;
    if (body->state == BODY_DONE)
        return true;
    if (body->framing == HTTP_LENGTH)
        return fault_set(fault, body->err, "the answer ends %" PRIu64 " bytes before its end",
                         body->left);
    return fault_set(fault, body->err, "the answer ends before its last chunk");
}
