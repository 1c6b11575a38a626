/* store_url - what the URL of a store names.
 *
 *     file:///backup/my%20dumps   the directory "/backup/my dumps"
 *     s3://bucket/team/shop       objects of the bucket whose keys begin with "team/shop/"
 *
 * %XX is decoded.  '?' and '#' would begin what no store has; rather than guess, it is demanded
 * that they are written as %3F and %23.
 *
 * Threads: any. */
#ifndef STORE_STORE_URL_H
#define STORE_STORE_URL_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/text.h"

enum { STORE_PREFIX_MAX = 800 }; /* a key has at most 1,024 bytes, and our names want theirs */

enum store_url_scheme { STORE_URL_NONE, STORE_URL_DIR, STORE_URL_S3 };

enum store_url_scheme store_url_scheme(const char *url);

/* Add the absolute path of a file URL to an empty text.  ERR_CONFIG. */
bool store_url_path(const char *url, struct text *path, struct fault *fault);

/* Add an S3 URL's bucket and prefix to empty texts.  Slashes around the prefix are of no matter: it
 * comes out as "" or with one at its end.  What would make keys that servers, listings or people
 * take for something else is refused: empty parts, "." and "..", control characters.  Of the
 * bucket's name only what hints at a misunderstanding is refused here.  ERR_CONFIG. */
bool store_url_bucket(const char *url, struct text *bucket, struct text *prefix,
                      struct fault *fault);

#endif
