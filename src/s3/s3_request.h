/* s3_request - the one engine behind all calls: sign, send, understand, and again.
 *
 *          ┌──────────── at once: another region, clock, keys, Content-MD5, stale connection
 *          ▼                                                      (each once in a call)
 *     sign, send ──▶ understand ──▶ settled: 2xx, or a status that the call accepts
 *          ▲              │
 *          └── pause ◀────┴───────▶ given up: one sentence
 *
 * Life:   a struct s3_call is zeroed, filled in, made by s3_call(), looked at, and freed.
 * Threads: one at a time; the client serves many. */
#ifndef S3_S3_REQUEST_H
#define S3_S3_REQUEST_H

#include "s3/s3_answer.h"
#include "s3/s3_body.h"
#include "s3/s3_client.h"

enum {
    CALL_FIELDS_MAX = 10,
    CALL_ACCEPT_MAX = 5,
    CALL_WHAT_MAX = S3_KEY_MAX + 64,
    CALL_BODY_MAX = 16 * 1024 * 1024, /* a page of 1,000 keys, all escaped, is below 4 MiB */
    CALL_ERROR_MAX = 64 * 1024,
};

struct s3_call {
    /* What is asked. */
    char what[CALL_WHAT_MAX];   /* "put dump-1/3.sql.zst into", for sentences */
    const char *permission;     /* "s3:PutObject" */
    const char *method, *key;   /* key "" is the bucket itself */
    struct sigv4_field query[CALL_FIELDS_MAX], headers[CALL_FIELDS_MAX];
    size_t query_count, headers_count;
    const void *body;           /* stays the caller's */
    size_t body_size;
    const char *must;           /* an element that the body of a 2xx holds; NULL for none */
    bool must_etag;             /* a 2xx without one is none */
    unsigned accept[CALL_ACCEPT_MAX]; /* statuses that are no failure to the caller */
    bool md5;                   /* Content-MD5 goes along */
    bool crc32c;                /* CRC32C goes along, where the client sends it */
    bool patient;               /* the store may work on it for minutes */
    bool tidy;                  /* goes on when the run is stopped, for S3_TIDY_MS */
    bool stream;                /* leave the body of a 2xx in connection */

    /* What was answered. */
    struct s3_answer answer;
    struct text text;           /* the body */
    struct s3_body digests;
    char etag[S3_ETAG_MAX], mark[65], range[64]; /* headers; "" for none */
    uint64_t length;            /* Content-Length; UINT64_MAX for none */
    bool uncertain;             /* an attempt may have been carried out, its answer being lost */
    struct pool_connection *connection; /* of stream */

    /* What was tried already, and where the last attempt went. */
    const struct endpoint *place;
    bool moved, corrected, renewed, unexpected, reconnected, unreachable;
};

/* Add a query field or header; the texts stay the caller's. */
void s3_call_query(struct s3_call *call, const char *name, const char *value);
void s3_call_header(struct s3_call *call, const char *name, const char *value);

/* The headers that say how a new object is kept: SSE and storage class. */
void s3_call_keeping(struct s3_call *call, const struct s3 *s3);

/* Make the call.  True when it is settled: answer.status is a 2xx, or one of accept.  A 404 for
 * want of the bucket is never accepted. */
bool s3_call(struct s3 *s3, struct s3_call *call, struct fault *fault);

/* Wait so long, or less when the run is stopped.  False when there shall be nothing after it: with
 * ERR_STOPPED when the run was stopped and the call does not tidy up, without a fault when the time
 * for tidying is over. */
bool s3_rest(struct s3 *s3, unsigned pause_ms, bool tidy, struct fault *fault);

/* Wait as retry says.  False when there shall be no other attempt: without a fault when its time is
 * over, with ERR_STOPPED when the run was stopped and the call does not tidy up. */
bool s3_pause(struct s3 *s3, struct retry *retry, bool timeout, uint64_t wish_ms, bool tidy,
              struct fault *fault);

/* It went well after all: the tokens go back. */
void s3_retry_end(struct s3 *s3, struct retry *retry);

/* Write the sentence of a call that was answered, but not as it should.  Always returns false. */
bool s3_call_refuse(struct s3 *s3, const struct s3_call *call, struct fault *fault);

/* Wipe and free. */
void s3_call_free(struct s3_call *call);

#endif
