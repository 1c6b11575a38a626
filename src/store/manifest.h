/* manifest - what one dump holds; written last, it is the moment at which the dump exists.
 *
 * The bytes are described in docs/format.md.  Reading checks everything a later step relies on
 * (names, sizes, digests, sums), so a manifest that was read is one whose form can be trusted.
 *
 * Life:   a writer fills a struct manifest and calls manifest_write; a reader gets one in an arena.
 * Limits: MANIFEST_BYTES_MAX, checked on writing too.  Reading one takes manifest_memory(), which
 * is held against the store's document_bytes before it is taken.
 * Threads: read-only once made. */
#ifndef STORE_MANIFEST_H
#define STORE_MANIFEST_H

#include "store/store.h"

enum {
    MANIFEST_FORMAT = 1,                       /* a newer number is refused with a sentence */
    MANIFEST_BYTES_MAX = 256 * 1024 * 1024,    /* some 100,000 tables with all their columns */
    DUMP_NAME_MAX = 32,                        /* "dump-", at most twenty digits, a zero */
};

/* One stored object.  rows is 0 for objects that hold SQL statements. */
struct manifest_object {
    const char *name; /* relative to the dump's directory */
    uint64_t stored_bytes, plain_bytes, rows;
    uint8_t sha256[32]; /* of the stored bytes */
};

struct manifest_column {
    const char *name, *type, *rule; /* rule: the transformer's name, or NULL */
};

struct manifest_table {
    const char *schema, *name;
    const char *into_schema, *into_name; /* the partitioned table that its rows are loaded through,
                                            or NULL: into itself */
    struct manifest_column *columns; /* those in the COPY, in its order */
    size_t columns_count;
    struct manifest_object *volumes; /* in order; none for a table without rows or data */
    size_t volumes_count;
    uint64_t rows;
    uint64_t late;                   /* 0: its volumes may be loaded at any time; else after those
                                        of all tables where it is 0, then of those where it is
                                        less, one volume after the other */
    bool data;                       /* false: REPLICA_SKIP_DATA, only the structure */
};

struct manifest {
    uint64_t format;
    const char *name;                /* dump-<created_ms> */
    uint64_t created_ms, finished_ms;
    const char *replica_version, *server_version, *database, *encoding, *lsn, *snapshot;
    const char *lc_monetary;         /* in which values of the type money are written, or NULL */
    const char *compression;         /* "none", "zstd:3" */
    struct manifest_object pre_data, data, post_data; /* data: sequences, large objects */
    struct manifest_object *more_data; /* where data goes on, in order; sizes know no limit */
    size_t more_data_count;
    struct manifest_table *tables;
    size_t tables_count;
    uint64_t rows, plain_bytes, stored_bytes; /* sums over all objects */
    uint64_t longest_statement;      /* bytes of it in the scripts; 0 when it is not known */
    uint64_t held_bytes;             /* what reading it has taken, at most; 0: it was not read */
};

/* How far manifest_write() came. */
enum manifest_state {
    MANIFEST_NONE,    /* there is none, and none will come: what the dump has written may go */
    MANIFEST_PERHAPS, /* the store did not say; it may be there, or arrive later */
    MANIFEST_THERE,   /* the dump exists */
};

/* Write <name>/manifest.json, then bring index.json up to date.
 * Fills in what follows from the rest: format, created_ms (from the name), rows of each table, the
 * three sums.  Of the six texts from replica_version to snapshot, NULL is written as "".
 * When only the index fails the dump exists nevertheless, and the sentence says so. */
bool manifest_write(struct store *store, struct manifest *manifest, enum manifest_state *state,
                    struct fault *fault);

/* Read one.  name is a dump's name, or "latest": the newest complete one.  ERR_STORE when there is
 * none (the sentence names what there is), ERR_INTEGRITY when it is not a manifest, ERR_CONFIG when
 * its format or its compression is newer than ours. */
bool manifest_read(struct store *store, const char *name, struct arena *arena,
                   struct manifest *manifest, struct fault *fault);

/* The tables whose volumes are loaded last, in their order; count receives how many there are. */
const struct manifest_table **manifest_late(struct arena *arena, const struct manifest *manifest,
                                            size_t *count);

/* Whether a dump has a manifest. */
bool manifest_exists(struct store *store, const char *dump, bool *exists, struct fault *fault);

/* The manifest as JSON, and back from size bytes that stand in the dump called name. */
void manifest_add(struct text *text, const struct manifest *manifest);
bool manifest_parse(struct arena *arena, const char *name, const char *data, size_t size,
                    struct manifest *manifest, struct fault *fault);

/* What manifest_parse() takes at most for these bytes, themselves included. */
uint64_t manifest_memory(const char *data, size_t size);

/* One line of `list`.  The truth is the listing of manifests, not index.json. */
struct dump_entry {
    const char *name;
    uint64_t created_ms, stored_bytes, plain_bytes, rows, tables;
    bool complete; /* false: no manifest; a run that is still going on, or was killed */
    bool readable; /* false: a manifest is there but cannot be read; problem says why */
    const char *problem;
    const char *database;
};

/* Every dump under the prefix, oldest first.  A manifest that cannot be read is an entry with its
 * problem, and no failure. */
bool dumps_list(struct store *store, struct arena *arena, struct dump_entry **entries,
                size_t *count, struct fault *fault);

/* Reserve a name no dump under this store has: "dump-<epoch ms>", moved on while taken.  No other
 * run gets it, nor one of another process. */
bool dump_name_take(struct store *store, struct arena *arena, const char **name,
                    struct fault *fault);

/* Read the milliseconds out of a dump's name.  False when it is none: "dump-" and a number below
 * 2^64 without leading zeros. */
bool dump_name_read(const char *name, uint64_t *created_ms);

#endif
