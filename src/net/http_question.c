/* http_question - see http_question.h. */
#include "net/http_question.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void __attribute__((format(printf, 2, 3)))
add(struct http_question *question, const char *format, ...)
{
    size_t room = sizeof question->bytes - question->size;
    va_list args;

    va_start(args, format);
    int length = vsnprintf(question->bytes + question->size, room, format, args);
    va_end(args);
    question->size += (size_t) length < room ? (size_t) length : room; /* full means too long */
}

/* Whether no byte is a control character, nor a blank when there must be none. */
static bool
is_clean(const char *text, bool blanks)
{
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char) *at;
        if (byte < ' ' || byte == 0x7f || (byte == ' ' && !blanks))
            return false;
    }
    return true;
}

static bool
wants_length(const struct http_request *request)
{
    return request->body_size > 0 || strcmp(request->method, "PUT") == 0 ||
           strcmp(request->method, "POST") == 0;
}

bool
http_question_write(struct http_question *question, const struct http_request *request,
                    const struct url *url, enum err err, struct fault *fault)
{
    bool has_host = false;

    question->size = 0;
    if (!is_clean(request->target, false))
        return fault_set(fault, err,
                         "the target of a request holds a blank or a control character");
    add(question, "%s %s HTTP/1.1\r\n", request->method, request->target);
    for (size_t i = 0; i < request->headers_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (!is_clean(header->value, true))
            return fault_set(fault, err, "header %s of a request holds a control character",
                             header->name);
        has_host = has_host || strcasecmp(header->name, "host") == 0;
        add(question, "%s: %s\r\n", header->name, header->value);
    }
    if (!has_host) {
        char host[URL_HOST_MAX + 16];
        url_host_header(url, host);
        add(question, "Host: %s\r\n", host);
    }
    if (wants_length(request))
        add(question, "Content-Length: %zu\r\n", request->body_size);
    if (request->expect_continue && request->body_size > 0)
        add(question, "Expect: 100-continue\r\n");
    add(question, "\r\n");
    if (question->size == sizeof question->bytes)
        return fault_set(fault, err, "the head of a request has %d bytes or more",
                         HTTP_HEAD_BYTES_MAX);
    return true;
}
