/* file_lock - see file_lock.h. */
#include "store/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/durable.h"

enum {
    LOCK_MODE = 0640,
    FILE_LOCK_MS_MAX = 5 * 60 * 1000, /* a change of the index takes seconds, on a slow disk too */
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

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return refuse("lock", path, fault);
        if (clock_ms() - begun_ms > FILE_LOCK_MS_MAX)
            return fault_set(fault, ERR_LOCKED,
                             "%s/.lock is still held by another process after %d s", path,
                             FILE_LOCK_MS_MAX / 1000);
        if (stop_wait(stop, -1, 0, PAUSE_MS, fault) < 0)
            return false;
    }
    return true;
}

int
file_lock(int directory_fd, const char *path, const struct stop *stop, struct fault *fault)
{
    int fd = openat(directory_fd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, LOCK_MODE);

    if (fd < 0) {
        refuse("open", path, fault);
        return -1;
    }
    if (!lock_wait(fd, path, stop, fault)) {
        close(fd);
        return -1;
    }
    return fd;
}
