/* dir_put - the writing half of the directory store (dir_inside.h).
 *
 *     write .tmp-…  ─▶  rename  ─▶  settle: all of it is on the disk  ─▶  the manifest
 *
 * An object is seen with all its bytes or not at all, by rename(2); it is flushed before that when
 * it is large, and with everything else by settle() when it is small and the file system can. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "store/dir_inside.h"
#include "store/durable.h"

enum { FILE_MODE = 0640, FLUSHED_TOGETHER_BYTES = 4 * 1024 * 1024 };

struct dir_writer {
    struct store_writer writer;
    int directory_fd, fd;
    uint64_t bytes, sent; /* written; of them on their way to the disk */
    char name[STORE_NAME_MAX + 1]; /* with its directory, for sentences */
    char temporary[STORE_NAME_MAX + 32];
};

static void
writer_free(struct dir_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    close(writer->directory_fd);
    free(writer);
}

struct store_writer *
dir_put_begin(struct store *store, const char *name, struct fault *fault)
{
    struct dir *dir = (struct dir *) store;
    struct dir_writer *writer = calloc(1, sizeof *writer);
    uint64_t number;

    assert(store_name_valid(name));
    if (writer == NULL)
        memory_exhausted(sizeof *writer);
    writer->writer.store = store;
    snprintf(writer->name, sizeof writer->name, "%s", name);
    random_bytes(&number, sizeof number);
    snprintf(writer->temporary, sizeof writer->temporary, ".tmp-%s-%016llx", dir_base_name(name),
             (unsigned long long) number);

    writer->directory_fd = dir_directory_open(dir, name, true);
    if (writer->directory_fd < 0) {
        dir_refuse(dir, "make the directory of", name, fault);
        free(writer);
        return NULL;
    }
    writer->fd = openat(writer->directory_fd, writer->temporary,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (writer->fd < 0) {
        dir_refuse(dir, "create", name, fault);
        close(writer->directory_fd);
        free(writer);
        return NULL;
    }
    return &writer->writer;
}

bool
dir_put_write(struct store_writer *base, const void *data, size_t size, struct fault *fault)
{
    struct dir_writer *writer = (struct dir_writer *) base;
    const struct dir *dir = (struct dir *) base->store;
    const char *at = data;

    while (size > 0) {
        ssize_t written = write(writer->fd, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            char words[ERROR_WORDS_MAX];
            int error = errno;
            return fault_set(fault, ERR_STORE,
                             "unable to write %zu bytes to %s/%s at offset %llu: %s", size,
                             dir->path, writer->name, (unsigned long long) writer->bytes,
                             error_words(words, error));
        }
        at += written;
        size -= (size_t) written;
        writer->bytes += (uint64_t) written;
    }
    write_behind(writer->fd, writer->bytes, &writer->sent);
    return true;
}

void
dir_put_abort(struct store_writer *base)
{
    struct dir_writer *writer = (struct dir_writer *) base;

    unlinkat(writer->directory_fd, writer->temporary, 0);
    writer_free(writer);
}

/* A flush waits for the disk, a millisecond or more, which for each of thousands of small tables
 * would take longer than all their rows; settle() then flushes them together. */
static bool
writer_flush(const struct dir_writer *writer)
{
    const struct dir *dir = (struct dir *) writer->writer.store;

    return (writer->bytes < FLUSHED_TOGETHER_BYTES && dir->flush_tells) || fsync(writer->fd) == 0;
}

/* Network file systems, and those that upload what they got, may say only now that it failed. */
static bool
writer_close(struct dir_writer *writer)
{
    int fd = writer->fd;

    writer->fd = -1;
    return close(fd) == 0;
}

bool
dir_put_commit(struct store_writer *base, struct fault *fault)
{
    struct dir_writer *writer = (struct dir_writer *) base;
    const struct dir *dir = (struct dir *) base->store;

    if (!writer_flush(writer)) {
        dir_refuse(dir, "flush", writer->name, fault);
        dir_put_abort(base);
        return false;
    }
    if (!writer_close(writer)) {
        dir_refuse(dir, "finish", writer->name, fault);
        dir_put_abort(base);
        return false;
    }
    if (renameat(writer->directory_fd, writer->temporary, writer->directory_fd,
                 dir_base_name(writer->name)) != 0) {
        dir_refuse(dir, "rename the temporary file of", writer->name, fault);
        dir_put_abort(base);
        return false;
    }
    bool flushed = dir->flush_tells || directory_flush(writer->directory_fd) ||
                   dir_refuse(dir, "flush the directory of", writer->name, fault);
    writer_free(writer);
    return flushed;
}

bool
dir_settle(struct store *store, struct fault *fault)
{
    const struct dir *dir = (struct dir *) store;

    return !dir->flush_tells || syncfs(dir->fd) == 0 ||
           dir_refuse(dir, "flush", "", fault);
}

/* The lock is what keeps others away. */
bool
dir_put_swap(struct store *store, const char *name, const void *data, size_t size,
             const char *version, enum swap *swap, struct fault *fault)
{
    assert(((struct dir *) store)->lock_fd >= 0 && version[0] == '\0');
    *swap = SWAP_DONE;
    return store_write(store, name, data, size, fault);
}
