/* file_lock - see file_lock.h. */
#include "store/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/durable.h"

enum {
    LOCK_MODE = 0640,
    FILE_LOCK_MS_MAX = 60 * 1000, /* a change of the index takes seconds, on a slow disk too */
    FILE_LOCK_TOLD_MS = 5 * 1000,
    PAUSE_MS = 50,
};

static bool
refuse(const char *verb, const char *path, struct fault *fault)
{
    char words[ERROR_WORDS_MAX];
    return fault_set(fault, ERR_STORE, "unable to %s %s/.lock: %s", verb, path,
                     error_words(words, errno));
}

/* Ask again and again rather than wait inside flock(), which the stop switch could not end. */
static bool
lock_wait(int fd, const char *path, const struct stop *stop, struct fault *fault)
{
    uint64_t begun_ms = clock_ms();
    bool told = false;

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return refuse("lock", path, fault);
        if (clock_ms() - begun_ms > FILE_LOCK_MS_MAX)
            return fault_set(fault, ERR_LOCKED,
                             "%s/.lock is still held by another process after %d s: see who holds "
                             "it with `fuser %s/.lock`", path, FILE_LOCK_MS_MAX / 1000, path);
        if (!told && clock_ms() - begun_ms > FILE_LOCK_TOLD_MS) {
            log_info("waiting for %s/.lock, which another process holds", path);
            told = true;
        }
        if (stop_wait(stop, -1, 0, PAUSE_MS, fault) < 0)
            return false;
    }
    return true;
}

int
file_lock(int directory_fd, const char *path, const struct stop *stop, struct fault *fault)
{
    /* A link would have a file made, or locked, wherever it points to; a pipe would hold us up. */
    int fd = openat(directory_fd, ".lock",
                    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, LOCK_MODE);
    struct stat status;

    if (fd < 0 && errno == ELOOP) {
        fault_set(fault, ERR_STORE, "%s/.lock is a symbolic link, which is not followed: remove it",
                  path);
        return -1;
    }
    if (fd < 0) {
        refuse("open", path, fault);
        return -1;
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        fault_set(fault, ERR_STORE, "%s/.lock is no ordinary file: remove it", path);
        close(fd);
        return -1;
    }
    if (!lock_wait(fd, path, stop, fault)) {
        close(fd);
        return -1;
    }
    return fd;
}
