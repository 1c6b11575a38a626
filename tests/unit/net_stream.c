/* net_stream - connecting to what answers, refuses or stays silent; reading and writing with an end
 * to every wait; all of it in the clear and under TLS. */
#include "fake_resolver.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/stream.h"
#include "support_http.h"
#include "support_tls.h"

static struct stop stop;
static struct stream_config config;
static struct tls_config tls;
static struct site site;
static struct peer peer;
static enum trouble trouble;
static struct fault fault;

static int
begin(void **state)
{
    (void) state;
    config = (struct stream_config){.host = "127.0.0.1", .connect_ms = 20000, .idle_ms = 20000,
                                    .err = ERR_STORE, .stop = &stop};
    fault = (struct fault){0};
    site.tls = NULL;
    fake_answer(NULL, 0);
    return stop_init(&stop, &fault) ? 0 : -1;
}

static int
end(void **state)
{
    (void) state;
    stop_free(&stop);
    return 0;
}

/* The site behind TLS: its certificate is made out to 127.0.0.1. */
static int
begin_tls(void **state)
{
    static struct trust *trust;

    begin(state);
    if (trust == NULL) {
        certs_make(&(struct cert){.name = "site", .extensions = "subjectAltName=IP:127.0.0.1\n"});
        trust = trust_open(certs_path("site.pem"), NULL, ERR_STORE, &fault);
    }
    tls = (struct tls_config){.check_name = true, .trust = trust};
    config.tls = &tls;
    peer_begin(&peer, "site.pem", "site.key");
    site.tls = &peer;
    *state = trust;
    return trust == NULL ? -1 : 0;
}

static int
end_tls(void **state)
{
    peer_end(&peer);
    return end(state);
}

static uint64_t
soon(unsigned ms)
{
    return clock_ms() + ms;
}

static struct stream *
open_site(void)
{
    config.port = site.port;
    struct stream *stream = stream_open(&config, UINT64_MAX, &trouble, &fault);
    if (stream == NULL)
        fail_msg("%s", fault.text);
    return stream;
}

/* ---- connecting ----------------------------------------------------------------------- */

/* A listener on an address of loopback, on a port that is given or, for 0, chosen. */
static int
listen_on(const char *address, unsigned *port, int backlog)
{
    struct sockaddr_in socket_address = {.sin_family = AF_INET,
                                         .sin_port = htons((uint16_t) *port)};
    socklen_t size = sizeof socket_address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, address, &socket_address.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *) &socket_address, size), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &socket_address, &size), 0);
    *port = ntohs(socket_address.sin_port);
    return fd;
}

/* An address that answers nothing: a listener whose queue is full. */
struct blackhole {
    int listener, fillers[4];
};

static void
blackhole_begin(struct blackhole *hole, const char *address, unsigned *port)
{
    struct sockaddr_in socket_address = {.sin_family = AF_INET};

    hole->listener = listen_on(address, port, 0);
    inet_pton(AF_INET, address, &socket_address.sin_addr);
    socket_address.sin_port = htons((uint16_t) *port);
    for (int i = 0; i < 4; i++) {
        hole->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(hole->fillers[i], (struct sockaddr *) &socket_address, sizeof socket_address);
    }
}

static void
blackhole_end(struct blackhole *hole)
{
    for (int i = 0; i < 4; i++)
        close(hole->fillers[i]);
    close(hole->listener);
}

static void
check_refused(enum trouble expected, const char *says)
{
    fault = (struct fault){0};
    struct stream *stream = stream_open(&config, UINT64_MAX, &trouble, &fault);
    assert_null(stream);
    assert_int_equal(trouble, expected);
    assert_int_equal(fault.err, expected == TROUBLE_STOPPED ? ERR_STOPPED : ERR_STORE);
    if (strstr(fault.text, says) == NULL)
        fail_msg("%s", fault.text);
}

static void
test_nobody_listens(void **state)
{
    (void) state;
    char says[128];

    close(listen_on("127.0.0.1", &config.port, 1));
    snprintf(says, sizeof says, "unable to connect to 127.0.0.1:%u: connection refused",
             config.port);
    check_refused(TROUBLE_CONNECT, says);
    assert_string_equal(fault.text, says);

    config.host = "name.test";
    fake_answer((const char *const[]){"127.0.0.1", "127.0.0.2", NULL}, 0);
    check_refused(TROUBLE_CONNECT,
                  "connection refused at 127.0.0.1, connection refused at 127.0.0.2");
    fake_answer(NULL, EAI_NONAME);
    check_refused(TROUBLE_CONNECT, "no name server knows an address");
}

static void
test_silent_address(void **state)
{
    (void) state;
    struct blackhole hole;

    blackhole_begin(&hole, "127.0.0.1", &config.port);
    config.connect_ms = 40;
    uint64_t begin_ms = clock_ms();
    check_refused(TROUBLE_CONNECT, ": no answer within ");
    assert_true(clock_ms() - begin_ms >= 40);

    config.connect_ms = 20000;
    assert_null(stream_open(&config, soon(30), &trouble, &fault));
    assert_int_equal(trouble, TROUBLE_CONNECT);
    fault = (struct fault){0};
    assert_null(stream_open(&config, clock_ms(), &trouble, &fault));
    assert_non_null(strstr(fault.text, "the time for it was over"));
    blackhole_end(&hole);
}

/* A silent address costs 250 ms, a refusing one nothing, and the good one is found behind them. */
static void
test_happy_eyeballs(void **state)
{
    (void) state;
    struct blackhole hole;

    config.host = "name.test";
    int good = listen_on("127.0.0.1", &config.port, 4);
    blackhole_begin(&hole, "127.0.0.2", &config.port);
    fake_answer((const char *const[]){"127.0.0.2", "127.0.0.1", NULL}, 0);
    uint64_t begin_ms = clock_ms();
    struct stream *stream = stream_open(&config, UINT64_MAX, &trouble, &fault);
    assert_non_null(stream);
    assert_true(clock_ms() - begin_ms >= 240);
    stream_close(stream);

    fake_answer((const char *const[]){"127.0.0.3", "127.0.0.2", "127.0.0.3", "127.0.0.1", NULL}, 0);
    stream = stream_open(&config, UINT64_MAX, &trouble, &fault);
    assert_non_null(stream);
    stream_close(stream);
    blackhole_end(&hole);
    close(good);
}

static void
test_all_silent(void **state)
{
    (void) state;
    struct blackhole hole;

    config.host = "name.test";
    config.connect_ms = 400;
    blackhole_begin(&hole, "127.0.0.2", &config.port);
    fake_answer((const char *const[]){"127.0.0.2", "127.0.0.2", NULL}, 0);
    check_refused(TROUBLE_CONNECT, " s at 127.0.0.2, no answer within ");
    blackhole_end(&hole);
}

/* An address that is refused by our own kernel costs no time, and is named like the others. */
static void
test_unreachable(void **state)
{
    (void) state;
    config.host = "name.test";
    int good = listen_on("127.0.0.1", &config.port, 4);
    fake_answer((const char *const[]){"255.255.255.255", "127.0.0.1", NULL}, 0);
    struct stream *stream = stream_open(&config, UINT64_MAX, &trouble, &fault);
    assert_non_null(stream);
    stream_close(stream);
    close(good);
    check_refused(TROUBLE_CONNECT, " at 255.255.255.255, connection refused at 127.0.0.1");
}

/* With one descriptor more at a time, until there are enough of them. */
static void
check_few_descriptors(const char *host)
{
    struct rlimit limit, before;
    struct stream *stream = NULL;
    unsigned failures = 0;

    config.host = host;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    /* Others than ours may be open, and a resolver of an earlier test may yet close one. */
    for (limit.rlim_cur = STDERR_FILENO + 1; stream == NULL; limit.rlim_cur++) {
        fault = (struct fault){0};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        stream = stream_open(&config, UINT64_MAX, &trouble, &fault);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (stream != NULL)
            break;
        assert_int_equal(trouble, TROUBLE_CONNECT);
        assert_non_null(strstr(fault.text, host));
        assert_non_null(strstr(fault.text, "oo many open files"));
        assert_true(++failures < 100);
    }
    assert_true(failures >= 2);
    stream_close(stream);
}

static void
test_few_descriptors(void **state)
{
    (void) state;
    int good = listen_on("127.0.0.1", &config.port, 4);

    fake_answer((const char *const[]){"127.0.0.1", NULL}, 0);
    check_few_descriptors("name.test");
    check_few_descriptors("127.0.0.1");
    close(good);
}

static void
test_ipv6(void **state)
{
    (void) state;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0 || bind(listener, (struct sockaddr *) &address, size) != 0) {
        print_message("skipped: this machine has no IPv6 loopback\n");
        close(listener);
        skip();
    }
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &size), 0);
    config.host = "::1";
    config.port = ntohs(address.sin6_port);
    struct stream *stream = stream_open(&config, UINT64_MAX, &trouble, &fault);
    assert_non_null(stream);
    stream_close(stream);
    close(listener);
    char says[64];
    snprintf(says, sizeof says, "unable to connect to [::1]:%u: connection refused", config.port);
    check_refused(TROUBLE_CONNECT, says);
}

/* ---- the stop switch ------------------------------------------------------------------ */

static void *
stop_soon(void *argument)
{
    usleep(5000); /* so that it comes in the middle; too early would be fine too */
    stop_request(argument, 0);
    return NULL;
}

static void
test_stopped_connecting(void **state)
{
    (void) state;
    struct blackhole hole;
    pthread_t thread;

    blackhole_begin(&hole, "127.0.0.1", &config.port);
    pthread_create(&thread, NULL, stop_soon, &stop);
    check_refused(TROUBLE_STOPPED, "stopped");
    pthread_join(thread, NULL);
    blackhole_end(&hole);
}

static void
script_wait_closed(struct site *it)
{
    site_accept(it);
    site_wait_closed(it);
}

static void
test_stopped_reading(void **state)
{
    (void) state;
    pthread_t thread;
    char byte;
    size_t got;

    site_begin(&site, script_wait_closed, NULL);
    struct stream *stream = open_site();
    pthread_create(&thread, NULL, stop_soon, &stop);
    assert_false(stream_read(stream, &byte, 1, &got, 0, UINT64_MAX, &trouble, &fault));
    pthread_join(thread, NULL);
    assert_int_equal(trouble, TROUBLE_STOPPED);
    assert_int_equal(fault.err, ERR_STOPPED);
    stream_close(stream);
    site_end(&site);
}

enum { LARGE = 64 * 1024 * 1024 };

/* Takes nothing until the test says so through a pipe. */
static void
script_take_later(struct site *it)
{
    char byte;

    site_accept(it);
    if (it->tls != NULL)
        br_sslio_flush(&it->io);
    ssize_t count = read(*(int *) it->context, &byte, 1);
    if (count == 1)
        site_wait_closed(it);
}

static void
test_stopped_writing(void **state)
{
    (void) state;
    pthread_t thread;
    char *data = calloc(1, LARGE);
    int pipes[2];

    assert_int_equal(pipe(pipes), 0);
    site_begin(&site, script_take_later, &pipes[0]);
    struct stream *stream = open_site();
    pthread_create(&thread, NULL, stop_soon, &stop);
    assert_false(stream_write(stream, data, LARGE, UINT64_MAX, &trouble, &fault));
    pthread_join(thread, NULL);
    assert_int_equal(trouble, TROUBLE_STOPPED);
    close(pipes[1]);
    stream_close(stream);
    site_end(&site);
    close(pipes[0]);
    free(data);
}

/* ---- silence -------------------------------------------------------------------------- */

static void
test_silent_reading(void **state)
{
    (void) state;
    char byte, says[64];
    size_t got;

    site_begin(&site, script_wait_closed, NULL);
    struct stream *stream = open_site();
    uint64_t begin_ms = clock_ms();
    assert_false(stream_read(stream, &byte, 1, &got, 30, UINT64_MAX, &trouble, &fault));
    assert_true(clock_ms() - begin_ms >= 30);
    assert_int_equal(trouble, TROUBLE_TIMEOUT);
    snprintf(says, sizeof says, "127.0.0.1:%u sent nothing for 0.0 s", site.port);
    assert_string_equal(fault.text, says);

    fault = (struct fault){0};
    assert_false(stream_read(stream, &byte, 1, &got, 0, soon(20), &trouble, &fault));
    assert_int_equal(trouble, TROUBLE_TIMEOUT);
    assert_non_null(strstr(fault.text, "the time for reading from 127.0.0.1:"));
    fault = (struct fault){0};
    assert_false(stream_read(stream, &byte, 1, &got, 0, 0, &trouble, &fault));
    assert_int_equal(trouble, TROUBLE_TIMEOUT);
    stream_close(stream);
    site_end(&site);
}

static void
test_silent_writing(void **state)
{
    (void) state;
    char *data = calloc(1, LARGE);
    int pipes[2];

    assert_int_equal(pipe(pipes), 0);
    config.idle_ms = 200;
    site_begin(&site, script_take_later, &pipes[0]);
    struct stream *stream = open_site();
    assert_false(stream_write(stream, data, LARGE, UINT64_MAX, &trouble, &fault));
    assert_int_equal(trouble, TROUBLE_TIMEOUT);
    assert_non_null(strstr(fault.text, "took nothing for 0.2 s"));
    fault = (struct fault){0};
    assert_false(stream_write(stream, data, LARGE, soon(20), &trouble, &fault));
    assert_int_equal(trouble, TROUBLE_TIMEOUT);
    assert_non_null(strstr(fault.text, "the time for writing to 127.0.0.1:"));
    close(pipes[1]);
    stream_close(stream);
    site_end(&site);
    close(pipes[0]);
    free(data);
}

/* ---- bytes ---------------------------------------------------------------------------- */

enum { NOISE = 300000 };

static void
script_echo(struct site *it)
{
    char *data = malloc(NOISE);

    site_accept(it);
    if (site_receive(it, data, NOISE)) {
        site_send(it, data, NOISE / 100, 7);
        site_send(it, data + NOISE / 100, NOISE - NOISE / 100, 0);
        site_close(it);
    }
    free(data);
}

static void
test_echo(void **state)
{
    (void) state;
    struct bytes noise = {0};
    char *back = malloc(NOISE + 1);
    size_t size = 0, got;

    bytes_add_noise(&noise, 1, NOISE);
    site_begin(&site, script_echo, NULL);
    struct stream *stream = open_site();
    assert_false(stream_readable(stream));
    assert_true(stream_write(stream, noise.data, 1, UINT64_MAX, &trouble, &fault));
    assert_true(stream_write(stream, "", 0, UINT64_MAX, &trouble, &fault));
    assert_true(
        stream_write(stream, noise.data + 1, NOISE - 1, UINT64_MAX, &trouble, &fault));
    do {
        if (!stream_read(stream, back + size, size % 3 == 0 ? 1 : NOISE + 1 - size, &got, 0,
                         UINT64_MAX, &trouble, &fault))
            fail_msg("%s", fault.text);
        size += got;
    } while (got > 0);
    assert_int_equal(size, NOISE);
    assert_memory_equal(back, noise.data, NOISE);
    assert_true(stream_readable(stream));
    stream_close(stream);
    site_end(&site);
    bytes_free(&noise);
    free(back);
}

static void
script_speak(struct site *it)
{
    site_accept(it);
    site_receive(it, NULL, 10);
    site_answer(it, "stop it");
    site_wait_closed(it);
}

/* What is offered is left off when the peer speaks, although it takes no byte more. */
static void
test_offer(void **state)
{
    (void) state;
    char *data = calloc(1, LARGE), words[16];
    size_t taken, got, size = 0;

    site_begin(&site, script_speak, NULL);
    struct stream *stream = open_site();
    assert_true(stream_offer(stream, data, 10, &taken, UINT64_MAX, &trouble, &fault));
    assert_int_equal(taken, 10);
    while (taken > 0) /* until it is heard */
        assert_true(stream_offer(stream, data, LARGE, &taken, UINT64_MAX, &trouble, &fault));
    assert_true(stream_readable(stream));
    for (; size < 7; size += got)
        assert_true(stream_read(stream, words + size, 16 - size, &got, 0, UINT64_MAX, &trouble,
                                &fault));
    assert_memory_equal(words, "stop it", 7);
    stream_close(stream);
    site_end(&site);
    free(data);
}

static void
script_reset(struct site *it)
{
    site_accept(it);
    site_receive(it, NULL, 10);
    site_reset(it);
}

static void
test_reset(void **state)
{
    (void) state;
    char *data = calloc(1, LARGE), says[64];
    size_t got;

    snprintf(says, sizeof says, "the connection to 127.0.0.1:");
    for (int i = 0; i < 2; i++) {
        fault = (struct fault){0};
        site_begin(&site, script_reset, NULL);
        struct stream *stream = open_site();
        assert_true(stream_write(stream, data, 10, UINT64_MAX, &trouble, &fault));
        if (i == 0)
            assert_false(stream_read(stream, data, 1, &got, 0, UINT64_MAX, &trouble, &fault));
        else
            while (stream_write(stream, data, LARGE, UINT64_MAX, &trouble, &fault))
                ;
        assert_int_equal(trouble, TROUBLE_BROKEN);
        assert_int_equal(fault.err, ERR_STORE);
        assert_non_null(strstr(fault.text, "127.0.0.1:"));
        stream_close(stream);
        site_end(&site);
    }
    free(data);
}

/* ---- TLS alone ------------------------------------------------------------------------ */

static void
test_tls_refused(void **state)
{
    (void) state;
    config.host = "name.test";
    fake_answer((const char *const[]){"127.0.0.1", NULL}, 0);
    site_begin(&site, script_speak, NULL);
    config.port = site.port;
    check_refused(TROUBLE_REFUSED, "name.test:");
    assert_non_null(strstr(fault.text, "127.0.0.1"));
    site_end(&site);
}

static void
test_tls_silent(void **state)
{
    (void) state;
    site.tls = NULL; /* it takes the hello and says nothing */
    site_begin(&site, script_wait_closed, NULL);
    config.port = site.port;
    config.connect_ms = 50;
    check_refused(TROUBLE_TIMEOUT, "in the middle of the TLS handshake");
    site_end(&site);
}

static void
script_cut(struct site *it)
{
    site_accept(it);
    site_send(it, "half", 4, 0);
    site_cut(it);
}

/* An end without a goodbye may have been made by anyone. */
static void
test_tls_cut(void **state)
{
    (void) state;
    char data[8];
    size_t got, size = 0;

    site_begin(&site, script_cut, NULL);
    struct stream *stream = open_site();
    while (stream_read(stream, data, sizeof data, &got, 0, UINT64_MAX, &trouble, &fault)) {
        assert_true(got > 0);
        size += got;
    }
    assert_int_equal(size, 4);
    assert_int_equal(trouble, TROUBLE_BROKEN);
    stream_close(stream);
    site_end(&site);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody_listens, begin, end),
        cmocka_unit_test_setup_teardown(test_silent_address, begin, end),
        cmocka_unit_test_setup_teardown(test_happy_eyeballs, begin, end),
        cmocka_unit_test_setup_teardown(test_all_silent, begin, end),
        cmocka_unit_test_setup_teardown(test_unreachable, begin, end),
        cmocka_unit_test_setup_teardown(test_few_descriptors, begin, end),
        cmocka_unit_test_setup_teardown(test_ipv6, begin, end),
        cmocka_unit_test_setup_teardown(test_stopped_connecting, begin, end),
        cmocka_unit_test_setup_teardown(test_stopped_reading, begin, end),
        cmocka_unit_test_setup_teardown(test_stopped_writing, begin, end),
        cmocka_unit_test_setup_teardown(test_silent_reading, begin, end),
        cmocka_unit_test_setup_teardown(test_silent_writing, begin, end),
        cmocka_unit_test_setup_teardown(test_echo, begin, end),
        cmocka_unit_test_setup_teardown(test_offer, begin, end),
        cmocka_unit_test_setup_teardown(test_reset, begin, end),
        cmocka_unit_test_setup_teardown(test_stopped_writing, begin_tls, end_tls),
        cmocka_unit_test_setup_teardown(test_silent_writing, begin_tls, end_tls),
        cmocka_unit_test_setup_teardown(test_echo, begin_tls, end_tls),
        cmocka_unit_test_setup_teardown(test_offer, begin_tls, end_tls),
        cmocka_unit_test_setup_teardown(test_reset, begin_tls, end_tls),
        cmocka_unit_test_setup_teardown(test_tls_refused, begin_tls, end_tls),
        cmocka_unit_test_setup_teardown(test_tls_silent, begin_tls, end_tls),
        cmocka_unit_test_setup_teardown(test_tls_cut, begin_tls, end_tls),
    };
    return cmocka_run_group_tests(tests, certs_begin, certs_end);
}
