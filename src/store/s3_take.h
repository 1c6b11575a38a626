/* s3_take - names that no two runs share, in stores that know no condition and no lock.
 *
 *     put <dir>/claim-<random>.json ──▶ list <dir>/ ──▶ alone? it is ours : withdraw the claim
 *
 * Of two runs that want one name, each puts its claim before it lists.  Whichever claim was put
 * last, its run sees the other's.  So it never happens that both are alone; it may happen that both
 * see the other, and then both go on to other names.  Nothing but a listing that shows what was put
 * before is asked of the store.
 *
 * The claim stays until the run is over: it says who writes (claim.h).  It is withdrawn last, and
 * only when no upload of ours can be left; otherwise it stays for the sweep of another run to read.
 *
 * Threads: any, but for s3_take_release. */
#ifndef STORE_S3_TAKE_H
#define STORE_S3_TAKE_H

#include "store/s3_store.h"

/* The vtable's directory_take(). */
bool s3_take(struct store *store, const char *directory, bool *won, struct fault *fault);

/* Something has moved: claims that were put long ago are put anew, so that a long run on another
 * machine is not taken for a dead one. */
void s3_take_touch(struct s3_store *store);

/* An upload could not be aborted, for the reason given. */
void s3_take_litter(struct s3_store *store, const char *reason);

/* Abort what may be left of our uploads and withdraw all claims; once nothing else uses the
 * store. */
void s3_take_release(struct s3_store *store);

#endif
