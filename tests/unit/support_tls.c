/* support_tls - see support_tls.h. */
#include "support_tls.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/pem.h"

extern char **environ;

enum { ARGUMENTS_MAX = 32, TURNS_MAX = 1000000 };

static char directory[] = "/tmp/replica-certs-XXXXXX";

/* ---- certificates --------------------------------------------------------------------- */

int
certs_begin(void **state)
{
    (void) state;
    return mkdtemp(directory) == NULL ? -1 : 0;
}

int
certs_end(void **state)
{
    DIR *stream = opendir(directory);
    struct dirent *entry;

    (void) state;
    while (stream != NULL && (entry = readdir(stream)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(stream), entry->d_name, 0);
    if (stream != NULL)
        closedir(stream);
    return rmdir(directory);
}

const char *
certs_path(const char *name)
{
    static char paths[8][256];
    static unsigned turn;
    char *path = paths[turn++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void
openssl_run(char *const *arguments)
{
    posix_spawn_file_actions_t actions;
    int status;
    pid_t pid;

    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, certs_path("log"), O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
    posix_spawn_file_actions_adddup2(&actions, 2, 1);
    posix_spawn_file_actions_addchdir_np(&actions, directory);
    int error = posix_spawnp(&pid, "openssl", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        fail_msg("the openssl command cannot be run: %s", strerror(error));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0) {
        char text[1024] = "";
        FILE *log = fopen(certs_path("log"), "r");
        if (log != NULL && fread(text, 1, sizeof text - 1, log) == 0)
            text[0] = '\0';
        fail_msg("openssl %s ended with %d: %s", arguments[1], status, text);
    }
}

void
openssl(const char *first, ...)
{
    char *arguments[ARGUMENTS_MAX] = {(char *) "openssl", (char *) first};
    size_t count = 2;
    va_list list;

    va_start(list, first);
    while ((arguments[count] = va_arg(list, char *)) != NULL) {
        count++;
        assert_true(count < ARGUMENTS_MAX);
    }
    va_end(list);
    openssl_run(arguments);
}

void
certs_write(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(certs_path(name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void
key_make(const char *file, const char *kind)
{
    char option[64];

    if (strncmp(kind, "RSA-", 4) == 0) {
        /* Four short primes are found ten times as fast as two long ones; nobody sees it in the
         * public key. */
        bool large = strtoul(kind + 4, NULL, 10) >= 4096;
        snprintf(option, sizeof option, "rsa_keygen_bits:%s", kind + 4);
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", option, "-pkeyopt",
                large ? "rsa_keygen_primes:4" : "rsa_keygen_primes:2", "-out", file, NULL);
    } else if (kind[0] == 'P') {
        snprintf(option, sizeof option, "ec_paramgen_curve:%s", kind);
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", option, "-out", file, NULL);
    } else {
        openssl("genpkey", "-algorithm", kind, "-out", file, NULL);
    }
}

void
certs_make(const struct cert *cert)
{
    char key[64], request[64], file[64], extensions[64], subject[128], ca[64], ca_key[64];
    const char *days = cert->days == NULL ? "30" : cert->days;
    const char *lines = cert->extensions == NULL ? "" : cert->extensions;

    snprintf(key, sizeof key, "%s.key", cert->name);
    snprintf(request, sizeof request, "%s.csr", cert->name);
    snprintf(file, sizeof file, "%s.pem", cert->name);
    snprintf(extensions, sizeof extensions, "%s.ext", cert->name);
    snprintf(subject, sizeof subject, "/CN=%s", cert->name);
    if (access(certs_path(key), F_OK) != 0)
        key_make(key, cert->key == NULL ? "P-256" : cert->key);
    certs_write(extensions, lines, strlen(lines));
    openssl("req", "-new", "-key", key, "-out", request, "-subj",
            cert->subject == NULL ? subject : cert->subject, NULL);
    if (cert->issuer == NULL) {
        openssl("x509", "-req", "-in", request, "-signkey", key, "-extfile", extensions, "-days",
                days, "-out", file, cert->sign, NULL);
        return;
    }
    snprintf(ca, sizeof ca, "%s.pem", cert->issuer);
    snprintf(ca_key, sizeof ca_key, "%s.key", cert->issuer);
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
            "-extfile", extensions, "-days", days, "-out", file, cert->sign, NULL);
}

void
certs_join(const char *name, const char *first, const char *second)
{
    struct bytes bytes = {0};
    const char *names[] = {first, second};

    for (int i = 0; i < 2; i++) {
        char piece[4096];
        size_t got;
        FILE *file = fopen(certs_path(names[i]), "rb");
        assert_non_null(file);
        while ((got = fread(piece, 1, sizeof piece, file)) > 0)
            bytes_add(&bytes, piece, got);
        fclose(file);
    }
    certs_write(name, bytes.data, bytes.size);
    bytes_free(&bytes);
}

/* ---- the peer ------------------------------------------------------------------------- */

void
peer_begin(struct peer *peer, const char *chain, const char *key)
{
    struct fault fault = {0};
    struct pem pem;
    int fds[2];

    memset(peer, 0, sizeof *peer);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    peer->fd = fds[0];
    peer->client_fd = fds[1];
    if (!pem_file_read(&peer->arena, certs_path(key), "key", &pem, ERR_CONFIG, &fault))
        fail_msg("%s", fault.text);
    br_skey_decoder_init(&peer->key);
    br_skey_decoder_push(&peer->key, pem.objects[0].data, pem.objects[0].size);
    if (!pem_file_read(&peer->arena, certs_path(chain), "chain", &pem, ERR_CONFIG, &fault))
        fail_msg("%s", fault.text);
    peer->chain = arena_array(&peer->arena, pem.count, sizeof *peer->chain);
    for (size_t i = 0; i < pem.count; i++)
        peer->chain[i] = (br_x509_certificate){pem.objects[i].data, pem.objects[i].size};
    if (br_skey_decoder_key_type(&peer->key) == BR_KEYTYPE_RSA)
        br_ssl_server_init_full_rsa(&peer->server, peer->chain, pem.count,
                                    br_skey_decoder_get_rsa(&peer->key));
    else
        br_ssl_server_init_full_ec(&peer->server, peer->chain, pem.count, BR_KEYTYPE_EC,
                                   br_skey_decoder_get_ec(&peer->key));
    br_ssl_engine_set_buffer(&peer->server.eng, peer->buffer, sizeof peer->buffer, 1);
}

void
peer_wants(struct peer *peer, const struct trust *trust)
{
    br_x509_minimal_init_full(&peer->clients, trust->anchors, trust->anchors_count);
    br_ssl_engine_set_default_rsavrfy(&peer->server.eng);
    br_ssl_engine_set_default_ecdsa(&peer->server.eng);
    br_ssl_engine_set_x509(&peer->server.eng, &peer->clients.vtable);
    br_ssl_server_set_trust_anchor_names_alt(&peer->server, trust->anchors, trust->anchors_count);
}

void
peer_ready(struct peer *peer)
{
    assert_int_equal(br_ssl_server_reset(&peer->server), 1);
}

void
peer_close(struct peer *peer)
{
    if (!peer->closed)
        close(peer->fd);
    peer->closed = true;
}

void
peer_end(struct peer *peer)
{
    peer_close(peer);
    close(peer->client_fd);
    arena_free(&peer->arena);
}

static size_t
piece_of(const struct peer *peer, size_t size)
{
    return peer->piece > 0 && peer->piece < size ? peer->piece : size;
}

bool
peer_carry(struct peer *peer)
{
    br_ssl_engine_context *engine = &peer->server.eng;
    unsigned char *window;
    bool moved = false;
    size_t size;

    if (peer->closed)
        return false;
    if ((window = br_ssl_engine_sendrec_buf(engine, &size)) != NULL) {
        ssize_t sent = send(peer->fd, window, piece_of(peer, size), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            br_ssl_engine_sendrec_ack(engine, (size_t) sent);
            moved = true;
        }
    }
    if ((window = br_ssl_engine_recvrec_buf(engine, &size)) != NULL) {
        ssize_t got = recv(peer->fd, window, piece_of(peer, size), MSG_DONTWAIT);
        if (got > 0) {
            br_ssl_engine_recvrec_ack(engine, (size_t) got);
            moved = true;
        }
    }
    return moved;
}

enum tls_step
peer_handshake(struct peer *peer, struct tls *tls, struct fault *fault)
{
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        enum tls_step step = tls_handshake(tls, fault);
        if (step == TLS_FAILED || step == TLS_OK) {
            while (peer_carry(peer))
                ;
            return step;
        }
        if (!peer_carry(peer) && tls_handshake(tls, fault) == step)
            fail_msg("the handshake stands still (the server's error: %d)",
                     br_ssl_engine_last_error(&peer->server.eng));
    }
    fail_msg("the handshake has no end");
    return TLS_FAILED;
}

void
peer_write(struct peer *peer, const void *data, size_t size)
{
    br_ssl_engine_context *engine = &peer->server.eng;
    const uint8_t *at = data;

    while (size > 0) {
        size_t room;
        unsigned char *window = br_ssl_engine_sendapp_buf(engine, &room);
        if (window == NULL && !peer_carry(peer))
            fail_msg("the peer cannot write");
        if (window == NULL)
            continue;
        if (room > size)
            room = size;
        memcpy(window, at, room);
        br_ssl_engine_sendapp_ack(engine, room);
        at += room;
        size -= room;
    }
    br_ssl_engine_flush(engine, 0);
    peer_carry(peer);
}

size_t
peer_read(struct peer *peer, void *data, size_t size)
{
    br_ssl_engine_context *engine = &peer->server.eng;
    uint8_t *at = data;
    size_t total = 0, held;

    while (total < size) {
        const unsigned char *window = br_ssl_engine_recvapp_buf(engine, &held);
        if (window == NULL && !peer_carry(peer))
            break;
        if (window == NULL)
            continue;
        if (held > size - total)
            held = size - total;
        memcpy(at + total, window, held);
        br_ssl_engine_recvapp_ack(engine, held);
        total += held;
    }
    return total;
}

void
peer_goodbye(struct peer *peer)
{
    br_ssl_engine_close(&peer->server.eng);
    while (peer_carry(peer))
        ;
}
