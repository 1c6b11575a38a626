/* support_http - see support_http.h. */
#include "support_http.h"

#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_tls.h"

enum { PATIENCE_S = 20 }; /* a test that waits longer hangs */

static void *
site_run(void *argument)
{
    struct site *site = argument;

    site->script(site);
    site_close(site);
    return NULL;
}

void
site_begin(struct site *site, void (*script)(struct site *site), void *context)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;

    site->script = script;
    site->context = context;
    site->fd = -1;
    site->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(site->listener, (struct sockaddr *) &address, size), 0);
    assert_int_equal(listen(site->listener, 16), 0);
    assert_int_equal(getsockname(site->listener, (struct sockaddr *) &address, &size), 0);
    site->port = ntohs(address.sin_port);
    pthread_create(&site->thread, NULL, site_run, site);
}

void
site_end(struct site *site)
{
    pthread_join(site->thread, NULL);
    close(site->listener);
}

static int
io_read(void *context, unsigned char *data, size_t size)
{
    ssize_t count = recv(*(int *) context, data, size, 0);
    return count > 0 ? (int) count : -1;
}

static int
io_write(void *context, const unsigned char *data, size_t size)
{
    ssize_t count = send(*(int *) context, data, size, MSG_NOSIGNAL);
    return count > 0 ? (int) count : -1;
}

void
site_accept(struct site *site)
{
    struct pollfd look = {.fd = site->listener, .events = POLLIN};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int one = 1;

    site_close(site);
    int ready = poll(&look, 1, PATIENCE_S * 1000);
    assert(ready == 1);
    site->fd = accept4(site->listener, NULL, NULL, SOCK_CLOEXEC);
    assert(site->fd >= 0);
    setsockopt(site->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(site->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(site->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (site->tls != NULL) {
        peer_ready(site->tls);
        br_sslio_init(&site->io, &site->tls->server.eng, io_read, &site->fd, io_write, &site->fd);
    }
}

bool
site_receive(struct site *site, void *data, size_t size)
{
    char waste[4096];

    for (size_t got = 0; got < size;) {
        char *at = data == NULL ? waste : (char *) data + got;
        size_t most = data == NULL && size - got > sizeof waste ? sizeof waste : size - got;
        ssize_t count = site->tls != NULL ? br_sslio_read(&site->io, at, most)
                                          : recv(site->fd, at, most, 0);
        assert(count >= 0 || errno != EAGAIN || site->tls != NULL);
        if (count <= 0)
            return false;
        got += (size_t) count;
    }
    return true;
}

bool
site_question(struct site *site)
{
    size_t size = 0;

    do {
        assert(size + 1 < sizeof site->question);
        if (!site_receive(site, site->question + size, 1))
            return false;
        site->question[++size] = '\0';
    } while (size < 4 || memcmp(site->question + size - 4, "\r\n\r\n", 4) != 0);
    return true;
}

/* Until it has left for the client, or the client has gone. */
static void
wait_arrived(struct site *site)
{
    for (;;) {
        struct pollfd look = {.fd = site->fd};
        int left = 0;
        if (ioctl(site->fd, SIOCOUTQ, &left) != 0 || left == 0)
            return;
        poll(&look, 1, 0);
        if (look.revents & (POLLHUP | POLLERR))
            return;
        usleep(20);
    }
}

bool
site_send(struct site *site, const void *data, size_t size, size_t piece)
{
    for (size_t sent = 0; sent < size;) {
        const char *at = (const char *) data + sent;
        size_t most = piece == 0 || size - sent < piece ? size - sent : piece;
        if (site->tls != NULL) {
            if (br_sslio_write_all(&site->io, at, most) != 0 || br_sslio_flush(&site->io) != 0)
                return false;
            sent += most;
        } else {
            ssize_t count = send(site->fd, at, most, MSG_NOSIGNAL);
            if (count <= 0)
                return false;
            sent += (size_t) count;
        }
        if (piece > 0)
            wait_arrived(site);
    }
    return true;
}

bool
site_answer(struct site *site, const char *text)
{
    return site_send(site, text, strlen(text), 0);
}

void
site_wait_closed(struct site *site)
{
    char waste[4096];

    while (recv(site->fd, waste, sizeof waste, 0) > 0)
        ;
}

void
site_close(struct site *site)
{
    if (site->fd >= 0 && site->tls != NULL) {
        br_ssl_engine_context *engine = &site->tls->server.eng;
        unsigned char *record;
        size_t size;
        br_ssl_engine_close(engine);
        while ((record = br_ssl_engine_sendrec_buf(engine, &size)) != NULL &&
               send(site->fd, record, size, MSG_NOSIGNAL) == (ssize_t) size)
            br_ssl_engine_sendrec_ack(engine, size);
    }
    site_cut(site);
}

void
site_cut(struct site *site)
{
    if (site->fd >= 0)
        close(site->fd);
    site->fd = -1;
}

void
site_reset(struct site *site)
{
    struct linger linger = {.l_onoff = 1};

    setsockopt(site->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    site_cut(site);
}
