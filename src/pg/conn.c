/* conn - see conn.h. */
#include "pg/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "pg/pooler.h"
#include "pg/settings.h"
#include "pg/sql_guard.h"
#include "pg/wire.h"

static const char *
side_name(const struct pg_session *conn)
{
    return conn->side == ERR_SOURCE ? "source" : "destination";
}

/* libpq's messages end with newlines and may have several lines; a sentence has one. */
static void
one_line(struct text *text, const char *message)
{
    for (; *message != '\0'; message++) {
        if (*message != '\n')
            text_add_bytes(text, message, 1);
        else if (message[1] != '\0')
            text_add(text, "; ");
    }
}

static bool
conn_failed(struct pg_session *conn, const char *doing, struct fault *fault)
{
    struct text message = {0};
    one_line(&message, PQerrorMessage(conn->pq));
    fault_set(fault, conn->side, "unable to %s: %s", doing, text_of(&message));
    text_free(&message);
    return false;
}

static bool
connect_failed(struct pg_session *conn, struct fault *fault)
{
    return conn_failed(conn, conn->side == ERR_SOURCE ? "connect to the source"
                                                      : "connect to the destination", fault);
}

/* libpq's complaints about a URI quote it, or the piece it did not understand, and either may be a
 * password.  What it would not understand env_uri.c has refused before. */
static bool
uri_check(const struct pg_session *conn, const char *uri, struct fault *fault)
{
    char *complaint = NULL;
    PQconninfoOption *options = PQconninfoParse(uri, &complaint);

    if (options == NULL)
        fault_set(fault, ERR_CONFIG, "the URI of the %s can't be read by libpq", side_name(conn));
    PQfreemem(complaint);
    PQconninfoFree(options);
    return options != NULL;
}

static int
connect_timeout_ms(PGconn *pq)
{
    long seconds = 0;
    PQconninfoOption *options = PQconninfo(pq);

    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++)
        if (strcmp(option->keyword, "connect_timeout") == 0 && option->val != NULL)
            seconds = strtol(option->val, NULL, 10);
    PQconninfoFree(options);
    if (seconds <= 0 || seconds > 3600)
        seconds = CONNECT_SECONDS;
    return (int) seconds * 1000;
}

static bool
conn_poll(struct pg_session *conn, struct fault *fault)
{
    int timeout_ms = connect_timeout_ms(conn->pq);
    uint64_t deadline_ms = clock_ms() + (uint64_t) timeout_ms;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED)
            return connect_failed(conn, fault);
        uint64_t now_ms = clock_ms();
        int ready = stop_wait(conn->stop, PQsocket(conn->pq),
                              status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                              now_ms >= deadline_ms ? 0 : (int) (deadline_ms - now_ms), fault);
        if (ready < 0)
            return false;
        if (ready == 0)
            return fault_set(fault, conn->side,
                             "unable to connect to the %s: no answer from %s within %d s",
                             side_name(conn), PQhost(conn->pq), timeout_ms / 1000);
        status = PQconnectPoll(conn->pq);
    }
    return true;
}

static void
on_notice(void *argument, const PGresult *result)
{
    const struct pg_session *conn = argument;
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    log_debug("%s: %s", side_name(conn), message == NULL ? "notice without text" : message);
}

/* A destination whose disk stalls reads nothing for a while.  Linux ends a connection whose window
 * has been closed for as long as tcp_user_timeout, though the peer's kernel answers every probe
 * (tcp_probe_timer() since 5.11); so it is for the source alone, to which we send little. */
static const char *
unacknowledged_ms(const struct pg_session *conn)
{
    return conn->side == ERR_SOURCE ? "60000" : "0";
}

/* Connect, by the URI and by the keywords and values after it, which win over the URI's. */
static bool
conn_reach(struct pg_session *conn, const char *uri, const char *const more[static 8],
           struct fault *fault)
{
    const char *dbname = strcmp(uri, "postgres:") == 0 ? "" : uri;
    const char *const keywords[] = {"keepalives_idle", "keepalives_interval", "keepalives_count",
                                    "tcp_user_timeout", "fallback_application_name", "dbname",
                                    more[0], more[2], more[4], more[6], NULL};
    const char *const values[] = {"30", "10", "3", unacknowledged_ms(conn), "replica", dbname,
                                  more[1], more[3], more[5], more[7], NULL};

    conn->pq = PQconnectStartParams(keywords, values, 1);
    if (conn->pq == NULL)
        memory_exhausted(0);
    /* libpq's own writes to stderr what servers say while we connect. */
    PQsetNoticeReceiver(conn->pq, on_notice, conn);
    if (PQstatus(conn->pq) == CONNECTION_BAD && !uri_check(conn, dbname, fault))
        return false;
    if (PQstatus(conn->pq) == CONNECTION_BAD)
        return connect_failed(conn, fault);
    if (!conn_poll(conn, fault))
        return false;

    if (PQsslInUse(conn->pq))
        log_debug("%s: %s, %s", side_name(conn), PQsslAttribute(conn->pq, "protocol"),
                  PQsslAttribute(conn->pq, "cipher"));
    conn->server_version = PQserverVersion(conn->pq);
    if (conn->server_version < 130000)
        return fault_set(fault, conn->side, "the %s is PostgreSQL %s; replica serves 13 and newer",
                         side_name(conn), pg_version_text(conn));
    int encoding;
    if (!sql_encoding_read(pg_encoding(conn), &encoding))
        return fault_set(fault, conn->side, "the %s says that its encoding is %s, which no database"
                         " can have", side_name(conn), pg_encoding(conn));
    PQsetErrorVerbosity(conn->pq, PQERRORS_TERSE); /* the rest may be rows (pg_failed) */
    PQsetnonblocking(conn->pq, 1);
    return true;
}

bool
pg_open(struct pg_session *conn, const char *uri, enum err side, struct stop *stop,
        struct fault *fault)
{
    static const char *const nothing[8] = {NULL};

    *conn = (struct pg_session){.stop = stop, .side = side};
    return conn_reach(conn, uri, nothing, fault) && pooler_refuse(conn, uri, NULL, fault) &&
           settings_apply(conn, pg_encoding(conn), fault);
}

/* Certificates and password files go by the host's name, so it stays beside the address.  What
 * chose among several servers has done so.  libpq's text of a link-local address lacks the
 * interface, without which it leads nowhere: there the name has to do. */
bool
pg_reach_beside(struct pg_session *conn, const char *uri, const struct pg_session *first,
                struct fault *fault)
{
    const char *address = PQhostaddr(first->pq);
    bool whole = strncmp(address, "fe80:", 5) != 0;
    const char *const same[8] = {"host", PQhost(first->pq), "port", PQport(first->pq),
                                 "target_session_attrs", "any", whole ? "hostaddr" : NULL, address};

    *conn = (struct pg_session){.stop = first->stop, .side = first->side, .warned = true};
    return conn_reach(conn, uri, same, fault);
}

bool
pg_open_beside(struct pg_session *conn, const char *uri, const struct pg_session *first,
               struct fault *fault)
{
    return pg_reach_beside(conn, uri, first, fault) && pooler_refuse(conn, uri, first, fault) &&
           settings_apply(conn, pg_encoding(conn), fault);
}

/* Tell the server to give up what it does.  Not longer than CANCEL_MS, and deaf to the stop switch:
 * mostly it is the switch that brought us here. */
static void
conn_cancel(struct pg_session *conn)
{
    PGcancelConn *cancel = PQcancelCreate(conn->pq);
    uint64_t deadline_ms = clock_ms() + CANCEL_MS;
    bool going = PQcancelStart(cancel) != 0;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    while (going) {
        uint64_t now_ms = clock_ms();
        struct pollfd polls = {.fd = PQcancelSocket(cancel),
                               .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int ready = poll(&polls, 1, now_ms >= deadline_ms ? 0 : (int) (deadline_ms - now_ms));
        if (ready > 0)
            status = PQcancelPoll(cancel);
        going = (ready > 0 || (ready < 0 && errno == EINTR)) && status != PGRES_POLLING_OK &&
                status != PGRES_POLLING_FAILED;
    }
    PQcancelFinish(cancel);
}

void
pg_close(struct pg_session *conn)
{
    if (conn->pq == NULL)
        return;

    /* A server at work does not notice that we left; it must be told. */
    if (PQstatus(conn->pq) == CONNECTION_OK && PQtransactionStatus(conn->pq) == PQTRANS_ACTIVE)
        conn_cancel(conn);
    PQfinish(conn->pq);
    conn->pq = NULL;
}

bool
pg_flush(struct pg_session *conn, struct fault *fault)
{
    for (;;) {
        int left = PQflush(conn->pq);
        if (left == 0)
            return true;
        if (left < 0)
            return conn_failed(conn, "send to the server", fault);
        if (stop_wait(conn->stop, PQsocket(conn->pq), POLLIN | POLLOUT, -1, fault) < 0)
            return false;
        /* A server that has something to say must be heard, or both wait for ever. */
        struct pollfd readable = {.fd = PQsocket(conn->pq), .events = POLLIN};
        if (poll(&readable, 1, 0) > 0 && PQconsumeInput(conn->pq) == 0)
            return conn_failed(conn, "read from the server", fault);
    }
}

bool
pg_wait(struct pg_session *conn, struct fault *fault)
{
    if (stop_requested(conn->stop))
        return fault_set(fault, ERR_STOPPED, "stopped");
    if (!wire_holds(conn) && !wire_wait(conn, fault))
        return false;
    return PQconsumeInput(conn->pq) != 0 || conn_failed(conn, "read from the server", fault);
}

PGresult *
pg_result(struct pg_session *conn, struct fault *fault)
{
    /* A server that leaves may have said why: its last word is the better sentence. */
    struct fault flushing = {0};
    if (!pg_flush(conn, &flushing) && (flushing.err == ERR_STOPPED || PQisBusy(conn->pq))) {
        fault_hand_over(fault, &flushing);
        return NULL;
    }
    while (PQisBusy(conn->pq))
        if (!pg_wait(conn, fault))
            return NULL;
    PGresult *result = PQgetResult(conn->pq);
    conn->answers = result == NULL ? 0 : conn->answers + 1;
    if (conn->answers <= ANSWERS_MAX)
        return result;
    PQclear(result);
    fault_set(fault, conn->side, "the %s gives more than %d answers to one statement",
              side_name(conn), ANSWERS_MAX);
    return NULL;
}

/* Of a complaint about a value, only what kind it is: what follows a colon, or stands in quotes, is
 * out of a row.  In the C locale that is `invalid input syntax for type integer: "…"` and `value
 * "…" is out of range`. */
static void
without_values(struct text *text, const char *message)
{
    size_t size = strcspn(message, ":\n");

    for (size_t i = 0; i < size; i++) {
        const char *end = message[i] == '"' ? memchr(message + i + 1, '"', size - i - 1) : NULL;
        if (end != NULL) {
            text_add(text, "\"...\"");
            i = (size_t) (end - message);
        } else {
            text_add_bytes(text, message + i, 1);
        }
    }
}

/* Does the complaint's first sentence show a value that was to be stored?  Not those of SQLSTATE's
 * class "data exception" that name columns (22P04, bad_copy_file_format) or bytes of one character
 * (22021, 22P05). */
static bool
shows_value(const struct pg_session *conn)
{
    const char *state = conn->sqlstate;

    return conn->side == ERR_TARGET && strncmp(state, "22", 2) == 0 &&
           strcmp(state, "22P04") != 0 && strcmp(state, "22021") != 0 &&
           strcmp(state, "22P05") != 0;
}

/* "COPY t, line 7, column a: "value"": where it was may be said, and not more. */
static void
add_place(struct text *text, const char *context)
{
    if (context == NULL || strncmp(context, "COPY ", strlen("COPY ")) != 0)
        return;
    text_add(text, "; ");
    text_add_bytes(text, context, strcspn(context, ":\n"));
}

/* DETAIL and CONTEXT show rows: `Failing row contains (7, 4111111111111111).` */
static void
log_rows(const struct pg_session *conn, const PGresult *result)
{
    static const struct {
        const char *name;
        int field;
    } fields[] = {{"message", PG_DIAG_MESSAGE_PRIMARY}, {"detail", PG_DIAG_MESSAGE_DETAIL},
                  {"context", PG_DIAG_CONTEXT}};

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *value = PQresultErrorField(result, fields[i].field);
        if (value != NULL && (i > 0 || shows_value(conn)))
            log_debug("%s: %s: %s", side_name(conn), fields[i].name, value);
    }
}

static void
add_complaint(struct text *text, const struct pg_session *conn, const PGresult *result)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

    if (message != NULL && shows_value(conn))
        without_values(text, message);
    else if (message != NULL)
        one_line(text, message);
    if (hint != NULL) {
        text_add(text, "; ");
        one_line(text, hint);
    }
    add_place(text, PQresultErrorField(result, PG_DIAG_CONTEXT));
}

bool
pg_failed(struct pg_session *conn, const char *doing, PGresult *result, struct fault *fault)
{
    struct text message = {0};
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    snprintf(conn->sqlstate, sizeof conn->sqlstate, "%s", state == NULL ? "" : state);
    log_rows(conn, result);
    add_complaint(&message, conn, result);
    if (message.size == 0)
        one_line(&message, PQresultErrorMessage(result));
    if (message.size == 0)
        one_line(&message, PQerrorMessage(conn->pq));
    fault_set(fault, conn->side, "unable to %s: %s", doing, text_of(&message));
    text_free(&message);
    PQclear(result);
    return false;
}

/* Take what is left of a statement, so that the next one can be sent. */
static bool
conn_drain(struct pg_session *conn, struct fault *fault)
{
    for (;;) {
        struct fault waiting = {0};
        PGresult *rest = pg_result(conn, &waiting);
        if (rest == NULL) {
            fault_hand_over(fault, &waiting);
            return waiting.err == ERR_NONE;
        }
        PQclear(rest);
    }
}

PGresult *
pg_query(struct pg_session *conn, const char *doing, const char *sql, struct fault *fault)
{
    conn->sqlstate[0] = '\0';
    if (PQsendQuery(conn->pq, sql) == 0) {
        conn_failed(conn, doing, fault);
        return NULL;
    }

    PGresult *last = NULL;
    for (;;) {
        struct fault waiting = {0};
        PGresult *result = pg_result(conn, &waiting);
        if (result == NULL && waiting.err != ERR_NONE) {
            fault_hand_over(fault, &waiting);
            PQclear(last);
            return NULL;
        }
        if (result == NULL)
            break;
        PQclear(last);
        last = result;
        ExecStatusType status = PQresultStatus(last);
        if (status == PGRES_COPY_OUT || status == PGRES_COPY_IN)
            return last;
        if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
            pg_failed(conn, doing, last, fault);
            conn_drain(conn, fault);
            return NULL;
        }
    }
    if (last == NULL)
        conn_failed(conn, doing, fault);
    return last;
}

bool
pg_run(struct pg_session *conn, const char *doing, const char *sql, struct fault *fault)
{
    PGresult *result = pg_query(conn, doing, sql, fault);
    PQclear(result);
    return result != NULL;
}

const char *
pg_version_text(const struct pg_session *conn)
{
    const char *version = PQparameterStatus(conn->pq, "server_version");
    return version == NULL ? "unknown" : version;
}

const char *
pg_encoding(const struct pg_session *conn)
{
    const char *encoding = PQparameterStatus(conn->pq, "server_encoding");
    return encoding == NULL ? "SQL_ASCII" : encoding;
}
