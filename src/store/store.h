/* store - where dumps lie: named objects under one prefix, written once, whole or not at all.
 *
 *     file:///dir          dir.c         files; rename(2) is the moment of visibility
 *     s3://bucket/prefix   s3_store.c    objects; the answer to a PUT is
 *
 * A driver is a struct whose first member is struct store.  Object names
 * are relative, with at most one '/' ("dump-1653170039392/3.sql.zst", "index.json"), made by us
 * alone: [A-Za-z0-9._-] in each part, no part begins with '.', at most STORE_NAME_MAX bytes.  The
 * part before the slash is called a directory, also where a driver has none.
 *
 * Life:   a driver's x_open(); then any number of objects; store_close().
 * Threads: a store may be used by many threads at once; one object by one thread at a time. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/stop.h"
#include "base/text.h"

enum { STORE_NAME_MAX = 200, STORE_VERSION_MAX = 128 };

struct s3_config;
struct store;

struct store_writer { /* an object being written; invisible until committed */
    struct store *store;
};
struct store_reader {
    struct store *store;
    char version[STORE_VERSION_MAX]; /* what put_swap() can ask for; "" where a lock serves */
};

/* What became of a change that was to replace one version and no other. */
enum swap {
    SWAP_DONE,
    SWAP_CONFLICT, /* another version is there by now; nothing was written */
    SWAP_BLIND,    /* written, but what was there before is not known */
};

struct store_entry {
    const char *name;
    uint64_t bytes;
};

/* What a driver does.  Every failure is ERR_STORE, and its sentence names the object. */
struct store_ops {
    const char *name;

    /* A put that failed may have arrived nevertheless, or arrive later. */
    bool puts_may_arrive;

    /* Begin an object; NULL when it failed.  Replaces what bears the name, at the commit. */
    struct store_writer *(*put_begin)(struct store *, const char *name, struct fault *);
    bool (*put_write)(struct store_writer *, const void *data, size_t size, struct fault *);

    /* Make it visible; durable at the latest by settle().  Frees the writer, also when it fails;
     * then nothing is left. */
    bool (*put_commit)(struct store_writer *, struct fault *);

    /* Make durable whatever was committed since the store was opened; called before a manifest
     * names it. */
    bool (*settle)(struct store *, struct fault *);

    /* Free the writer; nothing is left. */
    void (*put_abort)(struct store_writer *);

    /* Write a small object in place of one version of it; "" is the version of none.  The caller
     * holds the lock. */
    bool (*put_swap)(struct store *, const char *name, const void *data, size_t size,
                     const char *version, enum swap *, struct fault *);

    bool (*exists)(struct store *, const char *name, bool *exists, struct fault *);

    /* Open an object; *reader is NULL, without a failure, when there is none. */
    bool (*get_begin)(struct store *, const char *name, struct store_reader **reader,
                      struct fault *);

    /* Read some bytes, at most size (> 0); *got is 0 at the end. */
    bool (*get_read)(struct store_reader *, void *data, size_t size, size_t *got, struct fault *);
    void (*get_end)(struct store_reader *);

    /* The objects of one directory ("" is the prefix itself), by name; none when it is missing. */
    bool (*list)(struct store *, const char *directory, struct arena *, struct store_entry **,
                 size_t *count, struct fault *);

    /* All directories, by name. */
    bool (*directories)(struct store *, struct arena *, const char ***names, size_t *count,
                        struct fault *);

    /* Reserve a directory's name; *taken is false, without a failure, when it is there already, or
     * when another run wants it at this moment.  It is ours until close(), which gives it back
     * when nothing has been put there. */
    bool (*directory_take)(struct store *, const char *name, bool *taken, struct fault *);

    /* Remove an object, or many, and a directory with its last one.  A missing one is no failure.
     * Both work, for some seconds, when the switch is thrown. */
    bool (*remove)(struct store *, const char *name, struct fault *);
    bool (*remove_all)(struct store *, const char *const *names, size_t count, struct fault *);

    /* Clear away what killed runs left in the making, where that costs money and nobody sees it.
     * Never what may belong to a run that lives. */
    bool (*sweep)(struct store *, struct fault *);

    /* Serialise changes of index.json between writers, of any process, where the store can; not
     * recursive. */
    bool (*lock)(struct store *, struct fault *);
    void (*unlock)(struct store *);
    void (*close)(struct store *);
};

/* What a store may take of memory; a zero is the driver's own default. */
struct store_limits {
    size_t part_bytes;           /* of an object that is uploaded in parts */
    unsigned buffers;            /* parts that wait in memory, of each object; at least 2 */
    uint64_t document_bytes;     /* a manifest or an index that is read, and all it is made into */
    uint64_t listing_bytes;      /* the names that a listing gives */
};

/* What a listing may take where no limit is set. */
enum { STORE_LISTING_BYTES = 64 * 1024 * 1024 };

struct store {
    const struct store_ops *ops;
    struct stop *stop; /* the run's switch; whoever waits also waits for it */
    const char *url;   /* for sentences; holds no secret */
    struct store_limits limits; /* set before the first object */
};

/* Open the store a URL names; see store_url.h.  s3 says how S3 is reached, but for the bucket,
 * which the URL names; it may be NULL for other stores.  Creates the directory when create is
 * set; a bucket must be there.  Returns NULL with ERR_CONFIG for a URL that names no store,
 * ERR_STORE when it cannot be opened.  url is copied. */
struct store *store_open(const char *url, const struct s3_config *s3, bool create,
                         struct stop *stop, struct fault *fault);

/* Close it, after all its objects; NULL is allowed. */
void store_close(struct store *store);

/* Write a small object at once; it is durable then. */
bool store_write(struct store *store, const char *name, const void *data, size_t size,
                 struct fault *fault);

/* Read a small object at once, added to text.  ERR_STORE when it is larger than bytes_max;
 * *found = false, and success, when there is none. */
bool store_read(struct store *store, const char *name, size_t bytes_max, struct text *text,
                bool *found, struct fault *fault);

/* The same, with the version that put_swap() can replace; "" when there is none.  One that is
 * larger is no failure; text is empty then, and *larger true. */
bool store_read_version(struct store *store, const char *name, size_t bytes_max, struct text *text,
                        char version[static STORE_VERSION_MAX], bool *larger, struct fault *fault);

/* What may be taken for a listing; what was taken is held against it.  False, with the fault, when
 * it was more: a directory or a prefix that holds other things than dumps. */
uint64_t store_listing_bytes(const struct store *store);
bool store_listing_fits(const struct store *store, const char *directory, uint64_t taken_bytes,
                        struct fault *fault);

/* Whether a name is one that we make; for assertions. */
bool store_name_valid(const char *name);

#endif
