/* net_tls - a client's session against BearSSL's own server: who is believed, what comes through,
 * and what is said when it does not. */
#include "net/tls.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tls_engine.h"
#include "support_tls.h"

enum { CACHE_BYTES = 4096, MANY_BYTES = 3000000 };

static struct trust *authorities;
static struct identity *ec_identity, *rsa_identity;

static struct identity *
identity_of(const char *name)
{
    char certificate[64], key[64];
    struct fault fault = {0};

    snprintf(certificate, sizeof certificate, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    return identity_open(certs_path(certificate), certs_path(key), ERR_CONFIG, &fault);
}

static int
group_begin(void **state)
{
    static const char names[] = "subjectAltName=DNS:db.example.com,DNS:localhost,IP:127.0.0.1\n";
    struct fault fault = {0};

    if (certs_begin(state) != 0)
        return -1;
    certs_make(&(struct cert){.name = "ca", .extensions = CA_EXTENSIONS});
    certs_make(&(struct cert){.name = "middle", .issuer = "ca", .extensions = CA_EXTENSIONS});
    certs_make(&(struct cert){.name = "ec", .issuer = "ca", .extensions = names});
    certs_make(&(struct cert){.name = "below", .issuer = "middle", .extensions = names});
    certs_make(
        &(struct cert){.name = "rsa", .issuer = "ca", .key = "RSA-2048", .extensions = names});
    certs_make(&(struct cert){.name = "client", .issuer = "ca"});
    certs_make(&(struct cert){.name = "client-rsa", .issuer = "ca", .key = "RSA-2048"});
    certs_join("chain.pem", "below.pem", "middle.pem");
    authorities = trust_open(certs_path("ca.pem"), NULL, ERR_CONFIG, &fault);
    ec_identity = identity_of("client");
    rsa_identity = identity_of("client-rsa");
    return authorities == NULL || ec_identity == NULL || rsa_identity == NULL ? -1 : 0;
}

static int
group_end(void **state)
{
    trust_close(authorities);
    identity_close(ec_identity);
    identity_close(rsa_identity);
    return certs_end(state);
}

static struct tls_config
config_of(const char *name)
{
    return (struct tls_config){.peer = "db:5432",
                               .name = name,
                               .check_name = true,
                               .send_name = true,
                               .trust = authorities,
                               .err = ERR_STORE};
}

/* A handshake that must be good; the session is the caller's. */
static struct tls *
connect_good(struct peer *peer, const struct tls_config *config)
{
    struct fault fault = {0};
    struct tls *tls = tls_begin(peer->client_fd, config);

    if (peer_handshake(peer, tls, &fault) != TLS_OK)
        fail_msg("%s", fault.text);
    return tls;
}

/* One that must fail, with this sentence. */
static void
connect_bad(struct peer *peer, const struct tls_config *config, const char *sentence, bool refused)
{
    struct fault fault = {0};
    struct tls *tls = tls_begin(peer->client_fd, config);

    assert_int_equal(peer_handshake(peer, tls, &fault), TLS_FAILED);
    assert_string_equal(fault.text, sentence);
    assert_int_equal(fault.err, ERR_STORE);
    assert_int_equal(tls_refused(tls), refused);
    tls_end(tls);
}

/* Read until something else than data comes. */
static enum tls_step
read_all(struct peer *peer, struct tls *tls, struct bytes *bytes, struct fault *fault)
{
    for (;;) {
        uint8_t piece[5000];
        size_t got;
        enum tls_step step = tls_read(tls, piece, sizeof piece, &got, fault);
        if (step == TLS_OK) {
            assert_in_range(got, 1, sizeof piece);
            bytes_add(bytes, piece, got);
        } else if (step != TLS_WANT_READ || !peer_carry(peer)) {
            assert_int_equal(got, 0);
            return step;
        }
    }
}

/* "ping" there and "pong" back. */
static void
exchange(struct peer *peer, struct tls *tls)
{
    struct fault fault = {0};
    struct bytes answer = {0};
    char question[5] = "";
    size_t took;

    assert_int_equal(tls_write(tls, "ping", 4, &took, &fault), TLS_OK);
    assert_int_equal(took, 4);
    assert_int_equal(tls_flush(tls, &fault), TLS_OK);
    assert_int_equal(peer_read(peer, question, 4), 4);
    assert_string_equal(question, "ping");
    peer_write(peer, "pong", 4);
    assert_int_equal(read_all(peer, tls, &answer, &fault), TLS_WANT_READ);
    assert_int_equal(answer.size, 4);
    assert_memory_equal(answer.data, "pong", 4);
    bytes_free(&answer);
}

/* ---- handshakes ------------------------------------------------------------------------ */

static void
test_sessions(void **state)
{
    (void) state;
    static const struct {
        const char *chain, *key, *name, *sni;
        uint16_t suite; /* the only one the server has */
        const char *cipher;
        unsigned bits;
    } cases[] = {
        {"ec.pem", "ec.key", "db.example.com", "db.example.com",
         BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", 128},
        {"ec.pem", "ec.key", "localhost.", "localhost",
         BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", 256},
        {"ec.pem", "ec.key", "127.0.0.1", "",
         BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", 256},
        {"rsa.pem", "rsa.key", "db.example.com", "db.example.com",
         BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", 128},
        {"rsa.pem", "rsa.key", "db.example.com", "db.example.com",
         BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", 256},
        {"rsa.pem", "rsa.key", "db.example.com", "db.example.com",
         BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", 256},
        {"chain.pem", "below.key", "db.example.com", "db.example.com",
         BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", 128},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer peer;
        uint8_t digest[64];
        struct tls_config config = config_of(cases[i].name);
        peer_begin(&peer, cases[i].chain, cases[i].key);
        br_ssl_engine_set_suites(&peer.server.eng, &cases[i].suite, 1);
        peer_ready(&peer);
        struct tls *tls = connect_good(&peer, &config);
        assert_string_equal(br_ssl_engine_get_server_name(&peer.server.eng), cases[i].sni);
        assert_string_equal(tls_version_name(tls), "TLSv1.2");
        assert_string_equal(tls_cipher_name(tls), cases[i].cipher);
        assert_int_equal(tls_cipher_bits(tls), cases[i].bits);
        assert_string_equal(tls_alpn(tls), "");
        assert_int_equal(tls_certificate_hash(tls, digest), 32);
        exchange(&peer, tls);
        tls_end(tls);
        peer_end(&peer);
    }
}

/* Every record arrives in pieces; in the first round byte by byte. */
static void
test_pieces(void **state)
{
    (void) state;
    struct tls_config config = config_of("db.example.com");

    for (size_t piece = 1; piece < 1500; piece = piece * 3 + 1) {
        struct peer peer;
        struct bytes sent = {0}, got = {0};
        struct fault fault = {0};
        peer_begin(&peer, "chain.pem", "below.key");
        peer.piece = piece;
        peer_ready(&peer);
        struct tls *tls = connect_good(&peer, &config);
        bytes_add_noise(&sent, piece, 3000);
        peer_write(&peer, sent.data, sent.size);
        assert_int_equal(read_all(&peer, tls, &got, &fault), TLS_WANT_READ);
        assert_bytes_equal(&sent, &got);
        tls_end(tls);
        bytes_free(&sent);
        bytes_free(&got);
        peer_end(&peer);
    }
}

static void
test_checks(void **state)
{
    (void) state;
    static const char wrong[] = "the certificate of db:5432 was issued for db.example.com, "
                                "localhost and 127.0.0.1, not for other.example.com";
    struct tls_config config = config_of("other.example.com");
    struct peer peer;

    peer_begin(&peer, "ec.pem", "ec.key");
    peer_ready(&peer);
    connect_bad(&peer, &config, wrong, true);
    peer_end(&peer);

    config.check_name = config.send_name = false;
    peer_begin(&peer, "ec.pem", "ec.key");
    peer_ready(&peer);
    struct tls *tls = connect_good(&peer, &config);
    assert_string_equal(br_ssl_engine_get_server_name(&peer.server.eng), "");
    tls_end(tls);
    peer_end(&peer);

    /* Without its intermediate nobody vouches for it, unless nobody is asked. */
    peer_begin(&peer, "below.pem", "below.key");
    peer_ready(&peer);
    config.trust = NULL;
    tls = connect_good(&peer, &config);
    tls_end(tls);
    peer_end(&peer);
    config = config_of("db.example.com");
    peer_begin(&peer, "below.pem", "below.key");
    peer_ready(&peer);
    char sentence[512];
    snprintf(sentence, sizeof sentence,
             "the certificate of db:5432 was issued by CN=middle, which is none of %s",
             authorities->origin);
    connect_bad(&peer, &config, sentence, true);
    peer_end(&peer);
}

#define NO_COMMON_GROUND                                                                           \
    "has no version, cipher or kind of key in common with replica, which speaks TLS 1.2 with "     \
    "ECDHE, AES-GCM or ChaCha20-Poly1305, and takes RSA or ECDSA certificates (handshake_failure)"

/* Servers of old either find no cipher of theirs, or answer with a version of theirs. */
static void
test_old_servers(void **state)
{
    (void) state;
    struct tls_config config = config_of("db.example.com");
    struct peer peer;

    peer_begin(&peer, "ec.pem", "ec.key");
    br_ssl_engine_set_versions(&peer.server.eng, BR_TLS10, BR_TLS11);
    peer_ready(&peer);
    connect_bad(&peer, &config, "db:5432 " NO_COMMON_GROUND, true);
    peer_end(&peer);

    static const uint8_t hello[47] = {22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2};
    peer_begin(&peer, "ec.pem", "ec.key");
    peer_ready(&peer);
    assert_int_equal(write(peer.fd, hello, sizeof hello), sizeof hello);
    connect_bad(&peer, &config, "db:5432 speaks only versions older than TLS 1.2", true);
    peer_end(&peer);
}

/* ---- what a server may say ------------------------------------------------------------- */

static void
expect_answer(const void *bytes, size_t size, const struct tls_config *config, const char *sentence,
              bool refused)
{
    struct peer peer;

    peer_begin(&peer, "ec.pem", "ec.key");
    peer_ready(&peer);
    assert_int_equal(write(peer.fd, bytes, size), size);
    shutdown(peer.fd, SHUT_WR);
    connect_bad(&peer, config, sentence, refused);
    peer_end(&peer);
}

static void
test_alerts(void **state)
{
    (void) state;
    static const struct {
        uint8_t code;
        const char *predicate;
        bool refused;
    } cases[] = {
        {70, "wants TLS 1.3; replica speaks TLS 1.2", true},
        {112, "knows no host of that name (unrecognized_name)", true},
        {120, "does not speak the protocol that was asked for (no_application_protocol)", true},
        {48, "does not know the authority that issued our certificate (unknown_ca)", true},
        {42, "refuses our certificate as damaged (bad_certificate)", true},
        {116, "wants a client certificate (certificate_required)", true},
        {80, "failed by itself (internal_error)", false},
        {99, "refuses the TLS handshake with alert 99", false},
        {40, NO_COMMON_GROUND, true},
    };
    struct tls_config config = config_of("db.example.com");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint8_t record[] = {21, 3, 3, 0, 2, 2, cases[i].code};
        char sentence[512];
        snprintf(sentence, sizeof sentence, "db:5432 %s", cases[i].predicate);
        expect_answer(record, sizeof record, &config, sentence, cases[i].refused);
    }
    static const uint8_t goodbye[] = {21, 3, 3, 0, 2, 1, 0};
    expect_answer(goodbye, sizeof goodbye, &config,
                  "db:5432 ended the TLS session during its handshake", false);
}

static void
test_strangers(void **state)
{
    (void) state;
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n", ssh[] = "SSH-2.0-x\r\n";
    static const uint8_t odd[] = {22, 3, 3, 0x40, 1};
    struct tls_config config = config_of("db.example.com");

    expect_answer(http, sizeof http - 1, &config, "db:5432 does not speak TLS there", true);
    expect_answer(ssh, sizeof ssh - 1, &config, "db:5432 does not speak TLS there", true);
    expect_answer(odd, sizeof odd, &config, "db:5432 sent a TLS record of an impossible length",
                  false);
    expect_answer("", 0, &config, "db:5432 closed the connection during the TLS handshake", false);
    expect_answer(odd, 3, &config, "db:5432 closed the connection during the TLS handshake", false);
}

/* ---- ALPN ------------------------------------------------------------------------------ */

static void
test_alpn(void **state)
{
    (void) state;
    struct tls_config config = config_of("db.example.com");
    struct peer peer;

    config.alpn = "postgresql";
    config.alpn_required = true;
    peer_begin(&peer, "ec.pem", "ec.key");
    peer.alpn[0] = "postgresql";
    br_ssl_engine_set_protocol_names(&peer.server.eng, peer.alpn, 1);
    peer_ready(&peer);
    struct tls *tls = connect_good(&peer, &config);
    assert_string_equal(tls_alpn(tls), "postgresql");
    tls_end(tls);
    peer_end(&peer);

    peer_begin(&peer, "ec.pem", "ec.key");
    peer_ready(&peer);
    connect_bad(&peer, &config, "db:5432 does not confirm that it speaks postgresql (ALPN)", true);
    peer_end(&peer);

    config.alpn_required = false;
    peer_begin(&peer, "ec.pem", "ec.key");
    peer_ready(&peer);
    tls = connect_good(&peer, &config);
    assert_string_equal(tls_alpn(tls), "");
    tls_end(tls);
    peer_end(&peer);
}

/* ---- curves ---------------------------------------------------------------------------- */

/* RFC 7748 section 6.1: the secret of a point of small order is zero, whoever multiplies. */
static void
test_small_order(void **state)
{
    (void) state;
    static const unsigned char points[][32] = {{0}, {1}, {9}};
    static br_ssl_client_context client;
    br_ec_impl ec;

    tls_engine_init(&client, &ec);
    for (int i = 0; i < 3; i++) {
        unsigned char factor[32] = {7}, point[32];
        memcpy(point, points[i], sizeof point);
        assert_int_equal(ec.mul(point, 32, factor, 32, BR_EC_curve25519), i == 2);
        memcpy(point, points[i], sizeof point);
        assert_int_equal(br_ec_get_default()->mul(point, 32, factor, 32, BR_EC_curve25519), 1);
    }
}

/* ---- client certificates --------------------------------------------------------------- */

static void
test_identities(void **state)
{
    (void) state;
    const struct identity *const identities[] = {ec_identity, rsa_identity};
    static const char *const servers[][2] = {{"ec.pem", "ec.key"}, {"rsa.pem", "rsa.key"}};

    for (int i = 0; i < 4; i++) {
        struct tls_config config = config_of("db.example.com");
        struct peer peer;
        config.identity = identities[i % 2];
        peer_begin(&peer, servers[i / 2][0], servers[i / 2][1]);
        peer_wants(&peer, authorities);
        peer_ready(&peer);
        struct tls *tls = connect_good(&peer, &config);
        exchange(&peer, tls);
        assert_int_equal(peer.clients.err, BR_ERR_X509_OK);
        tls_end(tls);
        peer_end(&peer);
    }
}

/* What a server says of our certificate comes after its own was accepted. */
static void
test_identities_refused(void **state)
{
    (void) state;
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 40};

    for (int with = 0; with < 2; with++) {
        struct tls_config config = config_of("db.example.com");
        struct fault fault = {0};
        struct peer peer;
        config.identity = with ? ec_identity : NULL;
        peer_begin(&peer, "ec.pem", "ec.key");
        peer_wants(&peer, authorities);
        peer_ready(&peer);
        struct tls *tls = tls_begin(peer.client_fd, &config);
        assert_int_equal(tls_handshake(tls, &fault), TLS_WANT_READ);
        while (peer_carry(&peer))
            ;
        assert_int_equal(tls_handshake(tls, &fault), TLS_WANT_READ);
        assert_int_equal(write(peer.fd, alert, sizeof alert), sizeof alert);
        assert_int_equal(tls_handshake(tls, &fault), TLS_FAILED);
        assert_string_equal(fault.text,
                            with ? "db:5432 refuses our certificate (handshake_failure)"
                                 : "db:5432 wants a client certificate, and there is none to show "
                                   "(handshake_failure)");
        assert_true(tls_refused(tls));
        tls_end(tls);
        peer_end(&peer);
    }
}

/* The server refuses and is gone before we have said all: its last words are still heard. */
static void
test_last_words(void **state)
{
    (void) state;
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 70};
    struct tls_config config = config_of("db.example.com");
    struct peer peer;

    peer_begin(&peer, "ec.pem", "ec.key");
    assert_int_equal(write(peer.fd, alert, sizeof alert), sizeof alert);
    peer_close(&peer);
    connect_bad(&peer, &config, "db:5432 wants TLS 1.3; replica speaks TLS 1.2", true);
    peer_end(&peer);
    peer_begin(&peer, "ec.pem", "ec.key");
    peer_close(&peer);
    connect_bad(&peer, &config, "unable to write to db:5432: Broken pipe", false);
    peer_end(&peer);
}

/* ---- resumption ------------------------------------------------------------------------ */

/* One session against a server with this cache; whether it was resumed. */
static bool
resumes(br_ssl_session_cache_lru *cache, struct tls_config *config)
{
    struct peer peer;
    uint8_t digest[64];

    peer_begin(&peer, "ec.pem", "ec.key");
    br_ssl_server_set_cache(&peer.server, &cache->vtable);
    peer_ready(&peer);
    struct tls *tls = connect_good(&peer, config);
    exchange(&peer, tls);
    bool resumed = tls_certificate_hash(tls, digest) == 0;
    tls_end(tls);
    peer_end(&peer);
    return resumed;
}

static void
test_resumption(void **state)
{
    (void) state;
    static unsigned char store[CACHE_BYTES];
    br_ssl_session_cache_lru cache;
    struct tls_resume resume = {0};
    struct tls_config config = config_of("db.example.com");

    config.resume = &resume;
    br_ssl_session_cache_lru_init(&cache, store, sizeof store);
    assert_false(resumes(&cache, &config));
    assert_true(resume.valid);
    assert_true(resumes(&cache, &config));
    assert_true(resumes(&cache, &config));
    config.name = "localhost";
    assert_false(resumes(&cache, &config));
    config.check_name = false;
    assert_false(resumes(&cache, &config));
    config.trust = NULL;
    assert_false(resumes(&cache, &config));
    assert_true(resumes(&cache, &config));
    br_ssl_session_cache_lru_init(&cache, store, sizeof store);
    assert_false(resumes(&cache, &config));

    /* A failure forgets it. */
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 80};
    expect_answer(alert, sizeof alert, &config, "db:5432 failed by itself (internal_error)", false);
    assert_false(resume.valid);
}

/* ---- data ------------------------------------------------------------------------------ */

/* More than all buffers hold, in both directions, through small sockets. */
static void
test_full_sockets(void **state)
{
    (void) state;
    struct tls_config config = config_of("db.example.com");
    struct bytes sent = {0}, got = {0};
    struct fault fault = {0};
    struct peer peer;
    int small = 4096;
    unsigned waits = 0;

    bytes_add_noise(&sent, 7, MANY_BYTES);
    got.data = malloc(MANY_BYTES);
    peer_begin(&peer, "ec.pem", "ec.key");
    setsockopt(peer.client_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    setsockopt(peer.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    peer_ready(&peer);
    struct tls *tls = connect_good(&peer, &config);
    for (size_t at = 0; at < sent.size;) {
        size_t took;
        enum tls_step step = tls_write(tls, sent.data + at, sent.size - at, &took, &fault);
        at += took;
        assert_true(step == TLS_OK ? took > 0 : step == TLS_WANT_WRITE && took == 0);
        waits += step == TLS_WANT_WRITE;
        got.size += peer_read(&peer, got.data + got.size, MANY_BYTES - got.size);
    }
    while (tls_flush(tls, &fault) == TLS_WANT_WRITE)
        got.size += peer_read(&peer, got.data + got.size, MANY_BYTES - got.size);
    got.size += peer_read(&peer, got.data + got.size, MANY_BYTES - got.size);
    assert_bytes_equal(&sent, &got);
    assert_true(waits > 0);
    tls_end(tls);
    peer_end(&peer);
    bytes_free(&sent);
    bytes_free(&got);
}

/* A peer that takes nothing until it is read from must not hold us up. */
static void
test_reading_while_blocked(void **state)
{
    (void) state;
    struct tls_config config = config_of("db.example.com");
    static uint8_t block[100000];
    struct fault fault = {0};
    struct bytes got = {0};
    struct peer peer;
    int small = 4096;
    size_t took;

    peer_begin(&peer, "ec.pem", "ec.key");
    peer_ready(&peer);
    struct tls *tls = connect_good(&peer, &config);
    setsockopt(peer.client_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    while (tls_write(tls, block, sizeof block, &took, &fault) == TLS_OK)
        ;
    assert_int_equal(tls_flush(tls, &fault), TLS_WANT_WRITE);
    static const char answer[] = "still here";
    size_t room;
    memcpy(br_ssl_engine_sendapp_buf(&peer.server.eng, &room), answer, sizeof answer);
    br_ssl_engine_sendapp_ack(&peer.server.eng, sizeof answer);
    br_ssl_engine_flush(&peer.server.eng, 0);
    unsigned char *window = br_ssl_engine_sendrec_buf(&peer.server.eng, &room);
    assert_int_equal(write(peer.fd, window, room), room);
    br_ssl_engine_sendrec_ack(&peer.server.eng, room);
    uint8_t piece[64];
    assert_int_equal(tls_pending(tls), 0);
    assert_int_equal(tls_read(tls, piece, 4, &took, &fault), TLS_OK);
    assert_int_equal(took, 4);
    assert_int_equal(tls_pending(tls), sizeof answer - 4);
    assert_int_equal(tls_read(tls, piece, sizeof piece, &took, &fault), TLS_OK);
    assert_int_equal(took, sizeof answer - 4);
    assert_int_equal(tls_pending(tls), 0);
    assert_int_equal(tls_read(tls, piece, sizeof piece, &took, &fault), TLS_WANT_READ);
    tls_end(tls);
    peer_end(&peer);
    bytes_free(&got);
}

static void
test_ends(void **state)
{
    (void) state;
    struct tls_config config = config_of("db.example.com");
    struct bytes got = {0};
    struct fault fault = {0};
    struct peer peer;
    size_t took;

    /* A proper end, behind data. */
    peer_begin(&peer, "ec.pem", "ec.key");
    peer_ready(&peer);
    struct tls *tls = connect_good(&peer, &config);
    peer_write(&peer, "last", 4);
    peer_goodbye(&peer);
    assert_int_equal(read_all(&peer, tls, &got, &fault), TLS_CLOSED);
    assert_int_equal(got.size, 4);
    assert_int_equal(read_all(&peer, tls, &got, &fault), TLS_CLOSED);
    while (peer_carry(&peer))
        ;
    assert_int_equal(br_ssl_engine_current_state(&peer.server.eng), BR_SSL_CLOSED);
    assert_int_equal(br_ssl_engine_last_error(&peer.server.eng), 0);
    assert_int_equal(tls_write(tls, "more", 4, &took, &fault), TLS_FAILED);
    assert_string_equal(fault.text, "db:5432 ended the TLS session");
    tls_end(tls);
    peer_end(&peer);
    bytes_free(&got);

    /* Our own. */
    peer_begin(&peer, "ec.pem", "ec.key");
    peer_ready(&peer);
    tls = connect_good(&peer, &config);
    tls_end(tls);
    while (peer_carry(&peer))
        ;
    assert_int_equal(br_ssl_engine_current_state(&peer.server.eng), BR_SSL_CLOSED);
    assert_int_equal(br_ssl_engine_last_error(&peer.server.eng), 0);
    peer_end(&peer);
    tls_end(NULL);
}

/* Cut after every byte of the last record, the one that would end the session properly. */
static void
test_cuts(void **state)
{
    (void) state;
    struct tls_config config = config_of("db.example.com");
    size_t record = 1;

    for (size_t keep = 0; keep < record; keep++) {
        struct bytes got = {0};
        struct fault fault = {0};
        struct peer peer;
        peer_begin(&peer, "ec.pem", "ec.key");
        peer_ready(&peer);
        struct tls *tls = connect_good(&peer, &config);
        peer_write(&peer, "data", 4);
        br_ssl_engine_close(&peer.server.eng);
        unsigned char *window = br_ssl_engine_sendrec_buf(&peer.server.eng, &record);
        assert_int_equal(write(peer.fd, window, keep), keep);
        peer_close(&peer);
        assert_int_equal(read_all(&peer, tls, &got, &fault), TLS_FAILED);
        assert_int_equal(got.size, 4);
        assert_string_equal(fault.text,
                            "db:5432 closed the connection without ending the TLS session");
        assert_false(tls_refused(tls));
        tls_end(tls);
        peer_end(&peer);
        bytes_free(&got);
    }
    assert_in_range(record, 20, 60);
}

/* Any bit of a record that is changed on its way is found. */
static void
test_damage(void **state)
{
    (void) state;
    struct tls_config config = config_of("db.example.com");
    size_t record = 1;

    for (size_t at = 5; at < record || at == 5; at += 3) {
        struct bytes got = {0};
        struct fault fault = {0};
        struct peer peer;
        peer_begin(&peer, "ec.pem", "ec.key");
        peer_ready(&peer);
        struct tls *tls = connect_good(&peer, &config);
        size_t room;
        memcpy(br_ssl_engine_sendapp_buf(&peer.server.eng, &room), "data", 4);
        br_ssl_engine_sendapp_ack(&peer.server.eng, 4);
        br_ssl_engine_flush(&peer.server.eng, 0);
        unsigned char *window = br_ssl_engine_sendrec_buf(&peer.server.eng, &record);
        window[at] ^= 1;
        assert_int_equal(write(peer.fd, window, record), record);
        assert_int_equal(read_all(&peer, tls, &got, &fault), TLS_FAILED);
        assert_int_equal(got.size, 0);
        assert_string_equal(fault.text, "db:5432 sent a TLS record that was damaged on its way");
        tls_end(tls);
        peer_end(&peer);
    }
}

/* A server that asks for another handshake is told no, and the session goes on. */
static void
test_no_renegotiation(void **state)
{
    (void) state;
    struct tls_config config = config_of("db.example.com");
    struct fault fault = {0};
    struct bytes got = {0};
    struct peer peer;

    peer_begin(&peer, "ec.pem", "ec.key");
    peer_ready(&peer);
    struct tls *tls = connect_good(&peer, &config);
    exchange(&peer, tls);
    assert_int_equal(br_ssl_engine_renegotiate(&peer.server.eng), 1);
    while (peer_carry(&peer))
        ;
    assert_int_equal(read_all(&peer, tls, &got, &fault), TLS_WANT_READ);
    size_t took;
    assert_int_equal(tls_write(tls, "on", 2, &took, &fault), TLS_OK);
    assert_int_equal(tls_flush(tls, &fault), TLS_OK);
    tls_end(tls);
    peer_end(&peer);
    bytes_free(&got);
}

static bool
more_waits(const struct peer *peer)
{
    struct pollfd look = {.fd = peer->client_fd, .events = POLLIN};
    return poll(&look, 1, 0) == 1;
}

/* Whoever sends records that say nothing, as fast as they are read, must not keep us from our
 * deadlines: now and then we come up for air though the socket is not empty. */
static void
test_idle_talk(void **state)
{
    (void) state;
    static const uint8_t warning[] = {21, 3, 3, 0, 2, 1, 90};
    enum { RECORDS = 200 };
    struct tls_config config = config_of("db.example.com");
    struct fault fault = {0};
    uint8_t byte, warnings[RECORDS * sizeof warning];
    struct peer peer;
    size_t got;

    for (size_t i = 0; i < sizeof warnings; i++)
        warnings[i] = warning[i % sizeof warning];
    peer_begin(&peer, "ec.pem", "ec.key");
    peer_ready(&peer);
    assert_int_equal(write(peer.fd, warnings, sizeof warnings), sizeof warnings);
    struct tls *tls = tls_begin(peer.client_fd, &config);
    assert_int_equal(tls_handshake(tls, &fault), TLS_WANT_READ);
    assert_true(more_waits(&peer));
    if (peer_handshake(&peer, tls, &fault) != TLS_OK)
        fail_msg("%s", fault.text);

    for (int i = 0; i < RECORDS; i++) {
        br_ssl_engine_flush(&peer.server.eng, 1);
        while (peer_carry(&peer))
            ;
    }
    assert_int_equal(tls_read(tls, &byte, 1, &got, &fault), TLS_WANT_READ);
    assert_true(more_waits(&peer));
    while (more_waits(&peer))
        assert_int_equal(tls_read(tls, &byte, 1, &got, &fault), TLS_WANT_READ);
    exchange(&peer, tls);
    tls_end(tls);
    peer_end(&peer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_old_servers),
        cmocka_unit_test(test_alerts),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_small_order),
        cmocka_unit_test(test_identities),
        cmocka_unit_test(test_identities_refused),
        cmocka_unit_test(test_last_words),
        cmocka_unit_test(test_resumption),
        cmocka_unit_test(test_full_sockets),
        cmocka_unit_test(test_reading_while_blocked),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_no_renegotiation),
        cmocka_unit_test(test_idle_talk),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
