/* tls - see tls.h.
 *
 *     tls_write ─▶ sendapp │ engine │ sendrec ─▶ send()
 *     tls_read  ◀─ recvapp │        │ recvrec ◀─ recv()
 *
 * The engine is a machine without hands: it shows which of its four windows are open, and we carry
 * bytes to and from them until the socket or the caller has to be waited for.  Each record is
 * received straight into the engine's buffer: first its five bytes of header, then the rest. */
#include "net/tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "net/tls_engine.h"
#include "net/tls_words.h"
#include "net/x509_check.h"

enum {
    RECORD_ALERT = 21, /* what a server's first record may be (RFC 5246 section 6.2.1) */
    RECORD_HANDSHAKE = 22,
    /* Records that say nothing (empty ones, warnings, requests to begin anew) cost a peer next to
     * nothing; after so many looks at the socket the caller looks at his clock and switch. */
    LOOKS_MAX = 256,
};

struct tls {
    int fd;
    struct tls_config config;
    const char *alpn[1]; /* the engine keeps a pointer to it */
    bool heard, alien;   /* a byte has come; it began no TLS record */
    bool done, ended;    /* the handshake is over; the peer said goodbye */
    bool refused;
    br_ec_impl ec;
    br_ssl_client_context client;
    struct x509_check check;
    uint8_t buffer[BR_SSL_BUFSIZE_BIDI];
};

_Static_assert(sizeof(struct tls) <= TLS_SESSION_BYTES, "tls.h promises it");

/* ---- beginning ------------------------------------------------------------------------ */

/* A name fit for SNI (RFC 6066 section 3): no address, no dot at the end; NULL when there is
 * none. */
static const char *
sni_name(const struct tls_config *config, char name[static TLS_NAME_BYTES])
{
    uint8_t address[sizeof(struct in6_addr)];
    size_t size = config->name == NULL ? 0 : strlen(config->name);

    if (!config->send_name || size == 0 || size >= TLS_NAME_BYTES ||
        inet_pton(AF_INET, config->name, address) == 1 || strchr(config->name, ':') != NULL)
        return NULL;
    size -= config->name[size - 1] == '.';
    memcpy(name, config->name, size);
    name[size] = '\0';
    return size == 0 ? NULL : name;
}

/* Whether a kept session was checked as this one would be. */
static bool
resume_fits(const struct tls_config *config)
{
    const struct tls_resume *resume = config->resume;

    return resume != NULL && resume->valid && config->name != NULL &&
           resume->trust == config->trust && resume->check_name == config->check_name &&
           strcmp(resume->name, config->name) == 0;
}

struct tls *
tls_begin(int fd, const struct tls_config *config)
{
    struct tls *tls = calloc(1, sizeof *tls);
    char name[TLS_NAME_BYTES];

    assert(config->peer != NULL);
    assert(config->name != NULL || !config->check_name);
    if (tls == NULL)
        memory_exhausted(sizeof *tls);
    tls->fd = fd;
    tls->config = *config;
    br_ssl_engine_context *engine = &tls->client.eng;
    tls_engine_init(&tls->client, &tls->ec);
    x509_check_init(&tls->check, config->trust, config->check_name ? config->name : NULL, &tls->ec);
    br_ssl_engine_set_x509(engine, &tls->check.vtable);
    br_ssl_engine_set_buffer(engine, tls->buffer, sizeof tls->buffer, 1);
    if (config->alpn != NULL) {
        tls->alpn[0] = config->alpn;
        br_ssl_engine_set_protocol_names(engine, tls->alpn, 1);
        if (config->alpn_required)
            br_ssl_engine_add_flags(engine, BR_OPT_FAIL_ON_ALPN_MISMATCH);
    }
    if (config->identity != NULL)
        identity_use(config->identity, &tls->client);
    bool resume = resume_fits(config);
    if (resume)
        br_ssl_engine_set_session_parameters(engine, &config->resume->parameters);
    int ready = br_ssl_client_reset(&tls->client, sni_name(config, name), resume);
    assert(ready == 1);
    return tls;
}

/* ---- failing -------------------------------------------------------------------------- */

static enum tls_step
fail_system(struct tls *tls, const char *verb, int error, struct fault *fault)
{
    fault_set(fault, tls->config.err, "unable to %s %s: %s", verb, tls->config.peer,
              strerror(error));
    return TLS_FAILED;
}

/* The engine has stopped, without the peer's goodbye to data that we have read. */
static enum tls_step
fail_engine(struct tls *tls, struct fault *fault)
{
    const struct tls_config *config = &tls->config;
    int error = br_ssl_engine_last_error(&tls->client.eng);
    struct tls_failure failure = {.peer = config->peer,
                                  .error = error,
                                  .alien = tls->alien,
                                  .server_shown = tls->check.ended,
                                  .identity = config->identity != NULL,
                                  .done = tls->done};

    if (error == BR_ERR_OK) {
        fault_set(fault, config->err, "%s ended the TLS session%s", config->peer,
                  tls->done ? "" : " during its handshake");
    } else if (!tls->done && tls->check.ended && tls->check.verdict != 0) {
        x509_check_explain(&tls->check, config->peer, config->err, fault);
        tls->refused = true;
    } else {
        tls_words_explain(&failure, &tls->refused, config->err, fault);
    }
    return TLS_FAILED;
}

static enum tls_step
fail_cut(struct tls *tls, struct fault *fault)
{
    fault_set(fault, tls->config.err,
              tls->done ? "%s closed the connection without ending the TLS session"
                        : "%s closed the connection during the TLS handshake",
              tls->config.peer);
    return TLS_FAILED;
}

/* ---- carrying ------------------------------------------------------------------------- */

static bool
would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

static unsigned
state_of(const struct tls *tls)
{
    return br_ssl_engine_current_state(&tls->client.eng);
}

/* Receive some bytes of a record.  TLS_CLOSED: the connection has ended. */
static enum tls_step
engine_receive(struct tls *tls, struct fault *fault)
{
    size_t room;
    unsigned char *window = br_ssl_engine_recvrec_buf(&tls->client.eng, &room);
    ssize_t got;

    assert(window != NULL);
    do
        got = recv(tls->fd, window, room, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return would_block(errno) ? TLS_WANT_READ
                                  : fail_system(tls, "read from", errno, fault);
    if (got == 0)
        return TLS_CLOSED;
    if (!tls->heard) {
        tls->heard = true;
        tls->alien = window[0] != RECORD_ALERT && window[0] != RECORD_HANDSHAKE;
    }
    br_ssl_engine_recvrec_ack(&tls->client.eng, (size_t) got);
    tls->ended |= tls->client.eng.shutdown_recv != 0;
    return TLS_OK;
}

/* Send what the engine holds ready.  TLS_OK: all of it. */
static enum tls_step
engine_send(struct tls *tls, struct fault *fault)
{
    size_t size;
    unsigned char *window;

    while ((window = br_ssl_engine_sendrec_buf(&tls->client.eng, &size)) != NULL) {
        ssize_t sent = send(tls->fd, window, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return would_block(errno) ? TLS_WANT_WRITE
                                      : fail_system(tls, "write to", errno, fault);
        br_ssl_engine_sendrec_ack(&tls->client.eng, (size_t) sent);
    }
    return TLS_OK;
}

/* ---- the handshake -------------------------------------------------------------------- */

static void
resume_keep(struct tls *tls)
{
    const struct tls_config *config = &tls->config;
    struct tls_resume *resume = config->resume;

    if (resume == NULL || config->name == NULL || strlen(config->name) >= sizeof resume->name)
        return;
    br_ssl_engine_get_session_parameters(&tls->client.eng, &resume->parameters);
    resume->trust = config->trust;
    resume->check_name = config->check_name;
    snprintf(resume->name, sizeof resume->name, "%s", config->name);
    resume->valid = resume->parameters.session_id_len > 0;
}

static enum tls_step
handshake_done(struct tls *tls, struct fault *fault)
{
    const struct tls_config *config = &tls->config;

    if (config->alpn != NULL && config->alpn_required && tls_alpn(tls)[0] == '\0') {
        fault_set(fault, config->err, "%s does not confirm that it speaks %s (ALPN)", config->peer,
                  config->alpn);
        tls->refused = true;
        return TLS_FAILED;
    }
    tls->done = true;
    resume_keep(tls);
    return TLS_OK;
}

/* The peer took no more: perhaps it had said why before. */
static enum tls_step
handshake_last_words(struct tls *tls, struct fault *sending, struct fault *fault)
{
    struct fault receiving = {0};

    for (unsigned looks = 0; (state_of(tls) & BR_SSL_RECVREC) != 0; looks++)
        if (looks == LOOKS_MAX || engine_receive(tls, &receiving) != TLS_OK) {
            fault_hand_over(fault, sending);
            return TLS_FAILED;
        }
    return fail_engine(tls, fault);
}

static enum tls_step
handshake_step(struct tls *tls, struct fault *fault)
{
    for (unsigned looks = 0;; looks++) {
        unsigned state = state_of(tls);
        struct fault sending = {0};
        enum tls_step step;
        if ((state & (BR_SSL_SENDAPP | BR_SSL_RECVAPP)) != 0)
            return handshake_done(tls, fault);
        if ((state & BR_SSL_CLOSED) != 0)
            return fail_engine(tls, fault);
        if ((state & BR_SSL_SENDREC) != 0) {
            step = engine_send(tls, &sending);
            if (step == TLS_FAILED)
                return handshake_last_words(tls, &sending, fault);
        } else if (looks >= LOOKS_MAX) {
            return TLS_WANT_READ;
        } else {
            step = engine_receive(tls, fault);
        }
        if (step == TLS_CLOSED)
            return fail_cut(tls, fault);
        if (step != TLS_OK)
            return step;
    }
}

enum tls_step
tls_handshake(struct tls *tls, struct fault *fault)
{
    if (tls->done)
        return TLS_OK;
    enum tls_step step = handshake_step(tls, fault);
    if (step == TLS_FAILED && tls->config.resume != NULL)
        tls->config.resume->valid = false;
    return step;
}

/* ---- data ----------------------------------------------------------------------------- */

enum tls_step
tls_read(struct tls *tls, void *data, size_t size, size_t *got, struct fault *fault)
{
    br_ssl_engine_context *engine = &tls->client.eng;

    assert(tls->done && size > 0);
    *got = 0;
    for (unsigned looks = 0;; looks++) {
        size_t held;
        struct fault unheard = {0};
        const unsigned char *window = br_ssl_engine_recvapp_buf(engine, &held);
        if (window != NULL) {
            *got = held < size ? held : size;
            memcpy(data, window, *got);
            br_ssl_engine_recvapp_ack(engine, *got);
            return TLS_OK;
        }
        /* What waits to be sent must not keep us from reading; its failure shows here, too. */
        engine_send(tls, &unheard);
        unsigned state = state_of(tls);
        if (tls->ended)
            return TLS_CLOSED;
        if ((state & BR_SSL_CLOSED) != 0)
            return fail_engine(tls, fault);
        if ((state & BR_SSL_RECVREC) == 0)
            return TLS_WANT_WRITE;
        if (looks >= LOOKS_MAX)
            return TLS_WANT_READ;
        enum tls_step step = engine_receive(tls, fault);
        if (step == TLS_CLOSED)
            return fail_cut(tls, fault);
        if (step != TLS_OK)
            return step;
    }
}

/* Make room in the engine for data: send what it holds, or let the peer finish what it began.
 * TLS_OK: look again. */
static enum tls_step
room_make(struct tls *tls, struct fault *fault)
{
    unsigned state = state_of(tls);

    if ((state & BR_SSL_CLOSED) != 0 || tls->ended)
        return fail_engine(tls, fault);
    if ((state & BR_SSL_SENDREC) != 0)
        return engine_send(tls, fault);
    enum tls_step step = engine_receive(tls, fault);
    return step == TLS_CLOSED ? fail_cut(tls, fault) : step;
}

enum tls_step
tls_write(struct tls *tls, const void *data, size_t size, size_t *took, struct fault *fault)
{
    br_ssl_engine_context *engine = &tls->client.eng;
    const uint8_t *at = data;

    assert(tls->done && size > 0);
    *took = 0;
    while (*took < size) {
        size_t room;
        unsigned char *window = br_ssl_engine_sendapp_buf(engine, &room);
        if (window != NULL) {
            if (room > size - *took)
                room = size - *took;
            memcpy(window, at + *took, room);
            br_ssl_engine_sendapp_ack(engine, room);
            *took += room;
            continue;
        }
        enum tls_step step = room_make(tls, fault);
        if (step == TLS_FAILED)
            return step;
        if (step != TLS_OK)
            return *took > 0 ? TLS_OK : step;
    }
    return TLS_OK;
}

enum tls_step
tls_flush(struct tls *tls, struct fault *fault)
{
    assert(tls->done);
    for (;;) {
        if ((state_of(tls) & BR_SSL_CLOSED) != 0)
            return fail_engine(tls, fault);
        br_ssl_engine_flush(&tls->client.eng, 0);
        if ((state_of(tls) & BR_SSL_SENDREC) == 0)
            return TLS_OK;
        enum tls_step step = engine_send(tls, fault);
        if (step != TLS_OK)
            return step;
    }
}

/* ---- what was agreed ------------------------------------------------------------------ */

size_t
tls_pending(const struct tls *tls)
{
    size_t held;
    return br_ssl_engine_recvapp_buf(&tls->client.eng, &held) == NULL ? 0 : held;
}

bool
tls_refused(const struct tls *tls)
{
    return tls->refused;
}

size_t
tls_certificate_hash(const struct tls *tls, uint8_t digest[static 64])
{
    memcpy(digest, tls->check.digest, tls->check.digest_size);
    return tls->check.digest_size;
}

static unsigned
suite_of(const struct tls *tls)
{
    br_ssl_session_parameters parameters;

    br_ssl_engine_get_session_parameters(&tls->client.eng, &parameters);
    unsigned suite = tls->done ? parameters.cipher_suite : 0;
    explicit_bzero(&parameters, sizeof parameters);
    return suite;
}

const char *
tls_version_name(const struct tls *tls)
{
    return tls->done ? "TLSv1.2" : "";
}

const char *
tls_cipher_name(const struct tls *tls)
{
    return tls_engine_suite_name(suite_of(tls));
}

unsigned
tls_cipher_bits(const struct tls *tls)
{
    return tls_engine_suite_bits(suite_of(tls));
}

const char *
tls_alpn(const struct tls *tls)
{
    /* BearSSL only reads, but does not say so. */
    const char *agreed =
        br_ssl_engine_get_selected_protocol((br_ssl_engine_context *) &tls->client.eng);
    return agreed == NULL ? "" : agreed;
}

void
tls_end(struct tls *tls)
{
    struct fault unheard = {0};

    if (tls == NULL)
        return;
    if (tls->done) {
        br_ssl_engine_close(&tls->client.eng);
        engine_send(tls, &unheard);
    }
    explicit_bzero(tls, sizeof *tls);
    free(tls);
}
