/* sigv4 - AWS Signature Version 4 (AWS General Reference, "Signature Version 4 signing process").
 *
 *     request ─▶ canonical request ─▶ string to sign ─▶ signature ─▶ Authorization
 *                method, path, query,    date, scope,      HMAC with
 *                headers, payload hash   hash of it        the day's key
 *
 * Two path rules: for S3 each byte is encoded once, and "//" and "/../" stay as they are; for all
 * other services the path, encoded already as it goes on the wire, is normalised and encoded again.
 *
 * The caller hands over raw names and values; the same encoder makes what is signed and what goes
 * on the wire (sigv4_target), so the two cannot differ.
 *
 * Threads: a struct sigv4_key belongs to one thread, or to a lock. */
#ifndef S3_SIGV4_H
#define S3_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum {
    SIGV4_HASH_TEXT = 65,  /* 64 hexadecimal digits and a zero */
    SIGV4_DATE_TEXT = 17,  /* 20150830T123600Z and a zero */
    SIGV4_FIELDS_MAX = 40, /* query fields or headers of one request */
};

enum sigv4_path { SIGV4_PATH_S3, SIGV4_PATH_NORMALISED };

struct sigv4_field {
    const char *name, *value; /* raw, not encoded */
};

struct sigv4_request {
    const char *method;
    const char *path;                  /* begins with '/'; raw for S3 ("/bucket/a key"), as it
                                          goes on the wire for all others */
    enum sigv4_path path_rule;
    const struct sigv4_field *query;   /* in any order */
    size_t query_count;
    const struct sigv4_field *headers; /* all to be signed, host and x-amz-date too */
    size_t headers_count;
    const char *payload_hash;          /* hexadecimal SHA-256, or "UNSIGNED-PAYLOAD" */
};

/* The signing key of one day, region, service and secret, kept between requests. */
struct sigv4_key {
    char day[9];       /* "20150830", or "" for none */
    char region[64], service[32];
    uint64_t generation; /* of the credentials; a new one makes the key stale */
    uint8_t bytes[32];
};

struct sigv4_scope {
    const char *access_key, *secret_key;
    uint64_t generation;    /* changes with the credentials */
    const char *region, *service;
    const char *date;       /* SIGV4_DATE_TEXT */
};

/* Write epoch milliseconds as "20150830T123600Z". */
void sigv4_date(char date[static SIGV4_DATE_TEXT], uint64_t epoch_ms);

/* SHA-256 in lower-case hexadecimal digits. */
void sigv4_hash(char hash[static SIGV4_HASH_TEXT], const void *data, size_t size);

/* Add one encoded piece: A-Z a-z 0-9 - . _ ~ stay, '/' too when keep_slash is set, all else becomes
 * %XX in capitals (RFC 3986 section 2.3). */
void sigv4_encode(struct text *text, const char *raw, bool keep_slash);

/* Add the request's target as it goes on the wire: the encoded path, '?' and the sorted query, when
 * there is one.  "uploads" without a value is written "uploads=". */
void sigv4_target(struct text *text, const struct sigv4_request *request);

/* The three points, each added to a text; a test may look at each. */
void sigv4_canonical(struct text *text, const struct sigv4_request *request);
void sigv4_string_to_sign(struct text *text, const struct sigv4_scope *scope,
                          const char *canonical, size_t canonical_size);
void sigv4_signature(char signature[static SIGV4_HASH_TEXT], struct sigv4_key *key,
                     const struct sigv4_scope *scope, const char *string_to_sign, size_t size);

/* All three: add the value of the Authorization header.  A key that is stale is derived anew. */
void sigv4_authorize(struct text *text, struct sigv4_key *key, const struct sigv4_scope *scope,
                     const struct sigv4_request *request);

#endif
