/* support_server - see support_server.h. */
#include "support_server.h"

#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PORT = 5432,
    PATIENCE_MS = 20000, /* a test that waits longer hangs */
    CODE_CANCEL = 80877102,
    CODE_TLS = 80877103,
    CODE_GSS = 80877104,
    MESSAGE_BYTES_MAX = 1 << 26,
};

void
message_add(struct bytes *bytes, char type, const void *body, size_t size)
{
    uint32_t length = htonl((uint32_t) size + 4);

    bytes_add(bytes, &type, 1);
    bytes_add(bytes, &length, 4);
    bytes_add(bytes, body, size);
}

void
message_add_text(struct bytes *bytes, char type, const char *body)
{
    message_add(bytes, type, body, strlen(body) + 1);
}

void
message_add_ready(struct bytes *bytes)
{
    message_add(bytes, 'Z', "I", 1);
}

void
message_add_error(struct bytes *bytes, char type, const char *sentence)
{
    struct bytes body = {0};

    bytes_add(&body, "SERROR", 7);
    bytes_add(&body, "C57P01", 7);
    bytes_add(&body, "M", 1);
    bytes_add(&body, sentence, strlen(sentence) + 1);
    bytes_add(&body, "", 1);
    message_add(bytes, type, body.data, body.size);
    bytes_free(&body);
}

void
message_add_copy(struct bytes *bytes, char type)
{
    message_add(bytes, type, "\0\0\2\0\0\0\0", 7);
}

static bool
receive_exactly(int fd, void *data, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t count = recv(fd, (char *) data + got, size - got, 0);
        if (count <= 0)
            return false;
        got += (size_t) count;
    }
    return true;
}

/* Take what comes beside the one connection: a cancel request, and nothing else.  False when the
 * listener was shut. */
static bool
cancel_accept(struct server *server)
{
    uint32_t packet[4];
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return false;
    if (receive_exactly(fd, packet, sizeof packet)) {
        assert(ntohl(packet[0]) == sizeof packet && ntohl(packet[1]) == CODE_CANCEL);
        atomic_fetch_add(&server->cancels, 1);
    }
    close(fd);
    return true;
}

static bool
receive(struct server *server, void *data, size_t size)
{
    for (size_t got = 0; got < size;) {
        struct pollfd polls[2] = {{.fd = server->fd, .events = POLLIN},
                                  {.fd = server->listener, .events = POLLIN}};
        int ready = poll(polls, 2, PATIENCE_MS);
        assert(ready > 0);
        if (polls[1].revents & POLLIN)
            cancel_accept(server);
        if (polls[0].revents == 0)
            continue;
        ssize_t count = recv(server->fd, (char *) data + got, size - got, 0);
        if (count <= 0)
            return false;
        got += (size_t) count;
    }
    return true;
}

static bool
receive_number(struct server *server, uint32_t *number)
{
    bool got = receive(server, number, sizeof *number);
    *number = ntohl(*number);
    return got;
}

static bool
receive_body(struct server *server)
{
    uint32_t length;

    bytes_free(&server->message);
    if (!receive_number(server, &length))
        return false;
    assert(length >= 4 && length < MESSAGE_BYTES_MAX);
    uint8_t *body = malloc(length);
    bool got = receive(server, body, length - 4);
    body[length - 4] = '\0';
    bytes_add(&server->message, body, length - 3);
    server->message.size--;
    free(body);
    return got;
}

bool
server_message(struct server *server)
{
    return receive(server, &server->type, 1) && receive_body(server);
}

void
server_expect(struct server *server, char type)
{
    do {
        bool got = server_message(server);
        assert(got);
    } while (server->type != type);
}

static bool
send_whole(struct server *server, const char *data, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t count = send(server->fd, data + sent, size - sent, MSG_NOSIGNAL);
        if (count < 0)
            return false;
        sent += (size_t) count;
    }
    return true;
}

/* Wait until the client has taken what was sent, or has gone. */
static void
wait_taken(struct server *server)
{
    for (int i = 0; i < PATIENCE_MS * 20; i++) {
        struct pollfd polls[2] = {{.fd = server->fd},
                                  {.fd = server->listener, .events = POLLIN}};
        int left = 0;
        if (ioctl(server->fd, SIOCOUTQ, &left) != 0 || left == 0)
            return;
        poll(polls, 2, 0);
        if (polls[0].revents & (POLLHUP | POLLERR))
            return;
        if (polls[1].revents & POLLIN)
            cancel_accept(server);
        usleep(50);
    }
    assert(!"the client takes no bytes");
}

bool
server_send(struct server *server, const void *data, size_t size, size_t piece)
{
    const char *at = data;

    if (piece == 0)
        return send_whole(server, at, size);
    for (; size > 0; wait_taken(server)) {
        size_t part = size < piece ? size : piece;
        if (!send_whole(server, at, part))
            return false;
        at += part;
        size -= part;
    }
    return true;
}

void
server_cut(struct server *server)
{
    if (server->fd >= 0)
        close(server->fd);
    server->fd = -1;
}

static void
send_greeting(struct server *server)
{
    static const char *const settings[][2] = {
        {"server_version", "18.0"}, {"server_encoding", "UTF8"}, {"client_encoding", "UTF8"},
        {"standard_conforming_strings", "on"}};
    struct bytes greeting = {0};

    message_add(&greeting, 'R', "\0\0\0\0", 4);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char body[64];
        size_t name = strlen(settings[i][0]) + 1, value = strlen(settings[i][1]) + 1;
        memcpy(body, settings[i][0], name);
        memcpy(body + name, settings[i][1], value);
        message_add(&greeting, 'S', body, name + value);
    }
    message_add(&greeting, 'K', "\0\0\0\1\0\0\0\2", 8);
    message_add_ready(&greeting);
    bool sent = server_send(server, greeting.data, greeting.size, 0);
    assert(sent);
    bytes_free(&greeting);
}

/* Take the startup packet, refusing encryption. */
static void
shake_hands(struct server *server)
{
    for (;;) {
        bool got = receive_body(server);
        assert(got && server->message.size >= 4);
        uint32_t code;
        memcpy(&code, server->message.data, 4);
        code = ntohl(code);
        if (code != CODE_TLS && code != CODE_GSS)
            break;
        send_whole(server, "N", 1);
    }
    send_greeting(server);
}

/* Add an answer of one row. */
static void
message_add_row(struct bytes *bytes, size_t count, const char *const (*cells)[2])
{
    struct bytes head = {0}, row = {0};
    uint16_t fields = htons((uint16_t) count);

    bytes_add(&head, &fields, 2);
    bytes_add(&row, &fields, 2);
    for (size_t i = 0; i < count; i++) {
        uint32_t length = htonl((uint32_t) strlen(cells[i][1]));
        bytes_add(&head, cells[i][0], strlen(cells[i][0]) + 1);
        bytes_add(&head, "\0\0\0\0\0\0\0\0\0\31\377\377\377\377\377\377\0\0", 18);
        bytes_add(&row, &length, 4);
        bytes_add(&row, cells[i][1], strlen(cells[i][1]));
    }
    message_add(bytes, 'T', head.data, head.size);
    message_add(bytes, 'D', row.data, row.size);
    message_add_text(bytes, 'C', "SELECT 1");
    message_add_ready(bytes);
    bytes_free(&head);
    bytes_free(&row);
}

/* Say which backend it is, the one of the greeting; then yes to the list of settings. */
static void
agree(struct server *server)
{
    static const char *const backend[][2] = {{"pg_backend_pid", "1"}};
    static const char *const as_wanted[][2] = {
        {"allow_system_table_mods", "off"}, {"zero_damaged_pages", "off"},
        {"ignore_checksum_failure", "off"}, {"session_replication_role", "origin"}};
    struct bytes answer = {0};

    server_expect(server, 'Q');
    message_add_row(&answer, 1, backend);
    server_send(server, answer.data, answer.size, 0);
    bytes_free(&answer);
    server_expect(server, 'Q');
    message_add_row(&answer, sizeof as_wanted / sizeof *as_wanted, as_wanted);
    server_send(server, answer.data, answer.size, 0);
    bytes_free(&answer);
}

static void *
server_run(void *argument)
{
    struct server *server = argument;

    server->fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    assert(server->fd >= 0);
    shake_hands(server);
    agree(server);
    server->script(server);
    server_cut(server);
    while (cancel_accept(server))
        ;
    return NULL;
}

void
server_begin(struct server *server, void (*script)(struct server *server), void *context)
{
    static unsigned count;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1,
                          "replica-test-%d-%u/.s.PGSQL.%d", (int) getpid(), ++count, PORT);

    *server = (struct server){.fd = -1, .script = script, .context = context};
    snprintf(server->uri, sizeof server->uri,
             "host=@replica-test-%d-%u port=%d user=u dbname=d sslmode=disable gssencmode=disable",
             (int) getpid(), count, PORT);
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *) &address,
                          (socklen_t) (sizeof address.sun_family + 1 + (size_t) length)), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
}

void
server_end(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    bytes_free(&server->message);
}
