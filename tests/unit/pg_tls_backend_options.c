/* tls_backend_options: each ssl* parameter means what libpq's documentation says; what can't be had
 * is refused with a sentence. */
#include "pg/libpq_inside.h"

#include "support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pg/tls_backend_options.h"

/* ---- in place of net/: which files were asked for ------------------------------------ */

static char trusted[256], identified[512];
static struct trust believed;

struct trust *
trust_open(const char *file, const char *directory, enum err err, struct fault *fault)
{
    (void) fault;
    assert_null(directory);
    assert_int_equal(err, ERR_SOURCE);
    snprintf(trusted, sizeof trusted, "%s", file);
    return &believed;
}

struct trust *
trust_open_system(enum err err, struct fault *fault)
{
    return trust_open("(system)", NULL, err, fault);
}

void
trust_close(struct trust *trust)
{
    assert_true(trust == NULL || trust == &believed);
}

struct identity *
identity_open(const char *certificate_file, const char *key_file, enum err err, struct fault *fault)
{
    assert_int_equal(err, ERR_SOURCE);
    (void) fault;
    snprintf(identified, sizeof identified, "%s %s", certificate_file, key_file);
    return (struct identity *) identified;
}

void
identity_use(const struct identity *identity, br_ssl_client_context *client)
{
    (void) identity;
    (void) client;
    fail();
}

void
identity_close(struct identity *identity)
{
    assert_true(identity == NULL || identity == (struct identity *) identified);
}

/* ---- a home with files in it --------------------------------------------------------- */

static char home[64];
static int listener, port;

static const char *
at_home(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/.postgresql/%s", home, name);
    return path;
}

static void
make_file(const char *name, mode_t mode)
{
    int fd = open(at_home(name), O_WRONLY | O_CREAT | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void
remove_file(const char *name)
{
    assert_int_equal(unlink(at_home(name)), 0);
}

static int
begin_home(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    (void) state;

    snprintf(home, sizeof home, "/tmp/replica-home-XXXXXX");
    assert_non_null(mkdtemp(home));
    assert_int_equal(mkdir(at_home(""), 0700), 0);
    setenv("HOME", home, 1);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *) &address, size), 0);
    assert_int_equal(listen(listener, 64), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &size), 0);
    port = ntohs(address.sin_port);
    return 0;
}

static int
end_home(void **state)
{
    (void) state;
    close(listener);
    return rmdir(at_home("")) != 0 || rmdir(home) != 0;
}

/* ---- what a connection string asks for ----------------------------------------------- */

struct asked {
    PGconn *pq;
    struct tls_options options;
    struct fault fault;
    bool done;
};

static void
ask(struct asked *asked, const char *more)
{
    char conninfo[512];

    *asked = (struct asked){0};
    trusted[0] = identified[0] = '\0';
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d user=u %s", port, more);
    asked->pq = PQconnectStart(conninfo);
    if (asked->pq->connhost == NULL)
        fail_msg("%s", PQerrorMessage(asked->pq));
    asked->done = tls_options_open(&asked->options, asked->pq, &asked->fault);
}

static void
done(struct asked *asked)
{
    if (!asked->done)
        fail_msg("%s", asked->fault.text);
    tls_options_close(&asked->options);
    PQfinish(asked->pq);
}

static void
refused(const char *more, const char *phrase)
{
    struct asked asked;

    ask(&asked, more);
    assert_false(asked.done);
    assert_int_equal(asked.fault.err, ERR_SOURCE);
    if (strstr(asked.fault.text, phrase) == NULL)
        fail_msg("not said: %s, but: %s", phrase, asked.fault.text);
    tls_options_close(&asked.options);
    PQfinish(asked.pq);
}

static void
test_what_is_checked(void **state)
{
    static const struct {
        const char *more, *trusted;
        bool at_home, check_name;
    } cases[] = {
        {"sslmode=prefer", "", false, false},
        {"sslmode=require", "", false, false},
        {"sslmode=require sslrootcert=/nonexistent", "", false, false},
        {"sslmode=require sslrootcert=/dev/null", "/dev/null", false, false},
        {"sslmode=verify-ca sslrootcert=/dev/null", "/dev/null", false, false},
        {"sslmode=verify-full sslrootcert=/dev/null", "/dev/null", false, true},
        {"sslrootcert=system", "(system)", false, true},
        {"sslmode=prefer", "root.crt", true, false},
        {"sslmode=require", "root.crt", true, false},
        {"sslmode=verify-ca", "root.crt", true, false},
        {"sslmode=verify-full", "root.crt", true, true},
        {"sslmode=verify-full sslrootcert=/dev/null", "/dev/null", true, true},
        {"sslrootcert=system", "(system)", true, true},
    };
    struct asked asked;
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].at_home)
            make_file("root.crt", 0644);
        ask(&asked, cases[i].more);
        const char *file = strcmp(cases[i].trusted, "root.crt") == 0 ? at_home("root.crt")
                                                                     : cases[i].trusted;
        assert_string_equal(trusted, file);
        assert_ptr_equal(asked.options.config.trust, trusted[0] == '\0' ? NULL : &believed);
        assert_int_equal(asked.options.config.check_name, cases[i].check_name);
        done(&asked);
        if (cases[i].at_home)
            remove_file("root.crt");
    }
    refused("sslmode=verify-ca", "/.postgresql/root.crt does not exist");
    refused("sslmode=verify-full sslrootcert=/nonexistent", "/nonexistent does not exist");
}

static void
test_names(void **state)
{
    struct asked asked;
    char expected[64];
    (void) state;

    ask(&asked, "sslmode=require host=db.example.com hostaddr=127.0.0.1");
    snprintf(expected, sizeof expected, "db.example.com:%d", port);
    assert_string_equal(asked.options.peer, expected);
    assert_ptr_equal(asked.options.config.peer, asked.options.peer);
    assert_string_equal(asked.options.config.name, "db.example.com");
    assert_true(asked.options.config.send_name);
    assert_string_equal(asked.options.config.alpn, "postgresql");
    assert_false(asked.options.config.alpn_required);
    done(&asked);

    ask(&asked, "sslmode=require sslnegotiation=direct sslsni=0 host='' hostaddr=::1");
    snprintf(expected, sizeof expected, "[::1]:%d", port);
    assert_string_equal(asked.options.peer, expected);
    assert_string_equal(asked.options.config.name, "::1");
    assert_false(asked.options.config.send_name);
    assert_true(asked.options.config.alpn_required);
    done(&asked);

    refused("sslmode=verify-full sslrootcert=/dev/null host='' hostaddr=127.0.0.1",
            "needs a host name; hostaddr=127.0.0.1 is none");
}

static void
test_versions(void **state)
{
    struct asked asked;
    (void) state;

    refused("sslmode=require ssl_min_protocol_version=TLSv1.3",
            "ssl_min_protocol_version=TLSv1.3 asks for more than replica speaks: TLS 1.2");
    refused("sslmode=require ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=tlsv1.1",
            "ssl_max_protocol_version=tlsv1.1 asks for less than replica speaks: TLS 1.2");
    ask(&asked, "sslmode=require ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=TLSv1.3");
    done(&asked);
    ask(&asked, "sslmode=require ssl_max_protocol_version=tlsv1.2");
    done(&asked);
}

static void
test_revocation_lists(void **state)
{
    struct asked asked;
    (void) state;

    refused("sslmode=verify-ca sslrootcert=/dev/null sslcrl=/a.crl", "revocation lists: sslcrl=/a");
    refused("sslmode=verify-ca sslrootcert=/dev/null sslcrldir=/d", "revocation lists: sslcrldir");
    make_file("root.crl", 0644);
    refused("sslmode=verify-ca sslrootcert=/dev/null", "/.postgresql/root.crl");
    ask(&asked, "sslmode=require"); /* nothing is checked, so no list is looked at */
    done(&asked);
    ask(&asked, "sslrootcert=system");
    done(&asked);
    remove_file("root.crl");
}

static void
test_client_certificate(void **state)
{
    struct asked asked;
    char more[512], expected[512];
    (void) state;

    ask(&asked, "sslmode=require sslcert=/nonexistent sslkey=/nonexistent");
    assert_null(asked.options.config.identity);
    done(&asked);
    refused("sslmode=require sslcert=/dev/null", "private key can't be read");
    refused("sslmode=require sslcert=/dev/null sslkey=/dev/null", "/dev/null is not a regular");

    make_file("postgresql.crt", 0644);
    refused("sslmode=require", "postgresql.key: No such file");
    make_file("postgresql.key", 0600);
    ask(&asked, "sslmode=require");
    size_t size = (size_t) snprintf(expected, sizeof expected, "%s ", at_home("postgresql.crt"));
    snprintf(expected + size, sizeof expected - size, "%s", at_home("postgresql.key"));
    assert_string_equal(identified, expected);
    assert_non_null(asked.options.config.identity);
    done(&asked);
    ask(&asked, "sslmode=require sslcertmode=disable");
    assert_string_equal(identified, "");
    done(&asked);

    snprintf(more, sizeof more, "sslmode=require sslcert=/dev/null sslkey=%s",
             at_home("other.key"));
    make_file("other.key", 0400);
    ask(&asked, more);
    assert_non_null(asked.options.config.identity);
    done(&asked);
    assert_int_equal(chmod(at_home("other.key"), 0644), 0);
    refused(more, "its mode is 0644");
    /* A group may read what root owns; only root can make such a file here. */
    assert_int_equal(chmod(at_home("other.key"), 0640), 0);
    if (getuid() == 0) {
        ask(&asked, more);
        done(&asked);
        assert_int_equal(chown(at_home("other.key"), 65532, 65532), 0);
    }
    refused(more, "its mode is 0640");
    remove_file("other.key");
    remove_file("postgresql.key");
    remove_file("postgresql.crt");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_checked), cmocka_unit_test(test_names),
        cmocka_unit_test(test_versions),        cmocka_unit_test(test_revocation_lists),
        cmocka_unit_test(test_client_certificate),
    };
    return cmocka_run_group_tests(tests, begin_home, end_home);
}
