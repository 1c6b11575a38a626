/* http_question - the head of a request, as it goes on the wire.  Pure: no I/O.  Threads: any. */
#ifndef NET_HTTP_QUESTION_H
#define NET_HTTP_QUESTION_H

#include "net/http.h"

struct http_question {
    size_t size;
    char bytes[HTTP_HEAD_BYTES_MAX]; /* may hold secrets: the owner wipes it */
};

/* Write a request's head.  Host is added when it is missing, Content-Length when there is a body or
 * the method wants one.  False when it is too long, or holds a byte that would end a line or a word
 * early (a token read from a file may bring one); the sentence never shows a value. */
bool http_question_write(struct http_question *question, const struct http_request *request,
                         const struct url *url, enum err err, struct fault *fault);

#endif
