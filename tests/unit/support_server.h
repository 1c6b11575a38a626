/* support_server - a scripted peer that speaks just enough of PostgreSQL's protocol 3 to be met by
 * the real libpq, byte by byte if a test wants so.
 *
 *      test                                 server's thread
 *      server_begin(script) ───────────────▶ waits for a connection
 *      pg_open(server.uri)  ◀──────────────▶ shakes hands, says who it is, agrees
 *      …                    ◀──────────────▶ script()
 *      server_end()         ───────────────▶ joined; the script has run to its end
 *
 * It listens on an abstract Unix socket, where the sender can see when its bytes have been taken:
 * so pieces arrive as pieces.  The script runs in a thread of its own, where cmocka's assertions
 * cannot go; it uses assert().
 *
 * Source: PostgreSQL documentation, "Message Formats". */
#ifndef UNIT_SUPPORT_SERVER_H
#define UNIT_SUPPORT_SERVER_H

#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

struct server {
    char uri[128];
    int listener, fd;
    void (*script)(struct server *server);
    void *context;         /* the test's own */
    pthread_t thread;
    atomic_uint cancels;   /* cancel requests that came */
    char type;             /* of the message that server_message() took last */
    struct bytes message;  /* its body */
};

void server_begin(struct server *server, void (*script)(struct server *server), void *context);
void server_end(struct server *server);

/* Take the next message; false when the client has gone. */
bool server_message(struct server *server);

/* Take messages until one of this type has come. */
void server_expect(struct server *server, char type);

/* Send bytes in pieces of at most this size, each one when the piece before has been taken; 0 sends
 * all at once.  Returns false when the client has gone. */
bool server_send(struct server *server, const void *data, size_t size, size_t piece);

/* Close the connection. */
void server_cut(struct server *server);

/* ---- messages ------------------------------------------------------------------------ */

void message_add(struct bytes *bytes, char type, const void *body, size_t size);
void message_add_text(struct bytes *bytes, char type, const char *body); /* with its final zero */
void message_add_ready(struct bytes *bytes);
void message_add_error(struct bytes *bytes, char type, const char *sentence); /* 'E' or 'N' */
void message_add_copy(struct bytes *bytes, char type); /* 'H' out, 'G' in: text, two columns */

#endif
