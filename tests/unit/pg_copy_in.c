/* copy_in: the server gets the rows as they are, its refusal is heard at once and is the sentence,
 * and a COPY that is not done is undone. */
#include "support_server.h"

#include <unistd.h>

#include "pg/copy_in.h"

static const char doing[] = "load 1.sql into \"s\".\"t\"";

/* What the server does: takes some bytes, then answers and goes on or leaves. */
struct taking {
    size_t most;          /* bytes of rows to take before the answer; SIZE_MAX: all */
    struct bytes answer;
    bool deaf;            /* take nothing more, not even the end, until the client leaves */
    bool leave;           /* close behind the answer */
    struct bytes rows;    /* what came */
    char end;             /* 'c' CopyDone, 'f' CopyFail, 0 nothing */
    atomic_bool left;     /* the client has; for the deaf */
};

static void
taking_script(struct server *server)
{
    struct taking *taking = server->context;
    struct bytes begin = {0};

    server_expect(server, 'Q');
    message_add_copy(&begin, 'G');
    server_send(server, begin.data, begin.size, 0);
    bytes_free(&begin);
    while (taking->rows.size < taking->most && server_message(server)) {
        if (server->type == 'd') {
            bytes_add(&taking->rows, server->message.data, server->message.size);
            continue;
        }
        taking->end = server->type;
        break;
    }
    server_send(server, taking->answer.data, taking->answer.size, 3);
    while (taking->deaf && !atomic_load(&taking->left))
        usleep(1000);
    while (!taking->leave && server_message(server))
        if (server->type == 'f')
            taking->end = 'f';
}

static void *
stop_soon(void *stop)
{
    usleep(50000);
    stop_request(stop, 0);
    return NULL;
}

/* Send size bytes of rows to a server; last: end the COPY, too.  Returns whether it was done. */
static bool
put_rows(struct taking *taking, size_t size, bool last, bool stopped, uint64_t *rows,
         struct fault *fault)
{
    struct server server;
    struct stop stop;
    struct pg_session conn;
    struct copy_in in;
    struct bytes bytes = {0};
    pthread_t thread;
    struct target_span none = {0};

    bytes_add_rows(&bytes, 5, size);
    assert_true(stop_init(&stop, fault));
    server_begin(&server, taking_script, taking);
    if (!pg_open(&conn, server.uri, ERR_TARGET, &stop, fault) ||
        !copy_in_begin(&in, &conn, doing, "COPY s.t FROM STDIN", fault))
        fail_msg("%s", fault->text);
    if (stopped)
        pthread_create(&thread, NULL, stop_soon, &stop);
    struct stage *stage = copy_in_init(&in);
    enum step step = STEP_AGAIN;
    struct source_span source = {.data = bytes.data, .size = bytes.size};
    while (step == STEP_AGAIN && source.used < source.size)
        step = stage_step(stage, &source, &none, false, fault);
    source = (struct source_span){0};
    if (step == STEP_AGAIN && last)
        step = stage_step(stage, &source, &none, true, fault);
    stage_free(stage);
    *rows = in.rows;
    if (stopped)
        pthread_join(thread, NULL);
    atomic_store(&taking->left, true);
    pg_close(&conn);
    server_end(&server);
    stop_free(&stop);
    bytes_free(&bytes);
    return step == STEP_DONE;
}

static void
answer_error(struct taking *taking)
{
    message_add_error(&taking->answer, 'N', "a notice before");
    message_add_error(&taking->answer, 'E', "the disk is full");
    message_add_ready(&taking->answer);
}

static void
test_taken(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 300000, 3000000};
    (void) state;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct taking taking = {.most = SIZE_MAX};
        struct bytes expected = {0};
        struct fault fault = {0};
        uint64_t rows;
        message_add_error(&taking.answer, 'N', "a notice");
        message_add_text(&taking.answer, 'C', "COPY 1234567890123");
        message_add_ready(&taking.answer);
        if (!put_rows(&taking, sizes[i], true, false, &rows, &fault))
            fail_msg("%s", fault.text);
        assert_int_equal(rows, 1234567890123);
        assert_int_equal(taking.end, 'c');
        bytes_add_rows(&expected, 5, sizes[i]);
        assert_bytes_equal(&taking.rows, &expected);
        bytes_free(&expected);
        bytes_free(&taking.rows);
        bytes_free(&taking.answer);
    }
}

/* Rows without end: only a refusal heard in the middle ends the test early. */
static void
test_refused_in_the_middle(void **state)
{
    static const size_t most[] = {1, 1000, 1000000};
    (void) state;

    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        for (int leave = 0; leave < 2; leave++) {
            struct taking taking = {.most = most[i], .leave = leave == 1};
            struct fault fault = {0};
            uint64_t rows;
            answer_error(&taking);
            assert_false(put_rows(&taking, 8000000, false, false, &rows, &fault));
            assert_int_equal(fault.err, ERR_TARGET);
            assert_string_equal(fault.text,
                                "unable to load 1.sql into \"s\".\"t\": the disk is full");
            bytes_free(&taking.rows);
            bytes_free(&taking.answer);
        }
    }
}

static void
test_refused_in_the_end(void **state)
{
    struct taking taking = {.most = SIZE_MAX};
    struct fault fault = {0};
    uint64_t rows;
    (void) state;

    answer_error(&taking);
    assert_false(put_rows(&taking, 1000, true, false, &rows, &fault));
    assert_int_equal(fault.err, ERR_TARGET);
    assert_string_equal(fault.text, "unable to load 1.sql into \"s\".\"t\": the disk is full");
    assert_int_equal(taking.end, 'c');
    bytes_free(&taking.rows);
    bytes_free(&taking.answer);
}

static void
test_no_count(void **state)
{
    struct taking taking = {.most = SIZE_MAX};
    struct fault fault = {0};
    uint64_t rows;
    (void) state;

    message_add_ready(&taking.answer);
    assert_false(put_rows(&taking, 1000, true, false, &rows, &fault));
    assert_int_equal(fault.err, ERR_TARGET);
    assert_non_null(strstr(fault.text, "the server did not say how many rows it took"));
    bytes_free(&taking.rows);
    bytes_free(&taking.answer);
}

static void
test_given_up(void **state)
{
    struct taking taking = {.most = SIZE_MAX};
    struct fault fault = {0};
    uint64_t rows;
    (void) state;

    answer_error(&taking);
    assert_false(put_rows(&taking, 1000, false, false, &rows, &fault));
    assert_int_equal(fault.err, ERR_NONE);
    assert_int_equal(taking.end, 'f');
    bytes_free(&taking.rows);
    bytes_free(&taking.answer);
}

static void
test_cut(void **state)
{
    static const size_t most[] = {0, 1000, 1000000, SIZE_MAX};
    (void) state;

    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        struct taking taking = {.most = most[i], .leave = true};
        struct fault fault = {0};
        uint64_t rows;
        assert_false(put_rows(&taking, 5000000, true, false, &rows, &fault));
        assert_int_equal(fault.err, ERR_TARGET);
        assert_true(strlen(fault.text) > 0);
        bytes_free(&taking.rows);
    }
}

static void
test_stopped(void **state)
{
    static const size_t most[] = {0, 1000, 1000000};
    (void) state;

    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        struct taking taking = {.most = most[i], .deaf = true};
        struct fault fault = {0};
        uint64_t rows;
        assert_false(put_rows(&taking, 8000000, true, true, &rows, &fault));
        assert_int_equal(fault.err, ERR_STOPPED);
        bytes_free(&taking.rows);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused_in_the_middle),
        cmocka_unit_test(test_refused_in_the_end),
        cmocka_unit_test(test_no_count),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
