/* copy_out: rows are framed off the wire however it cuts them, and whatever is not a whole COPY is
 * refused; nothing waits deaf to the stop switch. */
#include "pg/libpq_inside.h"

#include "support_server.h"

#include "pg/copy_out.h"

static const char doing[] = "copy \"s\".\"t\"";

/* What the server answers to the COPY, and how. */
struct answer {
    struct bytes bytes;
    size_t piece, size; /* size: how much of it before the cut; 0 all of it */
    bool silence;       /* behind it neither a byte nor an end */
    struct stop *stop;  /* NULL, or the switch that is thrown then */
};

static void
answer_script(struct server *server)
{
    const struct answer *answer = server->context;
    size_t size = answer->size == 0 ? answer->bytes.size : answer->size;

    server_expect(server, 'Q');
    server_send(server, answer->bytes.data, size, answer->piece);
    if (answer->stop != NULL)
        stop_request(answer->stop, 0);
    while (answer->silence && server_message(server))
        ;
}

/* The client's side: all volumes of one COPY. */
struct taken {
    struct bytes rows;
    uint64_t counts[8];
    unsigned volumes;
    int libpq_bytes; /* of libpq's input buffer in the end */
};

static bool
take_volumes(struct copy_out *out, size_t window, uint64_t stored_max, struct taken *taken,
             struct fault *fault)
{
    for (;;) {
        _Atomic uint64_t stored = stored_max;
        bool more;
        if (!copy_out_next(out, doing, &more, fault))
            return false;
        if (!more)
            return true;
        struct stage *stage = copy_out_init(out, &stored, stored_max + (stored_max == 0));
        bool done = windows_push(stage, NULL, 0, 0, window, &taken->rows, fault);
        if (!done)
            return false;
        assert_true(taken->volumes < 8);
        taken->counts[taken->volumes++] = out->rows;
    }
}

/* stored_max 0: one volume; otherwise each row is a volume of its own. */
static bool
take_from(struct server *server, struct stop *stop, size_t window, uint64_t stored_max,
          struct taken *taken, struct fault *fault)
{
    struct pg_session conn;
    struct copy_out out;

    copy_out_open(&out);
    bool done = pg_open(&conn, server->uri, ERR_SOURCE, stop, fault);
    if (!done)
        fail_msg("%s", fault->text);
    done = copy_out_begin(&out, &conn, doing, "COPY s.t TO STDOUT", false, fault) &&
           take_volumes(&out, window, stored_max, taken, fault);
    taken->libpq_bytes = conn.pq->inBufSize;
    if (done)
        assert_int_equal(PQtransactionStatus(conn.pq), PQTRANS_IDLE);
    pg_close(&conn);
    copy_out_close(&out);
    return done;
}

static bool
take(struct answer *answer, size_t window, uint64_t stored_max, struct taken *taken,
     struct fault *fault)
{
    struct server server;
    struct stop stop;

    assert_true(stop_init(&stop, fault));
    server_begin(&server, answer_script, answer);
    bool done = take_from(&server, &stop, window, stored_max, taken, fault);
    server_end(&server);
    stop_free(&stop);
    return done;
}

static const char *const rows[] = {"1\ta\n", "2\t\n", "\n",
                                   "3\twith more bytes than some windows\n"};
enum { ROWS = sizeof rows / sizeof *rows };
static const char rows_text[] = "1\ta\n2\t\n\n3\twith more bytes than some windows\n";

/* A whole COPY, with all that may come in its middle. */
static void
answer_make(struct answer *answer, const char *tag)
{
    struct bytes *bytes = &answer->bytes;

    message_add_error(bytes, 'N', "a notice before");
    message_add_copy(bytes, 'H');
    for (size_t i = 0; i < ROWS; i++) {
        message_add(bytes, 'd', rows[i], strlen(rows[i]));
        message_add_error(bytes, 'N', "a notice in the middle");
        message_add(bytes, 'S', "TimeZone\0UTC", 13);
        message_add(bytes, 'A', "\0\0\0\1channel\0", 13);
    }
    message_add(bytes, 'c', "", 0);
    message_add_text(bytes, 'C', tag);
    message_add_ready(bytes);
}

static void
check_rows(const struct taken *taken)
{
    struct bytes expected = {.data = (uint8_t *) (uintptr_t) rows_text, .size = strlen(rows_text)};
    assert_bytes_equal(&taken->rows, &expected);
}

static void
test_pieces(void **state)
{
    static const size_t windows[] = {1, 3, 64, 4096};
    struct answer answer = {0};
    (void) state;

    answer_make(&answer, "COPY 4");
    for (answer.piece = 0; answer.piece < 24; answer.piece++) {
        struct taken taken = {0};
        struct fault fault = {0};
        if (!take(&answer, windows[answer.piece % 4], 0, &taken, &fault))
            fail_msg("%s", fault.text);
        check_rows(&taken);
        assert_int_equal(taken.volumes, 1);
        assert_int_equal(taken.counts[0], ROWS);
        bytes_free(&taken.rows);
    }
    bytes_free(&answer.bytes);
}

static void
test_volumes(void **state)
{
    struct answer answer = {0};
    (void) state;

    answer_make(&answer, "COPY 4");
    for (answer.piece = 0; answer.piece < 8; answer.piece++) {
        struct taken taken = {0};
        struct fault fault = {0};
        if (!take(&answer, 7, 1, &taken, &fault))
            fail_msg("%s", fault.text);
        check_rows(&taken);
        assert_int_equal(taken.volumes, ROWS);
        for (unsigned i = 0; i < ROWS; i++)
            assert_int_equal(taken.counts[i], 1);
        bytes_free(&taken.rows);
    }
    bytes_free(&answer.bytes);
}

static void
test_no_rows(void **state)
{
    struct answer answer = {0};
    struct taken taken = {0};
    struct fault fault = {0};
    (void) state;

    message_add_copy(&answer.bytes, 'H');
    message_add(&answer.bytes, 'c', "", 0);
    message_add_text(&answer.bytes, 'C', "COPY 0");
    message_add_ready(&answer.bytes);
    assert_true(take(&answer, 64, 0, &taken, &fault));
    assert_int_equal(taken.volumes, 0);
    bytes_free(&answer.bytes);
}

/* Statements before the COPY are answered one by one, however the bytes come; libpq sees no row. */
static void
test_statements_before(void **state)
{
    struct answer answer = {0};
    (void) state;

    message_add_text(&answer.bytes, 'C', "SET");
    message_add_text(&answer.bytes, 'C', "LOCK TABLE");
    answer_make(&answer, "COPY 4");
    for (answer.piece = 0; answer.piece < 8; answer.piece++) {
        struct taken taken = {0};
        struct fault fault = {0};
        if (!take(&answer, 64, 0, &taken, &fault))
            fail_msg("%s", fault.text);
        assert_int_equal(taken.rows.size, strlen(rows_text));
        assert_memory_equal(taken.rows.data, rows_text, taken.rows.size);
        bytes_free(&taken.rows);
    }
    bytes_free(&answer.bytes);
}

/* Each piece size; then the sentence must be there.  Takes the answer's bytes. */
static void
check_refused(struct answer *answer, const char *sentence)
{
    for (answer->piece = 0; answer->piece < 8; answer->piece++) {
        struct taken taken = {0};
        struct fault fault = {0};
        if (take(answer, 64, 0, &taken, &fault))
            fail_msg("passes, but should fail: %s", sentence);
        assert_int_equal(fault.err, ERR_SOURCE);
        if (strstr(fault.text, sentence) == NULL)
            fail_msg("%s", fault.text);
        bytes_free(&taken.rows);
    }
    bytes_free(&answer->bytes);
}

static void
begin_with_row(struct answer *answer)
{
    *answer = (struct answer){0};
    message_add_copy(&answer->bytes, 'H');
    message_add(&answer->bytes, 'd', "1\ta\n", 4);
}

static void
test_errors(void **state)
{
    struct answer answer = {0};
    (void) state;

    message_add_error(&answer.bytes, 'E', "no such table");
    message_add_ready(&answer.bytes);
    check_refused(&answer, "unable to copy \"s\".\"t\": no such table");

    begin_with_row(&answer);
    message_add_error(&answer.bytes, 'E', "terminating connection");
    message_add_ready(&answer.bytes);
    check_refused(&answer, "unable to copy \"s\".\"t\": terminating connection");

    begin_with_row(&answer);
    message_add(&answer.bytes, 'c', "", 0);
    message_add_error(&answer.bytes, 'E', "too late");
    message_add_ready(&answer.bytes);
    check_refused(&answer, "too late");

    begin_with_row(&answer);
    message_add_error(&answer.bytes, 'E', "killed, and gone");
    check_refused(&answer, "killed, and gone");
}

static void
test_counts(void **state)
{
    struct answer answer = {0};
    (void) state;

    begin_with_row(&answer);
    message_add(&answer.bytes, 'c', "", 0);
    message_add_text(&answer.bytes, 'C', "COPY 2");
    message_add_ready(&answer.bytes);
    check_refused(&answer, "the server counts 2 rows, 1 arrived");

    begin_with_row(&answer);
    message_add(&answer.bytes, 'c', "", 0);
    message_add_text(&answer.bytes, 'C', "COPY");
    message_add_ready(&answer.bytes);
    check_refused(&answer, "the server counts 0 rows, 1 arrived");

    begin_with_row(&answer);
    message_add(&answer.bytes, 'c', "", 0);
    message_add_ready(&answer.bytes);
    check_refused(&answer, "the server did not say how many rows");

    begin_with_row(&answer);
    message_add_ready(&answer.bytes);
    check_refused(&answer, "the server did not say how many rows");
}

static void
test_no_copy(void **state)
{
    struct answer answer = {0};
    (void) state;

    message_add_text(&answer.bytes, 'C', "SELECT 1");
    message_add_ready(&answer.bytes);
    check_refused(&answer, "unable to copy \"s\".\"t\": the server started no COPY");

    answer = (struct answer){0};
    message_add_ready(&answer.bytes);
    check_refused(&answer, "unable to copy \"s\".\"t\"");
}

static void
test_lengths(void **state)
{
    static const char types[] = "dNSAEHCZ";
    (void) state;

    for (const char *type = types; *type != '\0'; type++) {
        struct answer answer;
        char header[5] = {*type, 0, 0, 0, 3};
        begin_with_row(&answer);
        bytes_add(&answer.bytes, header, 5);
        check_refused(&answer, "a message of 3 bytes");

        answer = (struct answer){0};
        bytes_add(&answer.bytes, header, 5);
        check_refused(&answer, "a message of 3 bytes");
    }
    for (const char *type = "NSAH"; *type != '\0'; type++) {
        struct answer answer = {0};
        char header[5] = {*type, 0x40, 0, 0, 0};
        if (*type != 'H')
            begin_with_row(&answer);
        bytes_add(&answer.bytes, header, 5);
        check_refused(&answer, "of 1073741824 bytes");
    }
}

static void
test_cut_anywhere(void **state)
{
    struct answer answer = {0};
    (void) state;

    answer_make(&answer, "COPY 4");
    /* Without ReadyForQuery the COPY is proven, but not over. */
    for (answer.size = 1; answer.size < answer.bytes.size; answer.size++) {
        struct taken taken = {0};
        struct fault fault = {0};
        if (take(&answer, 16, 0, &taken, &fault))
            fail_msg("%zu of %zu bytes pass for the whole", answer.size, answer.bytes.size);
        assert_int_equal(fault.err, ERR_SOURCE);
        assert_true(strlen(fault.text) > 0);
        assert_true(taken.rows.size <= strlen(rows_text));
        if (taken.rows.size > 0)
            assert_memory_equal(taken.rows.data, rows_text, taken.rows.size);
        bytes_free(&taken.rows);
    }
    bytes_free(&answer.bytes);
}

/* libpq would make room for a whole row as soon as it saw its header. */
static void
test_long_row(void **state)
{
    static const uint8_t header[5] = {'d', 900000000 >> 24, 900000000 >> 16 & 255,
                                      900000000 >> 8 & 255, 900000000 & 255};
    struct answer answer = {0};
    struct taken taken = {0};
    struct fault fault = {0};
    (void) state;

    message_add_copy(&answer.bytes, 'H');
    bytes_add(&answer.bytes, header, sizeof header);
    bytes_add_noise(&answer.bytes, 1, 1000000);
    for (size_t i = answer.bytes.size - 1000000; i < answer.bytes.size; i++)
        answer.bytes.data[i] = 'a' + answer.bytes.data[i] % 26;
    assert_false(take(&answer, 4096, 0, &taken, &fault));
    assert_true(taken.libpq_bytes < 1000000);
    assert_int_equal(taken.rows.size, 1000000);
    assert_memory_equal(taken.rows.data, answer.bytes.data + answer.bytes.size - 1000000, 1000000);
    assert_non_null(strstr(fault.text, "closed the connection"));
    bytes_free(&taken.rows);
    bytes_free(&answer.bytes);
}

/* A server that is none of PostgreSQL's: what is no row, or not one row in a message, goes no
 * further. */
static void
test_what_is_no_row(void **state)
{
    static const struct {
        const char *rows[3], *sentence;
    } cases[] = {
        {{"1\ta\n", "\\.\n", "2\n"}, "holds the end mark of a COPY, \\., in row 2"},
        {{"1\ta\n", "2\\.\n", "2\n"}, "holds the end mark of a COPY, \\., in row 2"},
        {{"1\ta\n", "2\\", ".\n"}, "holds the end mark of a COPY, \\., in row 2"},
        {{"1\ta\n", "2", "3\n"}, "holds 2 rows, 3 were announced"},
        {{"1\ta\n", "2\n3\n", "4\n"}, "holds 4 rows, 3 were announced"},
        {{"1\ta\n", "2\n3\n", "4"}, "ends inside a row"},
        {{"1\ta\n", "2\r\n", "4\n"}, "holds a carriage return in row 2"},
        {{"1\ta\n", "2\\\n", "4\n"}, "holds a backslash before byte 0x0a in row 2"},
        {{"1\ta\n", "\\! touch x\n", "4\n"}, "holds a backslash before byte 0x21 in row 2"},
        {{"1\ta\n", "", "4\n"}, "holds 2 rows, 3 were announced"},
    };
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer answer = {0};
        struct taken taken = {0};
        struct fault fault = {0};
        message_add_copy(&answer.bytes, 'H');
        for (size_t j = 0; j < 3; j++)
            message_add(&answer.bytes, 'd', cases[i].rows[j], strlen(cases[i].rows[j]));
        message_add(&answer.bytes, 'c', "", 0);
        message_add_text(&answer.bytes, 'C', "COPY 3");
        message_add_ready(&answer.bytes);
        assert_false(take(&answer, i % 2 == 0 ? 4096 : 3, 0, &taken, &fault));
        assert_int_equal(fault.err, ERR_SOURCE);
        if (strstr(fault.text, cases[i].sentence) == NULL)
            fail_msg("%s instead of %s", fault.text, cases[i].sentence);
        bytes_free(&taken.rows);
        bytes_free(&answer.bytes);
    }
}

/* Any part of the answer, then the switch and silence. */
static void
test_stopped(void **state)
{
    struct answer answer = {.silence = true};
    (void) state;

    answer_make(&answer, "COPY 4");
    for (answer.size = 1; answer.size < answer.bytes.size; answer.size += 29) {
        struct taken taken = {0};
        struct fault fault = {0};
        struct server server;
        struct stop stop;
        assert_true(stop_init(&stop, &fault));
        answer.stop = &stop;
        server_begin(&server, answer_script, &answer);
        assert_false(take_from(&server, &stop, 4096, 0, &taken, &fault));
        assert_int_equal(fault.err, ERR_STOPPED);
        server_end(&server);
        assert_int_equal(atomic_load(&server.cancels), 1);
        stop_free(&stop);
        bytes_free(&taken.rows);
    }
    bytes_free(&answer.bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),       cmocka_unit_test(test_volumes),
        cmocka_unit_test(test_no_rows),      cmocka_unit_test(test_errors),
        cmocka_unit_test(test_statements_before),
        cmocka_unit_test(test_counts),       cmocka_unit_test(test_no_copy),
        cmocka_unit_test(test_lengths),      cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_long_row),     cmocka_unit_test(test_what_is_no_row),
        cmocka_unit_test(test_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
