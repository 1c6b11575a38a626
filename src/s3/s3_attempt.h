/* s3_attempt - one attempt to make a call: sign, send, take the answer, and judge it.
 *
 * Threads: one at a time for a call. */
#ifndef S3_S3_ATTEMPT_H
#define S3_S3_ATTEMPT_H

#include "s3/s3_request.h"

/* What to do after an attempt. */
enum verdict {
    SETTLED,
    AT_ONCE,        /* again, without a pause: something was put right */
    LOOK_ELSEWHERE, /* the bucket is in another region, but nobody said in which */
    AGAIN,
    AGAIN_TIMEOUT,
    GIVE_UP,        /* the fault says why; without one, the answer does */
    STOPPED,
};

enum verdict s3_attempt(struct s3 *s3, struct s3_call *call, struct fault *why);

/* Whether a call tidies up after the switch was thrown: it hears it no more, and has the time that
 * s3_tidy_left_ms() says. */
bool s3_call_unheard(struct s3 *s3, const struct s3_call *call);
uint64_t s3_tidy_left_ms(const struct s3 *s3);

#endif
