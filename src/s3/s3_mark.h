/* s3_mark - a random word that is stored with an object, to know it again when the answer to its
 * writing was lost. */
#ifndef S3_S3_MARK_H
#define S3_S3_MARK_H

#define S3_MARK_HEADER "x-amz-meta-replica-mark"

enum { S3_MARK_MAX = 65 }; /* 64 hexadecimal digits and a zero */

void s3_mark_draw(char mark[static S3_MARK_MAX]);

#endif
