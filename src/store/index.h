/* index - index.json, the list of dumps for others to read.
 *
 * replica itself never believes it: the truth is which directories hold a manifest.  Every writer
 * of a manifest brings the index up to date with that truth, so what a killed run left out, the
 * next one puts in.
 *
 * Threads, processes: any number; what keeps them apart is the store's lock, or put_swap(). */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "store/manifest.h"

enum { INDEX_BYTES_MAX = 64 * 1024 * 1024 }; /* some 200,000 dumps */

/* List every complete dump: entries already there are kept while their dump has a manifest, missing
 * ones are made from their manifests.  manifest is the one just written, whose entry is made
 * anew; it may be NULL. */
bool index_update(struct store *store, const struct manifest *manifest, struct fault *fault);

#endif
