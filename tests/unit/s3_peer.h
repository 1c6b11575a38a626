/* s3_peer - a small HTTP server on loopback that plays the places where keys come from.
 *
 *      peer_begin(reply)   ─▶ a thread: accept, take a whole request, reply(), close, and so on
 *      peer_join, peer_end ─▶ joined
 *
 * reply() is given the whole request and writes the whole answer, status line first; an empty
 * answer is silence until the client leaves.  It runs in the server's thread, where cmocka's
 * assertions cannot go. */
#ifndef UNIT_S3_PEER_H
#define UNIT_S3_PEER_H

#include "support.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "s3/credentials_ask.h"

struct peer {
    void (*reply)(struct peer *peer, const char *request, struct text *answer);
    char url[64];
    struct text asked; /* all requests, one behind the other; peer_join() shows them */
    atomic_uint requests;
    atomic_int stage;  /* the test's own */
    int listener;
    pthread_t thread;
};

static inline size_t
peer_body_size(const char *request)
{
    const char *header = strcasestr(request, "\r\nContent-Length:");

    return header == NULL ? 0 : strtoull(header + 17, NULL, 10);
}

static inline void
peer_serve(struct peer *peer, int fd)
{
    struct text request = {0}, answer = {0};
    char piece[4096];
    ssize_t got = 1;

    for (;;) {
        const char *body = strstr(text_of(&request), "\r\n\r\n");
        if (body != NULL &&
            request.size >= (size_t) (body + 4 - request.data) + peer_body_size(request.data))
            break;
        got = recv(fd, piece, sizeof piece, 0);
        if (got <= 0)
            break;
        text_add_bytes(&request, piece, (size_t) got);
    }
    if (got > 0) {
        text_add_bytes(&peer->asked, request.data, request.size);
        atomic_fetch_add(&peer->requests, 1);
        peer->reply(peer, request.data, &answer);
        if (answer.size > 0)
            send(fd, answer.data, answer.size, MSG_NOSIGNAL);
        else
            while (recv(fd, piece, sizeof piece, 0) > 0)
                ;
    }
    text_free(&request);
    text_free(&answer);
    close(fd);
}

static inline void *
peer_run(void *context)
{
    struct peer *peer = context;
    int fd;

    while ((fd = accept(peer->listener, NULL, NULL)) >= 0)
        peer_serve(peer, fd);
    return NULL;
}

static inline void
peer_begin(struct peer *peer,
           void (*reply)(struct peer *peer, const char *request, struct text *answer))
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    *peer = (struct peer){.reply = reply, .listener = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(bind(peer->listener, (struct sockaddr *) &address, sizeof address), 0);
    assert_int_equal(listen(peer->listener, 16), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *) &address, &size), 0);
    snprintf(peer->url, sizeof peer->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

/* Let the server end, and show all that was asked.  The listener is shut, which wakes accept(). */
static inline const char *
peer_join(struct peer *peer)
{
    if (peer->listener >= 0) {
        shutdown(peer->listener, SHUT_RDWR);
        pthread_join(peer->thread, NULL);
        close(peer->listener);
        peer->listener = -1;
    }
    return text_of(&peer->asked);
}

static inline void
peer_end(struct peer *peer)
{
    peer_join(peer);
    text_free(&peer->asked);
}

static inline void
answer_add(struct text *answer, unsigned status, const char *body)
{
    text_addf(answer,
              "HTTP/1.1 %u Some Words\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
              status, strlen(body), body);
}

/* {"Code":"Success","AccessKeyId":"<access>",…} that ends so many seconds from now. */
static inline void
answer_add_keys(struct text *answer, const char *access, int64_t seconds)
{
    struct text body = {0};
    char end[32];

    clock_text(end, clock_epoch_ms() + (uint64_t) (seconds * 1000));
    text_addf(&body,
              "{\"Code\":\"Success\",\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"secret/of+%s\","
              "\"Token\":\"token==of+%s\",\"Expiration\":\"%s\"}",
              access, access, access, end);
    answer_add(answer, 200, text_of(&body));
    text_free(&body);
}

/* ---- a world of one peer, without any configuration ------------------------------------------ */

struct world {
    struct peer peer;
    struct stop stop;
    struct credentials_config config;
    struct ask_context context;
};

static inline void
world_begin(struct world *world,
            void (*reply)(struct peer *peer, const char *request, struct text *answer))
{
    struct fault fault = {0};

    peer_begin(&world->peer, reply);
    assert_true(stop_init(&world->stop, &fault));
    world->config = (struct credentials_config){
        .access_key = "", .secret_key = "", .session_token = "", .access_key_file = "",
        .secret_key_file = "", .session_token_file = "", .token_file = "", .role_arn = "",
        .role_session_name = "", .sts_endpoint = "", .region = "", .relative_uri = "",
        .full_uri = "", .authorization = "", .authorization_file = "", .metadata_endpoint = "",
        .metadata_timeout_ms = 1000, .metadata_attempts = 1,
    };
    world->context = (struct ask_context){&world->config, NULL, &world->stop};
}

static inline void
world_end(struct world *world)
{
    peer_end(&world->peer);
    stop_free(&world->stop);
}

static inline void
assert_says(const struct fault *fault, enum err err, const char *sentence)
{
    if (fault->err != err || strstr(fault->text, sentence) == NULL)
        fail_msg("'%s' is of another kind, or does not say '%s'", fault->text, sentence);
}

/* ---- files ---------------------------------------------------------------------------------- */

/* A file with this content, whose path is written into path. */
static inline void
file_make(char path[static 64], const char *content)
{
    snprintf(path, 64, "/tmp/replica-unit-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

static inline void
file_write(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

#endif
