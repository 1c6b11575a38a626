/* s3_date - the two ways in which S3 and its relatives write a moment.
 *
 * Strict on purpose: a clock is corrected by what is read here, and a date that was guessed from
 * half a text has thrown clients decades off.
 *
 * Threads: any. */
#ifndef S3_S3_DATE_H
#define S3_S3_DATE_H

#include <stdbool.h>
#include <stdint.h>

/* Read "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate, RFC 9110 section 5.6.7) as epoch
 * milliseconds.  False, with *epoch_ms untouched, for anything else. */
bool s3_date_http(const char *text, uint64_t *epoch_ms);

/* Read "2009-10-12T17:50:30Z" or "2009-10-12T17:50:30.000Z" (RFC 3339, UTC only). */
bool s3_date_iso(const char *text, uint64_t *epoch_ms);

#endif
