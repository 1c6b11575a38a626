/* conn: what the server says becomes one sentence, and nothing waits deaf to the switch or longer
 * than it should. */
#include "support_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "pg/conn.h"

static void *
stop_soon(void *stop)
{
    usleep(50000);
    stop_request(stop, 0);
    return NULL;
}

/* ---- a server that never says a word ------------------------------------------------- */

static int
silent_begin(char uri[static 128], const char *more)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int size = snprintf(address.sun_path + 1, sizeof address.sun_path - 1,
                        "replica-silent-%d/.s.PGSQL.5432", (int) getpid());

    snprintf(uri, 128, "host=@replica-silent-%d port=5432 user=u dbname=d %s", (int) getpid(),
             more);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &address,
                          (socklen_t) (sizeof address.sun_family + 1 + (size_t) size)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void
test_no_answer(void **state)
{
    struct pg_session conn;
    struct stop stop;
    struct fault fault = {0};
    char uri[128];
    (void) state;

    int fd = silent_begin(uri, "connect_timeout=2");
    assert_true(stop_init(&stop, &fault));
    uint64_t begun_ms = clock_ms();
    assert_false(pg_open(&conn, uri, ERR_TARGET, &stop, &fault));
    assert_in_range(clock_ms() - begun_ms, 1900, 60000);
    assert_int_equal(fault.err, ERR_TARGET);
    assert_non_null(strstr(fault.text, "unable to connect to the destination: no answer from @"));
    assert_non_null(strstr(fault.text, "within 2 s"));
    pg_close(&conn);
    stop_free(&stop);
    close(fd);
}

static void
test_stopped_while_connecting(void **state)
{
    struct pg_session conn;
    struct stop stop;
    struct fault fault = {0};
    char uri[128];
    pthread_t thread;
    (void) state;

    int fd = silent_begin(uri, "");
    assert_true(stop_init(&stop, &fault));
    pthread_create(&thread, NULL, stop_soon, &stop);
    assert_false(pg_open(&conn, uri, ERR_SOURCE, &stop, &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    pthread_join(thread, NULL);
    pg_close(&conn);
    stop_free(&stop);
    close(fd);
}

static void
test_nobody_there(void **state)
{
    struct pg_session conn;
    struct stop stop;
    struct fault fault = {0};
    (void) state;

    assert_true(stop_init(&stop, &fault));
    assert_false(pg_open(&conn, "host=@replica-nobody user=u password=otter", ERR_SOURCE, &stop,
                         &fault));
    assert_int_equal(fault.err, ERR_SOURCE);
    assert_non_null(strstr(fault.text, "unable to connect to the source: "));
    assert_null(strchr(fault.text, '\n'));
    assert_null(strstr(fault.text, "otter"));
    pg_close(&conn);
    stop_free(&stop);
}

/* ---- a server that answers ----------------------------------------------------------- */

struct talk {
    struct server server;
    struct stop stop;
    struct pg_session conn;
};

static void
talk_begin(struct talk *talk, void (*script)(struct server *server), void *context)
{
    struct fault fault = {0};

    assert_true(stop_init(&talk->stop, &fault));
    server_begin(&talk->server, script, context);
    if (!pg_open(&talk->conn, talk->server.uri, ERR_SOURCE, &talk->stop, &fault))
        fail_msg("%s", fault.text);
}

static void
talk_end(struct talk *talk)
{
    pg_close(&talk->conn);
    server_end(&talk->server);
    stop_free(&talk->stop);
}

/* Send the context's bytes as the answer to each query. */
static void
answer_each(struct server *server)
{
    const struct bytes *answer = server->context;

    while (server_message(server))
        if (server->type == 'Q')
            server_send(server, answer->data, answer->size, 5);
}

static void
add_error_with_everything(struct bytes *answer)
{
    static const char body[] = "SERROR\0C23505\0Mduplicate\nkey\0DKey (a)\0Htry\0Wcontext\0";
    message_add(answer, 'E', body, sizeof body);
}

static void
test_sentence(void **state)
{
    struct bytes answer = {0};
    struct talk talk;
    (void) state;

    message_add_text(&answer, 'C', "SET");
    add_error_with_everything(&answer);
    message_add_ready(&answer);
    talk_begin(&talk, answer_each, &answer);
    for (int again = 0; again < 2; again++) { /* the connection serves on */
        struct fault fault = {0};
        assert_false(pg_run(&talk.conn, "test", "SET a; INSERT b", &fault));
        assert_int_equal(fault.err, ERR_SOURCE);
        assert_string_equal(fault.text,
                            "unable to test: duplicate; key; try");
        assert_string_equal(talk.conn.sqlstate, "23505");
    }
    talk_end(&talk);
    bytes_free(&answer);
}

static void
answer_and_leave(struct server *server)
{
    const struct bytes *answer = server->context;
    server_expect(server, 'Q');
    server_send(server, answer->data, answer->size, 5);
}

static void
test_server_leaves(void **state)
{
    struct bytes answer = {0};
    (void) state;

    message_add_error(&answer, 'E', "terminating connection due to administrator command");
    for (size_t size = 0; size <= answer.size; size++) {
        struct bytes part = {.data = answer.data, .size = size};
        struct fault fault = {0};
        struct talk talk;
        talk_begin(&talk, answer_and_leave, &part);
        assert_false(pg_run(&talk.conn, "test", "SELECT 1", &fault));
        assert_int_equal(fault.err, ERR_SOURCE);
        assert_true(strlen(fault.text) > strlen("unable to"));
        if (size == answer.size)
            assert_non_null(strstr(fault.text, "administrator command"));
        talk_end(&talk);
    }
    bytes_free(&answer);
}

static void
no_answer(struct server *server)
{
    while (server_message(server))
        ;
}

static void
test_stopped(void **state)
{
    struct fault fault = {0};
    struct talk talk;
    pthread_t thread;
    (void) state;

    talk_begin(&talk, no_answer, NULL);
    pthread_create(&thread, NULL, stop_soon, &talk.stop);
    assert_false(pg_run(&talk.conn, "test", "SELECT 1", &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    pthread_join(thread, NULL);
    talk_end(&talk);
    assert_int_equal(atomic_load(&talk.server.cancels), 1);
}

/* Takes neither the query's end nor a cancel request before the client has gone. */
static void
deaf(struct server *server)
{
    atomic_bool *left = server->context;
    while (!atomic_load(left))
        usleep(1000);
}

static void
test_no_answer_to_cancel(void **state)
{
    struct fault fault = {0};
    struct talk talk;
    pthread_t thread;
    atomic_bool left = false;
    (void) state;

    talk_begin(&talk, deaf, &left);
    pthread_create(&thread, NULL, stop_soon, &talk.stop);
    assert_false(pg_run(&talk.conn, "test", "SELECT 1", &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    pthread_join(thread, NULL);
    uint64_t begun_ms = clock_ms();
    pg_close(&talk.conn);
    assert_in_range(clock_ms() - begun_ms, CANCEL_MS - 100, CANCEL_MS + 60000);
    atomic_store(&left, true);
    talk_end(&talk);
}

/* The server speaks before it listens: each side's buffers are full, and neither may wait for the
 * other. */
static void
speak_first(struct server *server)
{
    struct bytes notices = {0}, answer = {0};

    for (int i = 0; i < 40000; i++)
        message_add_error(&notices, 'N', "something that nobody has asked for");
    server_send(server, notices.data, notices.size, 0);
    server_expect(server, 'Q');
    message_add_text(&answer, 'C', "SELECT 0");
    message_add_ready(&answer);
    server_send(server, answer.data, answer.size, 0);
    while (server_message(server))
        ;
    bytes_free(&notices);
    bytes_free(&answer);
}

static void
test_both_speak(void **state)
{
    enum { LONG = 4000000 };
    struct fault fault = {0};
    struct talk talk;
    (void) state;

    char *sql = malloc(LONG + 1);
    memset(sql, ' ', LONG);
    sql[LONG] = '\0';
    talk_begin(&talk, speak_first, NULL);
    if (!pg_run(&talk.conn, "test", sql, &fault))
        fail_msg("%s", fault.text);
    talk_end(&talk);
    free(sql);
}

static void
test_closed(void **state)
{
    struct pg_session conn = {0};
    (void) state;

    pg_close(&conn);
    pg_close(&conn);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_stopped_while_connecting),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_sentence),
        cmocka_unit_test(test_server_leaves),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_no_answer_to_cancel),
        cmocka_unit_test(test_both_speak),
        cmocka_unit_test(test_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
