/* tls_backend: whatever a TLS session takes, keeps back or refuses, libpq is told neither too much
 * nor too little: no byte is sent twice, none is lost, nothing is waited for that is already here.
 *
 * The session is a scripted one, in place of net/tls.c. */
#include "pg/libpq_inside.h"

#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tls.h"
#include "pg/tls_backend.h"
#include "pg/wire.h"

/* ---- the scripted session ------------------------------------------------------------ */

struct tls {
    struct bytes sent;  /* what has gone to the socket */
    struct bytes taken; /* what waits for it */
    uint64_t noise;
    bool clogged, broken;
    const char *incoming; /* what it will read, in records; then it ends, or falls silent */
    size_t record, left;  /* the size of a record; how much of one is open */
    bool closed;
    unsigned handshakes;
    const struct tls_config *config;
};

static __thread struct tls *last; /* the session that was begun last in this thread */

struct tls *
tls_begin(int fd, const struct tls_config *config)
{
    assert_true(fd >= 0);
    last = calloc(1, sizeof *last);
    last->noise = 1;
    last->incoming = "";
    last->record = 3;
    last->config = config;
    return last;
}

enum tls_step
tls_handshake(struct tls *tls, struct fault *fault)
{
    if (tls->broken) {
        fault_set(fault, ERR_SOURCE, "the certificate is a bad one");
        return TLS_FAILED;
    }
    static const enum tls_step steps[] = {TLS_WANT_WRITE, TLS_WANT_READ, TLS_OK};
    return steps[tls->handshakes++];
}

enum tls_step
tls_read(struct tls *tls, void *data, size_t size, size_t *got, struct fault *fault)
{
    assert_true(size > 0);
    if (tls->left == 0)
        tls->left = strnlen(tls->incoming, tls->record);
    *got = tls->left < size ? tls->left : size;
    memcpy(data, tls->incoming, *got);
    tls->incoming += *got;
    tls->left -= *got;
    if (*got > 0)
        return TLS_OK;
    if (tls->broken)
        fault_set(fault, ERR_SOURCE, "the record is a bad one");
    return tls->broken ? TLS_FAILED : tls->closed ? TLS_CLOSED : TLS_WANT_READ;
}

enum tls_step
tls_write(struct tls *tls, const void *data, size_t size, size_t *took, struct fault *fault)
{
    (void) fault;
    *took = 0;
    if (tls->clogged && noise_next(&tls->noise) % 3 == 0)
        return TLS_WANT_WRITE;
    *took = 1 + noise_next(&tls->noise) % (size < 100 ? size : 100);
    bytes_add(&tls->taken, data, *took);
    return tls->clogged && noise_next(&tls->noise) % 3 == 0 ? TLS_WANT_WRITE : TLS_OK;
}

enum tls_step
tls_flush(struct tls *tls, struct fault *fault)
{
    if (tls->broken) {
        fault_set(fault, ERR_SOURCE, "the socket is a bad one");
        return TLS_FAILED;
    }
    if (tls->clogged && noise_next(&tls->noise) % 2 == 0)
        return TLS_WANT_WRITE;
    bytes_add(&tls->sent, tls->taken.data, tls->taken.size);
    tls->taken.size = 0;
    return TLS_OK;
}

size_t
tls_pending(const struct tls *tls)
{
    return tls->left;
}

bool
tls_refused(const struct tls *tls)
{
    return tls->broken;
}

size_t
tls_certificate_hash(const struct tls *tls, uint8_t digest[static 64])
{
    memset(digest, 7, 64);
    return tls->broken ? 0 : 48;
}

const char *
tls_version_name(const struct tls *tls)
{
    (void) tls;
    return "TLSv1.2";
}

const char *
tls_cipher_name(const struct tls *tls)
{
    (void) tls;
    return "THE-CIPHER";
}

unsigned
tls_cipher_bits(const struct tls *tls)
{
    (void) tls;
    return 256;
}

const char *
tls_alpn(const struct tls *tls)
{
    return tls->config->alpn;
}

void
tls_end(struct tls *tls)
{
    if (tls == NULL)
        return;
    bytes_free(&tls->sent);
    bytes_free(&tls->taken);
    free(tls);
}

struct trust *
trust_open(const char *file, const char *directory, enum err err, struct fault *fault)
{
    (void) directory;
    fault_set(fault, err, "no trust in %s", file);
    return NULL;
}

struct trust *
trust_open_system(enum err err, struct fault *fault)
{
    return trust_open("the system", NULL, err, fault);
}

void
trust_close(struct trust *trust)
{
    assert_null(trust);
}

struct identity *
identity_open(const char *certificate_file, const char *key_file, enum err err, struct fault *fault)
{
    (void) key_file;
    fault_set(fault, err, "no identity in %s", certificate_file);
    return NULL;
}

void
identity_close(struct identity *identity)
{
    assert_null(identity);
}

/* ---- a connection that has come as far as TLS ---------------------------------------- */

static int listener;
static int port;

static int
begin_listening(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    (void) state;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *) &address, size), 0);
    assert_int_equal(listen(listener, 64), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &size), 0);
    port = ntohs(address.sin_port);
    return 0;
}

static int
end_listening(void **state)
{
    (void) state;
    return close(listener);
}

static PGconn *
begin_connection(const char *more)
{
    char options[256];

    snprintf(options, sizeof options, "host=127.0.0.1 port=%d user=u sslmode=require %s", port,
             more);
    PGconn *pq = PQconnectStart(options);
    assert_non_null(pq);
    assert_int_not_equal(PQstatus(pq), CONNECTION_BAD);
    return pq;
}

static PGconn *
shake_hands(void)
{
    PGconn *pq = begin_connection("");

    assert_int_equal(pgtls_open_client(pq), PGRES_POLLING_WRITING);
    assert_int_equal(PQsslInUse(pq), 1);
    assert_int_equal(pgtls_open_client(pq), PGRES_POLLING_READING);
    assert_int_equal(pgtls_open_client(pq), PGRES_POLLING_OK);
    return pq;
}

/* ---- tests --------------------------------------------------------------------------- */

static void
test_handshake(void **state)
{
    char expected[64];
    (void) state;

    PGconn *pq = shake_hands();
    snprintf(expected, sizeof expected, "127.0.0.1:%d", port);
    assert_string_equal(last->config->peer, expected);
    assert_string_equal(last->config->alpn, "postgresql");
    assert_string_equal(PQsslAttribute(pq, "library"), "BearSSL");
    assert_string_equal(PQsslAttribute(pq, "protocol"), "TLSv1.2");
    assert_string_equal(PQsslAttribute(pq, "cipher"), "THE-CIPHER");
    assert_string_equal(PQsslAttribute(pq, "key_bits"), "256");
    assert_string_equal(PQsslAttribute(pq, "compression"), "off");
    assert_string_equal(PQsslAttribute(pq, "alpn"), "postgresql");
    assert_null(PQsslAttribute(pq, "colour"));
    assert_string_equal(PQsslAttributeNames(pq)[0], "library");
    PQfinish(pq);

    pq = begin_connection("");
    assert_null(PQsslAttribute(pq, "library"));
    assert_null(PQsslAttributeNames(pq)[0]);
    PQfinish(pq);
}

static void
test_failures_are_told(void **state)
{
    (void) state;

    PGconn *pq = begin_connection("");
    assert_int_equal(pgtls_open_client(pq), PGRES_POLLING_WRITING);
    last->broken = true;
    assert_int_equal(pgtls_open_client(pq), PGRES_POLLING_FAILED);
    assert_int_equal(PQsslInUse(pq), 0);
    assert_non_null(strstr(PQerrorMessage(pq), "the certificate is a bad one\n"));
    assert_string_equal(tls_backend_complaint(pq), "");
    PQfinish(pq);

    pq = begin_connection("sslrootcert=/dev/null");
    assert_int_equal(pgtls_open_client(pq), PGRES_POLLING_FAILED);
    assert_int_equal(PQsslInUse(pq), 0);
    assert_non_null(strstr(PQerrorMessage(pq), "no trust in /dev/null\n"));
    PQfinish(pq);
}

/* As pqSendSome() does: what was not sent is offered again, with more behind it. */
static void
test_each_byte_once(void **state)
{
    uint64_t noise = 5;
    struct bytes data = {0};
    (void) state;

    bytes_add_noise(&data, 3, 200000);
    PGconn *pq = shake_hands();
    last->clogged = true;
    size_t sent = 0, offered = 0;
    unsigned waits = 0;
    while (sent < data.size) {
        if (offered == 0 || noise_next(&noise) % 2 == 0)
            offered += 1 + noise_next(&noise) % 9000;
        if (offered > data.size - sent)
            offered = data.size - sent;
        ssize_t count = pgtls_write(pq, data.data + sent, offered);
        if (count < 0) {
            assert_int_equal(errno, EWOULDBLOCK);
            waits++;
            continue;
        }
        assert_true(count > 0 && (size_t) count <= offered);
        sent += (size_t) count;
        offered -= (size_t) count;
        assert_true(last->sent.size >= sent);
    }
    assert_int_equal(last->taken.size, 0);
    assert_bytes_equal(&last->sent, &data);
    assert_true(waits > 100);
    PQfinish(pq);
    bytes_free(&data);
}

/* The last word of the server may still be there to be read. */
static void
test_failed_write_is_kept_for_later(void **state)
{
    char byte;
    (void) state;

    PGconn *pq = shake_hands();
    last->broken = true;
    last->incoming = "w";
    assert_int_equal(pgtls_write(pq, "0123456789", 10), 10);
    assert_true(pq->write_failed);
    assert_string_equal(pq->write_err_msg, "the socket is a bad one\n");
    assert_int_equal(pgtls_write(pq, "0123456789", 10), 10);
    assert_int_equal(pgtls_read(pq, &byte, 1), 1);
    assert_int_equal(byte, 'w');
    PQfinish(pq);
}

static void
test_read(void **state)
{
    char data[8];
    (void) state;

    PGconn *pq = shake_hands();
    assert_int_equal(pgtls_read(pq, data, sizeof data), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    last->incoming = "abcde";
    assert_int_equal(pgtls_read(pq, data, 2), 2);
    assert_int_equal(pgtls_bytes_pending(pq), 1);
    assert_int_equal(pgtls_read(pq, data, sizeof data), 1);
    assert_int_equal(pgtls_bytes_pending(pq), 0);
    assert_int_equal(pgtls_read(pq, data, sizeof data), 2);
    last->closed = true;
    assert_int_equal(pgtls_read(pq, data, sizeof data), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_non_null(strstr(tls_backend_complaint(pq), "closed the connection"));
    assert_non_null(strstr(PQerrorMessage(pq), "closed the connection\n"));
    PQfinish(pq);
}

/* A COPY takes all the records that are there at once; what went wrong behind them comes after
 * them. */
static void
test_wire_gathers(void **state)
{
    struct stop stop;
    struct fault fault = {0};
    char data[16];
    size_t got;
    (void) state;

    assert_true(stop_init(&stop, &fault));
    struct pg_session conn = {.pq = shake_hands(), .stop = &stop, .side = ERR_TARGET};
    last->incoming = "0123456789abcdefghijklm";
    last->broken = true;
    assert_true(wire_read(&conn, data, sizeof data, true, &got, &fault));
    assert_int_equal(got, 16);
    assert_memory_equal(data, "0123456789abcdef", 16);
    assert_true(wire_holds(&conn));
    assert_true(wire_read(&conn, data, sizeof data, false, &got, &fault));
    assert_int_equal(got, 7);
    assert_false(wire_holds(&conn));
    assert_false(wire_read(&conn, data, sizeof data, false, &got, &fault));
    assert_int_equal(fault.err, ERR_TARGET);
    assert_string_equal(fault.text, "unable to read from the server: the record is a bad one");
    PQfinish(conn.pq);
    stop_free(&stop);
}

/* Nothing more comes, so who waited would wait for ever.  Once the switch is thrown nobody waits or
 * asks for more: a server that never pauses must be left, too. */
static void
test_nobody_waits_for_what_is_here(void **state)
{
    struct stop stop;
    struct fault fault = {0};
    char data[4];
    size_t got;
    (void) state;

    assert_true(stop_init(&stop, &fault));
    struct pg_session conn = {.pq = shake_hands(), .stop = &stop};
    last->incoming = "0123456789";
    last->record = 8;
    assert_true(wire_read(&conn, data, sizeof data, true, &got, &fault));
    assert_int_equal(got, 4);
    assert_true(pg_wait(&conn, &fault));
    assert_int_equal(wire_take(&conn, data, sizeof data), 4);
    assert_memory_equal(data, "4567", 4);
    stop_request(&stop, 0);
    assert_false(pg_wait(&conn, &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    fault = (struct fault){0};
    assert_false(wire_read(&conn, data, sizeof data, true, &got, &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    PQfinish(conn.pq);
    stop_free(&stop);
}

static void
test_channel_binding(void **state)
{
    size_t size = 0;
    (void) state;

    PGconn *pq = shake_hands();
    char *hash = pgtls_get_peer_certificate_hash(pq, &size);
    assert_int_equal(size, 48);
    assert_int_equal(hash[47], 7);
    free(hash);
    last->broken = true;
    assert_null(pgtls_get_peer_certificate_hash(pq, &size));
    assert_int_equal(size, 0);
    assert_non_null(strstr(PQerrorMessage(pq), "channel binding"));
    PQfinish(pq);
}

enum { ROUNDS = 50, AT_ONCE = 5 };

static void *
open_and_close(void *failed)
{
    for (int round = 0; round < ROUNDS; round++) {
        PGconn *pq = PQconnectStart(failed);
        bool agreed = pq != NULL && pgtls_open_client(pq) == PGRES_POLLING_WRITING &&
                      pgtls_write(pq, "x", 1) == 1 && last->sent.size == 1;
        pgtls_close(pq);
        agreed = agreed && !PQsslInUse(pq);
        PQfinish(pq);
        if (!agreed)
            return failed;
    }
    return NULL;
}

static void
test_many_at_once(void **state)
{
    pthread_t threads[AT_ONCE];
    char options[128];
    (void) state;

    snprintf(options, sizeof options, "host=127.0.0.1 port=%d user=u sslmode=require", port);
    for (int i = 0; i < AT_ONCE; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, options), 0);
    for (int i = 0; i < AT_ONCE; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

int
main(void)
{
    setenv("HOME", "/nonexistent", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_failures_are_told),
        cmocka_unit_test(test_each_byte_once),
        cmocka_unit_test(test_failed_write_is_kept_for_later),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_wire_gathers),
        cmocka_unit_test(test_nobody_waits_for_what_is_here),
        cmocka_unit_test(test_channel_binding),
        cmocka_unit_test(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, begin_listening, end_listening);
}
