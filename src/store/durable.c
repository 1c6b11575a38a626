/* durable - see durable.h. */
#include "store/durable.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/text.h"

bool
directory_flush(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL;
}

enum { FUSE_MAGIC = 0x65735546 }; /* Linux's FUSE_SUPER_MAGIC, which musl does not name */

static bool
kernel_flush_tells(void)
{
    struct utsname name;
    unsigned major = 0, minor = 0;

    return uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
           (major > 5 || (major == 5 && minor >= 8));
}

/* FUSE passes fsync(2) on to its daemon, but no syncfs(2), unless it is virtiofs. */
bool
filesystem_flush_tells(int fd)
{
    struct statfs stat;

    return kernel_flush_tells() && fstatfs(fd, &stat) == 0 && stat.f_type != FUSE_MAGIC;
}

static bool
directory_make(const char *path, const char *parent)
{
    if (mkdir(path, DIRECTORY_MODE) != 0)
        return errno == EEXIST;
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES; /* one may enter it but not read it: there is no way to flush it */
    bool flushed = directory_flush(fd);
    int error = errno;
    close(fd);
    errno = error;
    return flushed;
}

bool
directories_make(const char *path)
{
    struct text made = {0}, parent = {0};
    bool done = true;

    assert(path[0] == '/');
    text_add(&parent, "/");
    for (const char *at = path; done && *at != '\0';) {
        size_t size = strspn(at, "/") + strcspn(at + strspn(at, "/"), "/");
        text_add_bytes(&made, at, size);
        done = directory_make(text_of(&made), text_of(&parent));
        text_add_bytes(&parent, at, size);
        at += size;
    }
    int error = errno;
    text_free(&parent);
    text_free(&made);
    errno = error;
    return done;
}

void
write_behind(int fd, uint64_t written, uint64_t *sent)
{
    if (written - *sent < WRITE_BEHIND_BYTES)
        return;
    sync_file_range(fd, (off_t) *sent, (off_t) (written - *sent), SYNC_FILE_RANGE_WRITE);
    *sent = written;
}

const char *
error_words(char words[static ERROR_WORDS_MAX], int error)
{
    snprintf(words, ERROR_WORDS_MAX, "%s", strerror(error));
    if (words[0] >= 'A' && words[0] <= 'Z' && words[1] >= 'a' && words[1] <= 'z')
        words[0] = (char) (words[0] - 'A' + 'a');
    return words;
}
