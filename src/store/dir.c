/* dir - see dir.h. */
#include "store/dir.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/dir_inside.h"
#include "store/durable.h"
#include "store/file_lock.h"

struct dir_reader {
    struct store_reader reader;
    int fd;
    char name[STORE_NAME_MAX + 1];
};

bool
dir_refuse(const struct dir *dir, const char *verb, const char *name, struct fault *fault)
{
    char words[ERROR_WORDS_MAX];
    int error = errno;

    return fault_set(fault, ERR_STORE, "unable to %s %s%s%s: %s", verb, dir->path,
                     name[0] == '\0' ? "" : "/", name, error_words(words, error));
}

const char *
dir_base_name(const char *name)
{
    const char *slash = strchr(name, '/');
    return slash == NULL ? name : slash + 1;
}

int
dir_directory_open(const struct dir *dir, const char *name, bool create)
{
    const char *slash = strchr(name, '/');
    char directory[STORE_NAME_MAX + 1] = ".";

    if (slash != NULL) {
        memcpy(directory, name, (size_t) (slash - name));
        directory[slash - name] = '\0';
    }
    int fd = openat(dir->fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT || !create)
        return fd;
    if (mkdirat(dir->fd, directory, DIRECTORY_MODE) != 0 && errno != EEXIST)
        return -1;
    if (!directory_flush(dir->fd))
        return -1;
    return openat(dir->fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool
dir_exists(struct store *store, const char *name, bool *exists, struct fault *fault)
{
    const struct dir *dir = (struct dir *) store;
    struct stat stat;

    assert(store_name_valid(name));
    *exists = fstatat(dir->fd, name, &stat, 0) == 0;
    return *exists || errno == ENOENT || dir_refuse(dir, "look for", name, fault);
}

static bool
dir_get_begin(struct store *store, const char *name, struct store_reader **base,
              struct fault *fault)
{
    const struct dir *dir = (struct dir *) store;
    struct stat stat;

    assert(store_name_valid(name));
    *base = NULL;
    /* O_NONBLOCK: a pipe that bears an object's name must not hold us up. */
    int fd = openat(dir->fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || dir_refuse(dir, "open", name, fault);
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) {
        close(fd);
        return fault_set(fault, ERR_STORE, "%s/%s is no ordinary file", dir->path, name);
    }

    struct dir_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        memory_exhausted(sizeof *reader);
    reader->reader.store = store;
    reader->fd = fd;
    snprintf(reader->name, sizeof reader->name, "%s", name);
    *base = &reader->reader;
    return true;
}

static bool
dir_get_read(struct store_reader *base, void *data, size_t size, size_t *got, struct fault *fault)
{
    struct dir_reader *reader = (struct dir_reader *) base;

    assert(size > 0);
    for (;;) {
        ssize_t bytes = read(reader->fd, data, size);
        if (bytes >= 0) {
            *got = (size_t) bytes;
            return true;
        }
        if (errno != EINTR)
            return dir_refuse((struct dir *) base->store, "read", reader->name, fault);
    }
}

static void
dir_get_end(struct store_reader *base)
{
    struct dir_reader *reader = (struct dir_reader *) base;

    close(reader->fd);
    free(reader);
}

static int
entry_compare(const void *a, const void *b)
{
    return strcmp(((const struct store_entry *) a)->name, ((const struct store_entry *) b)->name);
}

/* What lies in one directory, without dot files: either its ordinary files or its directories.
 * What is removed while we look is as if it had not been there. */
static bool
entries_read(const struct dir *dir, DIR *stream, const char *directory, mode_t type,
             struct arena *arena, struct store_entry **entries, size_t *count, struct fault *fault)
{
    size_t capacity = 0, before = arena->bytes;
    struct dirent *entry;

    *entries = NULL;
    *count = 0;
    while (errno = 0, (entry = readdir(stream)) != NULL) {
        struct stat stat;
        if (entry->d_name[0] == '.' || fstatat(dirfd(stream), entry->d_name, &stat, 0) != 0 ||
            (stat.st_mode & S_IFMT) != type)
            continue;
        if (*count == capacity) {
            struct store_entry *more = arena_array(arena, capacity * 2 + 16, sizeof *more);
            if (*count > 0)
                memcpy(more, *entries, *count * sizeof *more);
            *entries = more;
            capacity = capacity * 2 + 16;
        }
        (*entries)[*count].name = arena_text(arena, entry->d_name);
        (*entries)[(*count)++].bytes = (uint64_t) stat.st_size;
        if (!store_listing_fits(&dir->store, directory, arena->bytes - before, fault))
            return false;
    }
    if (errno != 0)
        return dir_refuse(dir, "list the directory", directory, fault);
    if (*count > 0)
        qsort(*entries, *count, sizeof **entries, entry_compare);
    return true;
}

static bool
entries_list(const struct dir *dir, const char *directory, mode_t type, struct arena *arena,
             struct store_entry **entries, size_t *count, struct fault *fault)
{
    int fd =
        openat(dir->fd, directory[0] == '\0' ? "." : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *entries = NULL;
    *count = 0;
    if (fd < 0)
        return errno == ENOENT || dir_refuse(dir, "open the directory", directory, fault);
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        dir_refuse(dir, "list the directory", directory, fault);
        close(fd);
        return false;
    }
    bool listed = entries_read(dir, stream, directory, type, arena, entries, count, fault);
    closedir(stream);
    return listed;
}

static bool
dir_list(struct store *store, const char *directory, struct arena *arena,
         struct store_entry **entries, size_t *count, struct fault *fault)
{
    assert(directory[0] == '\0' || (store_name_valid(directory) && strchr(directory, '/') == NULL));
    return entries_list((struct dir *) store, directory, S_IFREG, arena, entries, count, fault);
}

static bool
dir_directories(struct store *store, struct arena *arena, const char ***names, size_t *count,
                struct fault *fault)
{
    struct store_entry *entries;

    if (!entries_list((struct dir *) store, "", S_IFDIR, arena, &entries, count, fault))
        return false;
    *names = arena_array(arena, *count, sizeof **names);
    for (size_t i = 0; i < *count; i++)
        (*names)[i] = entries[i].name;
    return true;
}

static bool
dir_directory_take(struct store *store, const char *name, bool *taken, struct fault *fault)
{
    struct dir *dir = (struct dir *) store;

    assert(store_name_valid(name) && strchr(name, '/') == NULL);
    *taken = mkdirat(dir->fd, name, DIRECTORY_MODE) == 0;
    if (!*taken)
        return errno == EEXIST || dir_refuse(dir, "make the directory", name, fault);
    snprintf(dir->taken, sizeof dir->taken, "%s", name);
    return directory_flush(dir->fd) || dir_refuse(dir, "flush the directory of", name, fault);
}

static bool
object_remove(const struct dir *dir, const char *name, bool flush, struct fault *fault)
{
    const char *slash = strchr(name, '/');

    assert(store_name_valid(name));
    int directory_fd = dir_directory_open(dir, name, false);
    if (directory_fd < 0)
        return errno == ENOENT || dir_refuse(dir, "open the directory of", name, fault);

    bool removed = unlinkat(directory_fd, dir_base_name(name), 0) == 0 || errno == ENOENT;
    removed = (removed && (!flush || directory_flush(directory_fd))) ||
              dir_refuse(dir, "remove", name, fault);
    close(directory_fd);
    if (!removed || slash == NULL)
        return removed;

    char directory[STORE_NAME_MAX + 1] = "";
    memcpy(directory, name, (size_t) (slash - name));
    if (unlinkat(dir->fd, directory, AT_REMOVEDIR) != 0)
        return errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT ||
               dir_refuse(dir, "remove the directory", directory, fault);
    return directory_flush(dir->fd) || dir_refuse(dir, "flush the directory of", directory, fault);
}

static bool
dir_remove(struct store *store, const char *name, struct fault *fault)
{
    return object_remove((struct dir *) store, name, true, fault);
}

/* Many, of a dump that nobody can see: what comes back after a loss of power does no harm, and a
 * flush for each of thousands takes longer than who stops us will wait. */
static bool
dir_remove_all(struct store *store, const char *const *names, size_t count, struct fault *fault)
{
    bool removed = true;

    for (size_t i = 0; i < count; i++)
        removed = object_remove((struct dir *) store, names[i], false, fault) && removed;
    return removed;
}

/* Temporary files cost no more than their room, and everybody can see them. */
static bool
dir_sweep(struct store *store, struct fault *fault)
{
    (void) store;
    (void) fault;
    return true;
}

static bool
dir_lock(struct store *store, struct fault *fault)
{
    struct dir *dir = (struct dir *) store;

    pthread_mutex_lock(&dir->lock);
    dir->lock_fd = file_lock(dir->fd, dir->path, dir->store.stop, fault);
    if (dir->lock_fd < 0)
        pthread_mutex_unlock(&dir->lock);
    return dir->lock_fd >= 0;
}

static void
dir_unlock(struct store *store)
{
    struct dir *dir = (struct dir *) store;

    assert(dir->lock_fd >= 0);
    close(dir->lock_fd);
    dir->lock_fd = -1;
    pthread_mutex_unlock(&dir->lock);
}

/* A dump that failed before its first object has left its directory alone, which goes; any other
 * one is not empty, or has gone with its objects. */
static void
dir_close(struct store *store)
{
    struct dir *dir = (struct dir *) store;

    assert(dir->lock_fd == -1);
    if (dir->taken[0] != '\0')
        unlinkat(dir->fd, dir->taken, AT_REMOVEDIR);
    pthread_mutex_destroy(&dir->lock);
    if (dir->fd >= 0)
        close(dir->fd);
    free(dir->path);
    free((char *) dir->store.url);
    free(dir);
}

static const struct store_ops dir_ops = {
    .name = "dir",
    .put_begin = dir_put_begin,
    .put_write = dir_put_write,
    .put_commit = dir_put_commit,
    .settle = dir_settle,
    .put_abort = dir_put_abort,
    .put_swap = dir_put_swap,
    .exists = dir_exists,
    .get_begin = dir_get_begin,
    .get_read = dir_get_read,
    .get_end = dir_get_end,
    .list = dir_list,
    .directories = dir_directories,
    .directory_take = dir_directory_take,
    .remove = dir_remove,
    .remove_all = dir_remove_all,
    .sweep = dir_sweep,
    .lock = dir_lock,
    .unlock = dir_unlock,
    .close = dir_close,
};

static bool
root_open(struct dir *dir, bool create, struct fault *fault)
{
    const char *path = dir->path[0] == '\0' ? "/" : dir->path;
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

    dir->fd = open(path, flags);
    if (dir->fd < 0 && errno == ENOENT && create) {
        if (!directories_make(path))
            return dir_refuse(dir, "make the directory", "", fault);
        dir->fd = open(path, flags);
    }
    return dir->fd >= 0 || dir_refuse(dir, "open the directory", "", fault);
}

struct store *
dir_open(const char *url, const char *path, bool create, struct stop *stop, struct fault *fault)
{
    struct dir *dir = calloc(1, sizeof *dir);
    size_t size = strlen(path);

    assert(path[0] == '/');
    if (dir == NULL)
        memory_exhausted(sizeof *dir);
    while (size > 0 && path[size - 1] == '/')
        size--;
    dir->store.ops = &dir_ops;
    dir->store.stop = stop;
    dir->store.url = strdup(url);
    dir->path = strndup(path, size);
    if (dir->store.url == NULL || dir->path == NULL)
        memory_exhausted(size);
    dir->fd = dir->lock_fd = -1;
    pthread_mutex_init(&dir->lock, NULL);

    if (!root_open(dir, create, fault)) {
        dir_close(&dir->store);
        return NULL;
    }
    dir->flush_tells = filesystem_flush_tells(dir->fd);
    return &dir->store;
}
