/* s3_sweep - uploads that nobody will finish.  They are invisible, and paid for, until somebody
 * aborts them: a run that was killed cannot.
 *
 * An upload is aborted when what lies beside it proves that its run is over:
 *
 *     its dump has claims, and a manifest                          the run had written all
 *     its dump has claims, and all their processes are gone        the run was killed here
 *     nothing of its dump, claims included, is younger than a day  the run was killed elsewhere
 *
 * Without a claim it may be somebody who copies dumps with other tools, so a day has to pass then,
 * too.  Uploads whose keys are not <prefix>/dump-<ms>/<name> are none of our business.
 *
 * Threads: one at a time. */
#ifndef STORE_S3_SWEEP_H
#define STORE_S3_SWEEP_H

#include "store/s3_store.h"

enum { SWEEP_AGE_MS = 24 * 60 * 60 * 1000 };

/* What is known about the run an upload belongs to. */
struct s3_trace {
    bool manifest;
    unsigned claims, claims_gone, claims_living;
    bool undated;        /* the store does not say how old something is */
    uint64_t newest_ms;  /* of its objects, claims and uploads */
    uint64_t now_ms;     /* by the store's clock; 0 is unknown */
};

/* Whether that run is certainly over. */
bool s3_trace_is_over(const struct s3_trace *trace);

/* The vtable's sweep(). */
bool s3_sweep(struct store *store, struct fault *fault);

/* Abort all uploads in a directory that is ours.  True also when s3_sweep() found that they cannot
 * be listed. */
bool s3_sweep_directory(struct s3_store *store, const char *directory, struct fault *fault);

#endif
