/* open_store - a command's store, and S3 as the environment describes it.
 *
 * Here the variables get their names in s3/s3.h: rooms do not see the environment.
 *
 * Threads: one at a time. */
#ifndef COMMANDS_OPEN_STORE_H
#define COMMANDS_OPEN_STORE_H

#include "env/env.h"
#include "s3/s3.h"
#include "store/store.h"

/* Open the store that a URL of the environment names; see store_open(). */
struct store *open_store(const struct env *env, const char *url, bool create, struct stop *stop,
                         struct fault *fault);

/* What the environment says about S3; all texts are env's.  The bucket is left "". */
void s3_config_fill(const struct env *env, struct s3_config *config);

#endif
