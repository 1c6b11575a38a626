/* s3_sentence - what people are told when the store does not do what it was asked.
 *
 *     unable to put dump-1/3.sql.zst into https://b.s3.eu-west-1.amazonaws.com: 403 AccessDenied
 *     (Access Denied); the keys from the environment may lack s3:PutObject
 *
 * Threads: any. */
#ifndef S3_S3_SENTENCE_H
#define S3_S3_SENTENCE_H

#include "s3/s3_request.h"

/* Write the sentence of a call that has failed: by the fault of its last attempt, or without one by
 * its answer.  Always returns false. */
bool s3_sentence_set(struct s3 *s3, const struct s3_call *call, const struct retry *retry,
                     const struct fault *why, struct fault *fault);

/* Add the reason alone: "503 SlowDown (Please reduce your request rate)". */
void s3_sentence_reason(struct text *text, const struct s3_call *call, const struct fault *why);

#endif
