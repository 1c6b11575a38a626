/* dir_inside - what the two halves of the directory store share (dir.h): dir.c looks, reads, lists
 * and removes, dir_put.c writes.
 *
 * Everything is named relative to the directory's descriptor, so that a store stays the same one
 * when the directory is moved during a run. */
#ifndef STORE_DIR_INSIDE_H
#define STORE_DIR_INSIDE_H

#include <pthread.h>

#include "store/store.h"

struct dir {
    struct store store;
    char *path; /* without a slash at its end; "" is the root of the file system */
    int fd;
    bool flush_tells; /* durable.h: small objects may wait for settle() */
    pthread_mutex_t lock; /* flock() is between open files; this one is between our threads */
    int lock_fd;
    char taken[STORE_NAME_MAX + 1]; /* the directory of this run's dump, or "" */
};

/* "unable to <verb> <path>/<name>: <reason>", from errno.  Always false. */
bool dir_refuse(const struct dir *dir, const char *verb, const char *name, struct fault *fault);

/* The part of an object's name behind its directory. */
const char *dir_base_name(const char *name);

/* Open the directory an object lies in; made when it is missing and create is set.
 * -1 with errno when it failed. */
int dir_directory_open(const struct dir *dir, const char *name, bool create);

/* dir_put.c: the writing half of the store's operations. */
struct store_writer *dir_put_begin(struct store *store, const char *name, struct fault *fault);
bool dir_put_write(struct store_writer *base, const void *data, size_t size, struct fault *fault);
bool dir_put_commit(struct store_writer *base, struct fault *fault);
bool dir_settle(struct store *store, struct fault *fault);
void dir_put_abort(struct store_writer *base);
bool dir_put_swap(struct store *store, const char *name, const void *data, size_t size,
                  const char *version, enum swap *swap, struct fault *fault);

#endif
