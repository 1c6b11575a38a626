/* support_http - a scripted TCP peer on loopback, which may speak HTTP, in the clear or under TLS.
 *
 *      test                              site's thread
 *      site_begin(script) ─────────────▶ script(): site_accept ── site_question ── site_answer …
 *      http_send(…)       ◀────────────▶
 *      site_end()         ─────────────▶ joined; the script has run to its end
 *
 * The script runs in a thread of its own, where cmocka's assertions cannot go; it uses assert(). */
#ifndef UNIT_SUPPORT_HTTP_H
#define UNIT_SUPPORT_HTTP_H

#include "support.h"

#include <bearssl.h>
#include <pthread.h>

struct peer;

struct site {
    unsigned port;
    int listener, fd;         /* fd: of the connection under way, or -1 */
    void (*script)(struct site *site);
    void *context;            /* the test's own */
    pthread_t thread;
    struct peer *tls;         /* of support_tls, after peer_begin(); NULL: in the clear */
    br_sslio_context io;
    char question[64 * 1024]; /* the head that site_question() took last, ended by a zero */
};

/* Listen on 127.0.0.1, and run the script. */
void site_begin(struct site *site, void (*script)(struct site *site), void *context);
void site_end(struct site *site);

/* Close the connection under way, and wait for the next one. */
void site_accept(struct site *site);

/* Take bytes; false when the client has gone.  data may be NULL: they are dropped. */
bool site_receive(struct site *site, void *data, size_t size);

/* Take a request's head, up to its empty line. */
bool site_question(struct site *site);

/* Send text in pieces of at most so many bytes, each when the one before has arrived; 0 is all at
 * once.  False when the client has gone. */
bool site_send(struct site *site, const void *data, size_t size, size_t piece);
bool site_answer(struct site *site, const char *text);

/* Wait until the client closes; what it sends is dropped. */
void site_wait_closed(struct site *site);

/* End the connection: with a goodbye, without (TLS), or with a reset that drops what is unread. */
void site_close(struct site *site);
void site_cut(struct site *site);
void site_reset(struct site *site);

#endif
