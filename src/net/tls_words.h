/* tls_words - what a failed session was about, for people.  Threads: any. */
#ifndef NET_TLS_WORDS_H
#define NET_TLS_WORDS_H

#include <stdbool.h>

#include "base/fault.h"

/* What is known when a session fails. */
struct tls_failure {
    const char *peer;
    int error;         /* of the engine: BR_ERR_*, or an alert + BR_ERR_RECV_FATAL_ALERT */
    bool alien;        /* the peer's first byte began no TLS record */
    bool server_shown; /* the peer's certificate had been accepted */
    bool identity;     /* we had a certificate to show */
    bool done;         /* the handshake was over */
};

/* Say so; *refused tells whether trying again cannot help.  Always returns false. */
bool tls_words_explain(const struct tls_failure *failure, bool *refused, enum err err,
                       struct fault *fault);

#endif
