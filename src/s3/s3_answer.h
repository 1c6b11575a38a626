/* s3_answer - what an answer of the store means, from its status, headers and body: no I/O.
 *
 *     2xx, with the element that belongs into its body      GOOD
 *     2xx with <Error>, half a document, or something else  TRANSIENT   (S3 does that)
 *     408, 5xx but 501 and 505, and codes that S3 documents TRANSIENT
 *     429, SlowDown and its kin                             THROTTLED
 *     301, 302, 307, AuthorizationHeaderMalformed, …        ELSEWHERE   another region
 *     RequestTimeTooSkewed, or 403 with a Date far off      SKEWED
 *     ExpiredToken, InvalidAccessKeyId, …                   KEYS
 *     400 that speaks of Content-MD5                        UNDIGESTED
 *     all else                                              FINAL       the caller's, or a failure
 *
 * Answers to HEAD have no body; then the Date, the region in the headers, and last the keys are
 * suspected, in this order.
 *
 * Threads: any. */
#ifndef S3_S3_ANSWER_H
#define S3_S3_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum {
    ANSWER_SKEW_MS_MAX = 4 * 60 * 1000, /* S3 refuses 15 minutes, some stores 5 */
    ANSWER_CODE_MAX = 64,
    ANSWER_MESSAGE_MAX = 256, /* what is longer is cut */
    ANSWER_REGION_MAX = 64,
};

enum answer_kind {
    ANSWER_GOOD,
    ANSWER_TRANSIENT,
    ANSWER_THROTTLED,
    ANSWER_ELSEWHERE,
    ANSWER_SKEWED,
    ANSWER_KEYS,
    ANSWER_UNDIGESTED,
    ANSWER_FINAL,
};

/* What came, and what was known when it came.  Headers that did not come are NULL. */
struct answer_source {
    const char *method;
    unsigned status;
    const char *date, *age, *bucket_region, *retry_after;
    const void *body; /* may be NULL when there is none */
    size_t body_size;
    const char *must;   /* the path of an element that a 2xx holds; NULL for none */
    const char *region; /* for which the request was signed */
    uint64_t signed_ms; /* our idea of the store's time when the answer came; epoch */
};

struct s3_answer {
    enum answer_kind kind;
    unsigned status;
    char code[ANSWER_CODE_MAX], message[ANSWER_MESSAGE_MAX]; /* printable; "" for none */
    char region[ANSWER_REGION_MAX]; /* where the bucket is said to be; "" for not said */
    uint64_t date_ms;               /* epoch; 0 when there is no Date to be believed */
    uint64_t wish_ms;               /* Retry-After; 0 for none */
};

void s3_answer_read(struct s3_answer *answer, const struct answer_source *source);

/* Whether an error code is one that may pass by itself; also for keys of DeleteObjects. */
bool s3_code_transient(const char *code);

/* Copy a foreign text for people: what is not printable ASCII becomes '?', what is too long is cut
 * with "...". */
void s3_words_copy(char *words, size_t words_size, const char *foreign);

/* Add "503 SlowDown (Please reduce your request rate)". */
void s3_answer_text(const struct s3_answer *answer, struct text *text);

#endif
