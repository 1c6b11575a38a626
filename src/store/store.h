/* store - where dumps lie: named objects under one prefix, written once, whole or not at all.
 *
 * A driver (dir.c now, s3.c later) is a struct whose first member is struct store.  Object names
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

enum { STORE_NAME_MAX = 200 };

struct store;

struct store_writer { /* an object being written; invisible until committed */
    struct store *store;
};
struct store_reader {
    struct store *store;
};

struct store_entry {
    const char *name;
    uint64_t bytes;
};

/* What a driver does.  Every failure is ERR_STORE, and its sentence names the object. */
struct store_ops {
    const char *name;

    /* Begin an object; NULL when it failed.  Replaces what bears the name, at the commit. */
    struct store_writer *(*put_begin)(struct store *, const char *name, struct fault *);
    bool (*put_write)(struct store_writer *, const void *data, size_t size, struct fault *);

    /* Make it visible and durable.  Frees the writer, also when it fails; then nothing is left. */
    bool (*put_commit)(struct store_writer *, struct fault *);

    /* Free the writer; nothing is left. */
    void (*put_abort)(struct store_writer *);

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

    /* Reserve a directory's name; *taken is false, without a failure, when it is there already. */
    bool (*directory_take)(struct store *, const char *name, bool *taken, struct fault *);

    /* Remove an object, and its directory with the last one.  A missing one is no failure. */
    bool (*remove)(struct store *, const char *name, struct fault *);

    /* Serialise changes of index.json between writers, of any process; not recursive. */
    bool (*lock)(struct store *, struct fault *);
    void (*unlock)(struct store *);
    void (*close)(struct store *);
};

struct store {
    const struct store_ops *ops;
    struct stop *stop; /* the run's switch; whoever waits also waits for it */
    const char *url;   /* for sentences; holds no secret */
};

/* Open the store a URL names: file:///dir (absolute, %XX decoded).  Creates the directory when
 * create is set.  Returns NULL with ERR_CONFIG for a URL that names no store, ERR_STORE when it
 * cannot be opened.  url is copied. */
struct store *store_open(const char *url, bool create, struct stop *stop, struct fault *fault);

/* Close it; NULL is allowed. */
void store_close(struct store *store);

/* Write a small object at once. */
bool store_write(struct store *store, const char *name, const void *data, size_t size,
                 struct fault *fault);

/* Read a small object at once, added to text.  ERR_STORE when it is larger than bytes_max;
 * *found = false, and success, when there is none. */
bool store_read(struct store *store, const char *name, size_t bytes_max, struct text *text,
                bool *found, struct fault *fault);

/* Whether a name is one that we make; for assertions. */
bool store_name_valid(const char *name);

#endif
