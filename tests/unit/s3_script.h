/* s3_script - a store on loopback that answers as a script says, request after request, and keeps
 * its connections.
 *
 *      script_begin(turns) ─▶ a thread: any connection's next request gets the next turn
 *      script_end          ─▶ joined; every turn must have been taken, and none too many
 *
 * A turn that expects another request ends the program: it runs in the thread of the server, where
 * cmocka's assertions cannot go. */
#ifndef UNIT_S3_SCRIPT_H
#define UNIT_S3_SCRIPT_H

#include "support.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "s3/s3.h"

enum { SCRIPT_TURNS_MAX = 64, SCRIPT_CONNECTIONS_MAX = 15 };

enum script_way {
    SCRIPT_ANSWER,
    SCRIPT_CUT,       /* close without a word */
    SCRIPT_HALF,      /* half of the body, then close */
    SCRIPT_ALIEN,     /* what is no HTTP, then close */
    SCRIPT_BAREHEAD,  /* the answer to HEAD: a length, and no body */
    SCRIPT_STOP_HANG, /* throw the stop switch, and say nothing */
    SCRIPT_STOP_HALF, /* half of the body, then throw the stop switch, and no more */
};

struct turn {
    const char *asks;     /* what the request begins with */
    unsigned status;
    const char *headers;  /* each with its \r\n, $MARK is the last mark that came; NULL */
    const char *body;     /* NULL for none */
    enum script_way way;
    const char *holds, *lacks; /* what the head or body must have, or must not; NULL */
    void (*act)(void);         /* called before the answer; NULL */
};

struct script {
    char url[64];
    const struct turn *turns;
    size_t turns_count;
    atomic_size_t taken;
    char mark[65]; /* x-amz-meta-replica-mark of the last request that had one */
    struct text requests[SCRIPT_TURNS_MAX]; /* as they came; to be looked at after script_end() */
    struct stop stop;
    int listener;
    pthread_t thread;
};

/* Take a whole request; false when the client has gone. */
static inline bool
script_request(int fd, struct text *request)
{
    char piece[65536];
    bool asked = false;

    text_clear(request);
    for (;;) {
        const char *body = strstr(text_of(request), "\r\n\r\n");
        if (body != NULL) {
            size_t head = (size_t) (body + 4 - request->data);
            const char *length = strcasestr(request->data, "\r\nContent-Length:");
            if (request->size >= head + (length == NULL ? 0 : strtoull(length + 17, NULL, 10)))
                return true;
            if (!asked && strcasestr(request->data, "\r\nExpect: 100-continue") != NULL)
                send(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
            asked = true;
        }
        ssize_t got = recv(fd, piece, sizeof piece, 0);
        if (got <= 0)
            return false;
        text_add_bytes(request, piece, (size_t) got);
    }
}

static inline void
script_check(const struct turn *turn, const struct text *request)
{
    if (strncmp(request->data, turn->asks, strlen(turn->asks)) != 0 ||
        (turn->holds != NULL && strstr(request->data, turn->holds) == NULL) ||
        (turn->lacks != NULL && strstr(request->data, turn->lacks) != NULL)) {
        fprintf(stderr, "expected %s with %s, without %s; got:\n%s\n", turn->asks,
                turn->holds, turn->lacks, request->data);
        abort();
    }
}

/* Answer a request.  False when the connection shall be closed. */
static inline bool
script_answer(struct script *script, int fd, const struct turn *turn)
{
    const char *headers = turn->headers == NULL ? "" : turn->headers;
    const char *body = turn->body == NULL ? "" : turn->body;
    size_t size = strlen(body);
    struct text answer = {0};

    if (turn->act != NULL)
        turn->act();
    if (turn->way == SCRIPT_CUT)
        return false;
    if (turn->way == SCRIPT_ALIEN) {
        send(fd, "SSH-2.0-OpenSSH\r\n", 17, MSG_NOSIGNAL);
        return false;
    }
    if (turn->way == SCRIPT_STOP_HANG) {
        stop_request(&script->stop, 0);
        return true;
    }
    const char *mark = strstr(headers, "$MARK");
    text_addf(&answer, "HTTP/1.1 %u Some Words\r\n%.*s%s%s", turn->status,
              (int) (mark == NULL ? 0 : mark - headers), headers,
              mark == NULL ? "" : script->mark, mark == NULL ? headers : mark + 5);
    if (turn->status != 204 && strcasestr(headers, "Content-Length:") == NULL)
        text_addf(&answer, "Content-Length: %zu\r\n", size);
    text_add(&answer, "\r\n");
    text_add_bytes(&answer, body, turn->way == SCRIPT_ANSWER ? size : size / 2);
    send(fd, answer.data, answer.size, MSG_NOSIGNAL);
    if (turn->way == SCRIPT_STOP_HALF)
        stop_request(&script->stop, 0);
    text_free(&answer);
    return turn->way != SCRIPT_HALF;
}

/* Serve one request; false when the connection is over. */
static inline bool
script_serve(struct script *script, int fd)
{
    size_t taken = atomic_load(&script->taken);
    struct text request = {0};

    if (!script_request(fd, &request)) {
        text_free(&request);
        return false;
    }
    if (taken >= script->turns_count) {
        fprintf(stderr, "a request too many:\n%s\n", request.data);
        abort();
    }
    script_check(&script->turns[taken], &request);
    const char *mark = strstr(request.data, "\r\nx-amz-meta-replica-mark: ");
    if (mark != NULL)
        snprintf(script->mark, sizeof script->mark, "%s", mark + 27);
    script->requests[taken] = request;
    atomic_store(&script->taken, taken + 1);
    return script_answer(script, fd, &script->turns[taken]);
}

static inline void *
script_run(void *context)
{
    struct script *script = context;
    struct pollfd polls[SCRIPT_CONNECTIONS_MAX + 1] = {
        {.fd = script->listener, .events = POLLIN}};
    nfds_t count = 1;

    while (poll(polls, count, -1) >= 0) {
        for (nfds_t i = count - 1; i > 0; i--)
            if (polls[i].revents != 0 && !script_serve(script, polls[i].fd)) {
                close(polls[i].fd);
                polls[i] = polls[--count];
            }
        if (polls[0].revents == 0)
            continue;
        int fd = accept4(script->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            break;
        assert(count <= SCRIPT_CONNECTIONS_MAX);
        polls[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    while (count > 1)
        close(polls[--count].fd);
    return NULL;
}

static inline void
script_begin(struct script *script, const struct turn *turns, size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct fault fault = {0};

    assert_true(count <= SCRIPT_TURNS_MAX);
    *script = (struct script){.turns = turns, .turns_count = count};
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(script->listener, (struct sockaddr *) &address, sizeof address), 0);
    assert_int_equal(listen(script->listener, 16), 0);
    assert_int_equal(getsockname(script->listener, (struct sockaddr *) &address, &size), 0);
    snprintf(script->url, sizeof script->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    assert_true(stop_init(&script->stop, &fault));
    assert_int_equal(pthread_create(&script->thread, NULL, script_run, script), 0);
}

static inline void
script_end(struct script *script)
{
    shutdown(script->listener, SHUT_RDWR);
    pthread_join(script->thread, NULL);
    close(script->listener);
    stop_free(&script->stop);
    assert_int_equal(atomic_load(&script->taken), script->turns_count);
}

static inline void
script_free(struct script *script)
{
    for (size_t i = 0; i < script->turns_count; i++)
        text_free(&script->requests[i]);
}

/* A client of the script's store, with the bucket "bucket". */
static inline struct s3_config
script_config(const struct script *script)
{
    return (struct s3_config){
        .bucket = "bucket",
        .endpoint = script->url,
        .region = "",
        .sse = "",
        .kms_key = "",
        .storage_class = "",
        .attempts_max = 3,
        .ca_file = "",
        .credentials = {.access_key = "AKID", .secret_key = "hush"},
    };
}

static inline struct s3 *
script_client(struct script *script, const struct s3_config *config)
{
    struct fault fault = {0};
    struct s3 *s3 = s3_open(config, &script->stop, &fault);

    if (s3 == NULL)
        fail_msg("%s", fault.text);
    return s3;
}

#define SCRIPT(script, turns) script_begin(script, turns, sizeof turns / sizeof *turns)

#define assert_says(fault, word) \
    do { \
        if (strstr((fault).text, word) == NULL) \
            fail_msg("\"%s\" does not speak of \"%s\"", (fault).text, word); \
    } while (0)

#endif
