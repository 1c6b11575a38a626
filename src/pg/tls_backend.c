/* tls_backend - see tls_backend.h. */
#include "pg/libpq_inside.h"

#include "pg/tls_backend.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/tls_backend_options.h"

/* What PGconn has no field for. */
struct session {
    struct session *next;
    const PGconn *conn;
    struct tls_options options;
    struct tls *tls;
    size_t held; /* bytes that the session has taken, but which libpq does not know to be sent */
    struct fault fault;
    char bits[12];
};

static pthread_mutex_t sessions_lock = PTHREAD_MUTEX_INITIALIZER;
static struct session *sessions;

static struct session *
session_of(const PGconn *conn)
{
    pthread_mutex_lock(&sessions_lock);
    struct session *session = sessions;
    while (session != NULL && session->conn != conn)
        session = session->next;
    pthread_mutex_unlock(&sessions_lock);
    return session;
}

static void
session_free(struct session *session)
{
    tls_end(session->tls);
    tls_options_close(&session->options);
    free(session);
}

static struct session *
session_begin(PGconn *conn)
{
    assert(libpq_inside_agrees(conn));
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        memory_exhausted(sizeof *session);
    if (!tls_options_open(&session->options, conn, &session->fault)) {
        libpq_append_conn_error(conn, "%s", session->fault.text);
        session_free(session);
        return NULL;
    }
    session->conn = conn;
    session->tls = tls_begin(conn->sock, &session->options.config);
    pthread_mutex_lock(&sessions_lock);
    session->next = sessions;
    sessions = session;
    pthread_mutex_unlock(&sessions_lock);
    conn->ssl_in_use = true; /* from the first step on, libpq's own OpenSSL does the same */
    return session;
}

PostgresPollingStatusType
pgtls_open_client(PGconn *conn)
{
    struct session *session = session_of(conn);

    if (session == NULL)
        session = session_begin(conn);
    if (session == NULL)
        return PGRES_POLLING_FAILED;
    switch (tls_handshake(session->tls, &session->fault)) {
    case TLS_OK:
        return PGRES_POLLING_OK;
    case TLS_WANT_READ:
        return PGRES_POLLING_READING;
    case TLS_WANT_WRITE:
        return PGRES_POLLING_WRITING;
    case TLS_CLOSED:
    case TLS_FAILED:
        break;
    }
    libpq_append_conn_error(conn, "%s", session->fault.text);
    pgtls_close(conn);
    return PGRES_POLLING_FAILED;
}

/* libpq takes 0 for "nothing yet", wire.c for the end; so nothing yet is EWOULDBLOCK to both, and
 * an end, which is never due in PostgreSQL's protocol, is a failure. */
ssize_t
pgtls_read(PGconn *conn, void *ptr, size_t len)
{
    struct session *session = session_of(conn);
    size_t got;

    assert(session != NULL && len > 0);
    switch (tls_read(session->tls, ptr, len, &got, &session->fault)) {
    case TLS_OK:
        errno = 0;
        return (ssize_t) got;
    case TLS_WANT_READ:
    case TLS_WANT_WRITE:
        errno = EWOULDBLOCK;
        return -1;
    case TLS_CLOSED:
        fault_set(&session->fault, ERR_SOURCE, "%s closed the connection", session->options.peer);
        break;
    case TLS_FAILED:
        break;
    }
    libpq_append_conn_error(conn, "%s", session->fault.text);
    errno = ECONNRESET;
    return -1;
}

ssize_t
pgtls_bytes_pending(PGconn *conn)
{
    const struct session *session = session_of(conn);
    assert(session != NULL);
    return (ssize_t) tls_pending(session->tls);
}

/* A connection that can't be written to may still have the server's last word to be read, which is
 * the better sentence.  So libpq wants the failure noted, and the bytes taken for sent. */
static void
write_failed(PGconn *conn, const struct session *session)
{
    size_t size = strlen(session->fault.text) + 2;

    conn->write_failed = true;
    conn->write_err_msg = malloc(size);
    if (conn->write_err_msg == NULL)
        memory_exhausted(size);
    snprintf(conn->write_err_msg, size, "%s\n", session->fault.text);
}

/* What the session has taken is sealed in a record and can't be taken back, but it is sent only
 * when all of the record has gone to the socket; until then libpq must think that it is not, or
 * nobody would wait for the socket.  It calls again with the same bytes in front, and perhaps more
 * behind them (pqPutMsgEnd() in fe-misc.c); those it calls again with are passed over. */
ssize_t
pgtls_write(PGconn *conn, const void *ptr, size_t len)
{
    struct session *session = session_of(conn);
    size_t sent = 0;

    assert(session != NULL && session->held <= len);
    while (sent < len && !conn->write_failed) {
        enum tls_step step = TLS_OK;
        if (session->held == 0)
            step = tls_write(session->tls, (const char *) ptr + sent, len - sent, &session->held,
                             &session->fault);
        if (session->held > 0)
            step = tls_flush(session->tls, &session->fault);
        if (step == TLS_OK) {
            sent += session->held;
            session->held = 0;
        } else if (step == TLS_FAILED) {
            write_failed(conn, session);
        } else {
            errno = EWOULDBLOCK;
            return sent > 0 ? (ssize_t) sent : -1;
        }
    }
    errno = 0;
    return (ssize_t) len;
}

void
pgtls_close(PGconn *conn)
{
    struct session *found = NULL;

    pthread_mutex_lock(&sessions_lock);
    for (struct session **at = &sessions; *at != NULL; at = &(*at)->next) {
        if ((*at)->conn == conn) {
            found = *at;
            *at = found->next;
            break;
        }
    }
    pthread_mutex_unlock(&sessions_lock);
    if (found != NULL)
        session_free(found);
    conn->ssl_in_use = false;
}

char *
pgtls_get_peer_certificate_hash(PGconn *conn, size_t *len)
{
    const struct session *session = session_of(conn);
    uint8_t digest[64];

    assert(session != NULL);
    *len = tls_certificate_hash(session->tls, digest);
    if (*len == 0) {
        libpq_append_conn_error(conn, "the certificate of %s is signed with a hash that channel "
                                      "binding does not know", session->options.peer);
        return NULL;
    }
    char *hash = malloc(*len);
    if (hash == NULL)
        memory_exhausted(*len);
    return memcpy(hash, digest, *len);
}

const char *
tls_backend_complaint(const PGconn *conn)
{
    const struct session *session = session_of(conn);
    return session == NULL ? "" : session->fault.text;
}

/* ---- what libpq's users may ask -------------------------------------------------------------- */

void *
PQgetssl(PGconn *conn)
{
    (void) conn;
    return NULL; /* it means OpenSSL's own object */
}

void *
PQsslStruct(PGconn *conn, const char *struct_name)
{
    (void) conn;
    (void) struct_name;
    return NULL;
}

const char *const *
PQsslAttributeNames(PGconn *conn)
{
    static const char *const names[] = {"library",     "key_bits", "cipher",
                                        "compression", "protocol", "alpn", NULL};
    static const char *const none[] = {NULL};

    return conn == NULL || session_of(conn) != NULL ? names : none;
}

const char *
PQsslAttribute(PGconn *conn, const char *attribute_name)
{
    struct session *session = conn == NULL ? NULL : session_of(conn);

    if (strcmp(attribute_name, "library") == 0)
        return conn == NULL || session != NULL ? "BearSSL" : NULL;
    if (session == NULL)
        return NULL;
    if (strcmp(attribute_name, "key_bits") == 0) {
        snprintf(session->bits, sizeof session->bits, "%u", tls_cipher_bits(session->tls));
        return session->bits;
    }
    if (strcmp(attribute_name, "cipher") == 0)
        return tls_cipher_name(session->tls);
    if (strcmp(attribute_name, "compression") == 0)
        return "off";
    if (strcmp(attribute_name, "protocol") == 0)
        return tls_version_name(session->tls);
    return strcmp(attribute_name, "alpn") == 0 ? tls_alpn(session->tls) : NULL;
}
