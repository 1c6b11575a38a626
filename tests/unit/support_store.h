/* support_store - a store in a directory of its own, for the length of one test. */
#ifndef UNIT_SUPPORT_STORE_H
#define UNIT_SUPPORT_STORE_H

#include "support.h"

#include "base/stop.h"
#include "store/manifest.h"
#include "store/store.h"

struct place {
    char path[256], url[272];
    struct stop stop;
    struct store *store;
    struct arena arena;
};

/* Make an empty directory below TMPDIR or /tmp and open it as a store; remove all of it again. */
void place_begin(struct place *place);
void place_end(struct place *place);

/* Files of the place, by names relative to it. */
bool place_has(const struct place *place, const char *name);
void place_write(const struct place *place, const char *name, const void *data, size_t size);
struct bytes place_read(const struct place *place, const char *name);

/* How many entries a directory of the place has whose names begin with a prefix. */
size_t place_count(const struct place *place, const char *directory, const char *prefix);

/* A manifest with two tables, in the arena: sizes and digests are made up. */
struct manifest *place_manifest(struct place *place, const char *name);

#endif
