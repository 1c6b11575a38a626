/* dir, on a file system of FUSE, whose daemon is a thread of the test: each object is flushed, for
 * no syncfs(2) comes through, and what it says at the close counts. */
#include "support_store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/durable.h"

enum { REQUEST_BYTES_MAX = 256 * 1024, ROOT = 1, FILE_NODE = 2 };

struct daemon {
    char path[300];
    int fd;
    int close_error;
    _Atomic unsigned file_flushes, directory_flushes, renames, removals;
    pthread_t thread;
};

static struct fuse_attr
node_attributes(uint64_t node)
{
    return (struct fuse_attr){.ino = node, .nlink = 1,
                              .mode = node == ROOT ? S_IFDIR | 0755 : S_IFREG | 0640};
}

/* Answer a request; error is 0 or an errno. */
static void
answer(const struct daemon *daemon, const struct fuse_in_header *request, int error,
       const void *data, size_t size)
{
    struct {
        struct fuse_out_header header;
        unsigned char data[512];
    } out = {.header = {.unique = request->unique, .error = -error,
                        .len = (uint32_t) (sizeof out.header + size)}};

    assert_true(size <= sizeof out.data);
    if (size > 0)
        memcpy(out.data, data, size);
    if (write(daemon->fd, &out, out.header.len) < 0 && errno != ENOENT)
        print_message("the daemon can't answer: %s\n", strerror(errno));
}

static void
answer_create(const struct daemon *daemon, const struct fuse_in_header *request)
{
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } out = {.entry = {.nodeid = FILE_NODE, .entry_valid = 60, .attr_valid = 60,
                       .attr = node_attributes(FILE_NODE)}};

    answer(daemon, request, 0, &out, sizeof out);
}

static void
answer_write(const struct daemon *daemon, const struct fuse_in_header *request)
{
    const struct fuse_write_in *in = (const void *) (request + 1);
    struct fuse_write_out out = {.size = in->size};

    answer(daemon, request, 0, &out, sizeof out);
}

static void
serve(struct daemon *daemon, const struct fuse_in_header *request)
{
    static const struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .minor = 31,
                                              .max_write = 64 * 1024};
    static const struct fuse_open_out opened;
    static const struct fuse_statfs_out statfs;
    struct fuse_attr_out attributes = {.attr_valid = 60, .attr = node_attributes(request->nodeid)};

    switch (request->opcode) {
    case FUSE_INIT: answer(daemon, request, 0, &init, sizeof init); return;
    case FUSE_GETATTR: answer(daemon, request, 0, &attributes, sizeof attributes); return;
    case FUSE_STATFS: answer(daemon, request, 0, &statfs, sizeof statfs); return;
    case FUSE_OPENDIR: answer(daemon, request, 0, &opened, sizeof opened); return;
    case FUSE_LOOKUP: answer(daemon, request, ENOENT, NULL, 0); return;
    case FUSE_CREATE: answer_create(daemon, request); return;
    case FUSE_WRITE: answer_write(daemon, request); return;
    case FUSE_FLUSH: answer(daemon, request, daemon->close_error, NULL, 0); return;
    case FUSE_FSYNC: daemon->file_flushes++; break;
    case FUSE_FSYNCDIR: daemon->directory_flushes++; break;
    case FUSE_RENAME:
    case FUSE_RENAME2: daemon->renames++; break;
    case FUSE_UNLINK: daemon->removals++; break;
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR: break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT: return;
    default: answer(daemon, request, ENOSYS, NULL, 0); return;
    }
    answer(daemon, request, 0, NULL, 0);
}

/* Until the file system is unmounted. */
static void *
daemon_run(void *argument)
{
    static _Alignas(8) unsigned char request[REQUEST_BYTES_MAX];
    struct daemon *daemon = argument;

    for (;;) {
        ssize_t got = read(daemon->fd, request, sizeof request);
        if (got > 0)
            serve(daemon, (const struct fuse_in_header *) request);
        else if (got == 0 || (errno != EINTR && errno != ENOENT && errno != EAGAIN))
            return NULL;
    }
}

static void
daemon_begin(struct daemon *daemon, struct place *place)
{
    char options[100];

    snprintf(daemon->path, sizeof daemon->path, "%s/fuse", place->path);
    assert_int_equal(mkdir(daemon->path, 0700), 0);
    daemon->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u", daemon->fd,
             (unsigned) geteuid(), (unsigned) getegid());
    if (daemon->fd < 0 ||
        mount("replica", daemon->path, "fuse", MS_NODEV | MS_NOSUID, options) != 0) {
        print_message("skipped: unable to mount a file system of FUSE: %s\n", strerror(errno));
        close(daemon->fd);
        place_end(place);
        skip();
    }
    pthread_create(&daemon->thread, NULL, daemon_run, daemon);
}

static void
daemon_end(struct daemon *daemon)
{
    umount2(daemon->path, MNT_DETACH);
    pthread_join(daemon->thread, NULL);
    close(daemon->fd);
}

/* Write one small object, and make all durable. */
static bool
write_one(const struct daemon *daemon, struct place *place, struct fault *fault)
{
    char url[320];

    snprintf(url, sizeof url, "file://%s", daemon->path);
    struct store *store = store_open(url, NULL, false, &place->stop, fault);
    bool written = store != NULL && store_write(store, "1.sql", "x", 1, fault);
    store_close(store);
    return written;
}

static void
test_each_is_flushed(void **state)
{
    struct daemon daemon = {0};
    struct fault fault = {0};
    struct place place;
    (void) state;

    place_begin(&place);
    daemon_begin(&daemon, &place);
    int fd = open(daemon.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool tells = filesystem_flush_tells(fd);
    close(fd);
    bool written = write_one(&daemon, &place, &fault);
    daemon_end(&daemon);
    if (!written)
        fail_msg("%s", fault.text);
    assert_false(tells);
    assert_int_equal(daemon.file_flushes, 1);
    assert_int_equal(daemon.directory_flushes, 1);
    assert_int_equal(daemon.renames, 1);
    place_end(&place);
}

static void
test_what_the_close_says(void **state)
{
    struct daemon daemon = {.close_error = EDQUOT};
    struct fault fault = {0};
    struct place place;
    (void) state;

    place_begin(&place);
    daemon_begin(&daemon, &place);
    bool written = write_one(&daemon, &place, &fault);
    daemon_end(&daemon);
    assert_false(written);
    assert_int_equal(fault.err, ERR_STORE);
    assert_non_null(strstr(fault.text, "unable to finish "));
    assert_non_null(strstr(fault.text, "/fuse/1.sql: "));
    assert_int_equal(daemon.renames, 0);
    assert_int_equal(daemon.removals, 1);
    place_end(&place);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_flushed),
        cmocka_unit_test(test_what_the_close_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
