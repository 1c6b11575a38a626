/* put, get - the store's two ends of a corridor.
 *
 * store_put is a target: it writes what comes into one object, counts and hashes it, and commits at
 * the end; freed before that, it leaves nothing behind.  store_get is a source: it reads one object
 * and checks size and SHA-256 against what the manifest promised; the failure (ERR_INTEGRITY) may
 * come as late as the last step, so whoever stands behind must be able to undo until then.
 *
 * Both give up with ERR_STOPPED when the store's stop switch is thrown.
 *
 * Threads: one; but `bytes` may be read by any. */
#ifndef STORE_PUT_H
#define STORE_PUT_H

#include <stdatomic.h>

#include "codec/sha256.h"
#include "flow/stage.h"
#include "store/store.h"

struct store_put {
    struct stage stage;
    struct store *store;
    struct store_writer *writer;
    struct sha256 sha256;
    _Atomic uint64_t bytes;     /* stored so far; another thread may look, to cut volumes */
    uint8_t digest[32];         /* valid after DONE */
    const char *name;
};

/* name must outlive the stage.  The object is begun with the first byte, or at the end when there
 * is none: an empty object is an object. */
struct stage *store_put_init(struct store_put *put, struct store *store, const char *name);

struct store_get {
    struct stage stage;
    struct store *store;
    struct store_reader *reader;
    struct sha256 sha256;
    _Atomic uint64_t bytes; /* read so far; another thread may look, for the progress */
    uint64_t bytes_wanted;
    uint8_t digest_wanted[32];
    const char *name;
};

/* name must outlive the stage.  An object that is not there is ERR_INTEGRITY too: the manifest
 * promised it. */
struct stage *store_get_init(struct store_get *get, struct store *store, const char *name,
                             uint64_t bytes_wanted, const uint8_t digest_wanted[static 32]);

#endif
