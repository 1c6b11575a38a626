/* s3 - a client of S3 and of what speaks like it (Amazon S3 API Reference): objects of one bucket.
 *
 *     s3_put, s3_get_…, s3_list, …    one file per group: s3_object.c s3_get.c s3_list.c …
 *        │
 *     s3_call      ◀── again? ────────────────────┐               s3_request.c, retry.c
 *        │   sign ─▶ send ─▶ understand ─▶ judge ─┘               s3_attempt.c, s3_answer.c
 *        │
 *     connections     idle ones are kept, with their TLS session  pool.c
 *
 * Every call makes as many attempts as help: after connection failures, silence, 408, 429, 5xx and
 * the codes that S3 documents as transient, with full jitter below min(2^i × 50 ms, 20 s), until
 * the wall clock (S3_BUDGET_MS; S3_UNREACHED_MS while the store has never been reached, which is
 * more often misspelt than away) or, when given, AWS_MAX_ATTEMPTS ends it.  The token bucket (500;
 * a retry costs 5, a timeout 10) makes the pauses long when it is empty.  Each attempt is signed
 * anew.  All of it folds into one sentence: "unable to put dump-1/3.sql.zst into
 * https://bucket.s3…: 503 SlowDown (Please reduce …), after 12 attempts in 5 min 02 s".
 *
 *   · A clock that is off is corrected by the server's Date, once seen (RequestTimeTooSkewed).
 *   · Another region is followed once, by x-amz-bucket-region, <Region>, or HEAD of the bucket.
 *   · ExpiredToken and the like ask the credentials anew; once keys were taken, until others come.
 *   · When STS, or whoever gives keys, is away, or something else stands in the store's place, that
 *     is an outage like any other once the store has answered, and a mistake before.
 *   · A body is sent from memory whole, so that nothing ever waits for the source.
 *   · 200 with <Error> inside, or without what it should hold, is a failure like 500.
 *
 * Once the stop switch is thrown every call ends with ERR_STOPPED, but for those that tidy up:
 * s3_delete, s3_upload_abort and s3_uploads_list go on, or begin, and all of them together have
 * S3_TIDY_MS from the first one that finds the switch thrown.  Their requests hear no switch.
 *
 * Requests carry x-amz-content-sha256 of the body, a fixed Content-Length, never aws-chunked.
 * CRC32C goes along to Amazon's own endpoints, Content-MD5 where the store asks for it and with
 * DeleteObjects always.
 *
 * Life:   s3_open; calls; s3_close.  What config points to is copied.
 * Threads: any number; each call is one thread's. */
#ifndef S3_S3_H
#define S3_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/stop.h"
#include "s3/credentials.h"

enum {
    S3_KEY_MAX = 1024,          /* S3's limit, in bytes of UTF-8 */
    S3_ETAG_MAX = 128,          /* quotes included, and a zero */
    S3_UPLOAD_ID_MAX = 1024,
    S3_PARTS_MAX = 10000,       /* Amazon's; Scaleway takes 1,000 */
    S3_BUDGET_MS = 10 * 60 * 1000,
    S3_UNREACHED_MS = 60 * 1000,
    S3_DELETE_KEYS_MAX = 1000,
    S3_TIDY_MS = 6 * 1000,      /* who is stopped ends within 10 s, whatever the store does */
};

enum s3_choice { S3_AUTO, S3_YES, S3_NO };

/* Every text is "" when it is not set. */
struct s3_config {
    const char *bucket;
    const char *endpoint;        /* http(s)://host[:port][/path]; "" is Amazon's for the region */
    const char *region;          /* "": us-east-1, then what the store says */
    enum s3_choice path_style;   /* AUTO: path style, but for plain bucket names at Amazon */
    bool dualstack, fips;        /* of Amazon's own endpoint */
    const char *sse;             /* "", "AES256", "aws:kms", "aws:kms:dsse" */
    const char *kms_key, *storage_class;
    enum s3_choice checksums;    /* CRC32C; AUTO: to Amazon's own endpoints */
    unsigned attempts_max;       /* AWS_MAX_ATTEMPTS; 0: by the wall clock */
    const char *ca_file;         /* "": what trust_system_set() named, or what is embedded */
    struct credentials_config credentials;
};

struct s3;

/* Check what can be checked without a request, and prepare.  NULL with ERR_CONFIG (bucket name,
 * endpoint, region, SSE that does not exist) or ERR_STORE. */
struct s3 *s3_open(const struct s3_config *config, struct stop *stop, struct fault *fault);
void s3_close(struct s3 *s3); /* NULL is allowed */

/* "https://bucket.s3.eu-west-1.amazonaws.com", "https://minio:9000/bucket"; for people. */
const char *s3_endpoint_text(const struct s3 *s3);

/* ---- objects --------------------------------------------------------------------------------- */

/* When a PUT may replace what is there. */
enum s3_condition_kind { S3_ALWAYS, S3_IF_ABSENT, S3_IF_MATCH };
struct s3_condition {
    enum s3_condition_kind kind;
    const char *etag; /* of S3_IF_MATCH */
};

/* Put a whole object.  condition may be NULL.  *refused (may be NULL without a condition) is set,
 * and true returned, when the store says 412, or 404 to an If-Match.  etag may be NULL. */
bool s3_put(struct s3 *s3, const char *key, const void *data, size_t size,
            const struct s3_condition *condition, bool *refused, char etag[S3_ETAG_MAX],
            struct fault *fault);

struct s3_head {
    bool exists;
    uint64_t bytes;
    char etag[S3_ETAG_MAX];
    char mark[65]; /* x-amz-meta-replica-mark, which s3_upload_begin() gives; "" for none */
};
bool s3_head(struct s3 *s3, const char *key, struct s3_head *head, struct fault *fault);

/* Read an object from its beginning.  *get is NULL, and true returned, when there is none.  When
 * the body breaks, it goes on where it was with Range and If-Match, within the budget; an object
 * that was replaced meanwhile is a failure. */
struct s3_get;
bool s3_get_begin(struct s3 *s3, const char *key, struct s3_get **get, struct fault *fault);
bool s3_get_read(struct s3_get *get, void *data, size_t size, size_t *got, struct fault *fault);
const char *s3_get_etag(const struct s3_get *get);
void s3_get_end(struct s3_get *get);                 /* NULL is allowed */

/* Delete objects, up to any number; missing ones are no failure.  In batches of S3_DELETE_KEYS_MAX
 * (DeleteObjects), one by one where the store does not know that (GCS). */
bool s3_delete(struct s3 *s3, const char *const *keys, size_t count, struct fault *fault);

/* ---- listing --------------------------------------------------------------------------------- */

struct s3_entry {
    const char *key;
    uint64_t bytes, modified_ms; /* epoch */
};
struct s3_listing {
    struct s3_entry *entries;
    size_t entries_count;
    const char **prefixes; /* common prefixes, with the delimiter at their end */
    size_t prefixes_count;
};

/* All keys that begin with prefix, sorted by bytes; with delimiter "/" only up to the next one.
 * ListObjectsV2, page by page.  Pages may come in any order of keys, as gateways over file systems
 * send them, but they must come to an end: ERR_STORE when more than bytes_max is taken from the
 * arena, when a page begins as one before did, and behind LISTING_SPARSE_PAGES_MAX pages that bring
 * next to nothing. */
bool s3_list(struct s3 *s3, const char *prefix, const char *delimiter, uint64_t bytes_max,
             struct arena *arena, struct s3_listing *listing, struct fault *fault);

enum {
    LISTING_SPARSE_PAGES_MAX = 1000, /* those of a million keys beside ours, or removed ones */
    LISTING_SPARSE_NAMES = 10,       /* a page of fewer is one; most hold a thousand */
};

/* ---- multipart uploads ----------------------------------------------------------------------- */

struct s3_upload {
    char key[S3_KEY_MAX + 1], id[S3_UPLOAD_ID_MAX];
    char mark[65]; /* random; stored with the object, to know it again */
};
struct s3_part {
    char etag[S3_ETAG_MAX];
    char checksum[16]; /* CRC32C in base64, or "" */
};

bool s3_upload_begin(struct s3 *s3, const char *key, struct s3_upload *upload, struct fault *fault);

/* Put part number (1 .. S3_PARTS_MAX).  May be called by many threads for one upload. */
bool s3_upload_part(struct s3 *s3, const struct s3_upload *upload, unsigned number,
                    const void *data, size_t size, struct s3_part *part, struct fault *fault);

/* Put the parts together.  bytes is the sum of their sizes.  When the answer is lost and a later
 * attempt says NoSuchUpload, the object's mark and size decide whether it had succeeded. */
bool s3_upload_complete(struct s3 *s3, const struct s3_upload *upload, const struct s3_part *parts,
                        unsigned parts_count, uint64_t bytes, struct fault *fault);

/* Abort, look, and abort again, after a pause, while parts that were in flight keep it alive: four
 * times within some 1.1 s.  An upload that is no more is no failure. */
bool s3_upload_abort(struct s3 *s3, const struct s3_upload *upload, struct fault *fault);

struct s3_pending {
    const char *key, *id;
    uint64_t initiated_ms; /* epoch; 0 when the store does not say */
};

/* Unfinished uploads under a prefix; *known is false, and true returned, when the store cannot list
 * them (501, 405).  Ends as s3_list() does. */
bool s3_uploads_list(struct s3 *s3, const char *prefix, uint64_t bytes_max, struct arena *arena,
                     struct s3_pending **pending, size_t *count, bool *known, struct fault *fault);

/* The server's time, by its last Date header; epoch milliseconds, 0 before the first answer. */
uint64_t s3_server_ms(const struct s3 *s3);

#endif
