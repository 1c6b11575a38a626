/* dir: an object is there whole or not at all; every failure names path and cause. */
#include "support_store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
write_object(struct place *place, const char *name, const char *data)
{
    struct fault fault = {0};

    if (!store_write(place->store, name, data, strlen(data), &fault))
        fail_msg("%s", fault.text);
}

static void
says(const struct fault *fault, enum err err, const char *words)
{
    assert_int_equal(fault->err, err);
    if (strstr(fault->text, words) == NULL)
        fail_msg("'%s' does not say '%s'", fault->text, words);
}

static void
test_urls(void **state)
{
    static const struct {
        const char *url, *words;
    } cases[] = {
        {"", "names no store"},
        {"/tmp", "names no store"},
        {"file:", "names no store"},
        {"file://host/tmp", "names no store"},
        {"s4://bucket", "names no store"},
        {"file:///tmp/%zz", "two hexadecimal digits"},
        {"file:///tmp/%4", "two hexadecimal digits"},
        {"file:///tmp/%", "two hexadecimal digits"},
        {"file:///tmp/%00", "other than 00"},
        {"file:///tmp?x=y", "%3F"},
        {"file:///tmp#x", "%23"},
    };
    struct place place;
    (void) state;

    place_begin(&place);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fault fault = {0};
        assert_null(store_open(cases[i].url, NULL, true, &place.stop, &fault));
        says(&fault, ERR_CONFIG, cases[i].words);
    }
    place_end(&place);
}

static void
test_open_creates(void **state)
{
    struct place place;
    struct fault fault = {0};
    char url[512], path[512];
    (void) state;

    place_begin(&place);
    snprintf(url, sizeof url, "%s//a%%20b/c///d%%2f/", place.url);
    snprintf(path, sizeof path, "%s/a b/c/d", place.path);
    assert_null(store_open(url, NULL, false, &place.stop, &fault));
    says(&fault, ERR_STORE, "no such file or directory");
    assert_false(place_has(&place, "a b"));

    fault = (struct fault){0};
    for (int i = 0; i < 2; i++) {
        struct store *store = store_open(url, NULL, true, &place.stop, &fault);
        assert_non_null(store);
        assert_string_equal(store->url, url);
        store_close(store);
    }
    struct stat stat_of_it;
    assert_int_equal(stat(path, &stat_of_it), 0);
    assert_int_equal(stat_of_it.st_mode & 07007, 0);

    place_write(&place, "file", "x", 1);
    snprintf(url, sizeof url, "%s/file/below", place.url);
    assert_null(store_open(url, NULL, true, &place.stop, &fault));
    says(&fault, ERR_STORE, "not a directory");
    store_close(NULL);
    place_end(&place);
}

static void
test_write_and_read(void **state)
{
    struct place place;
    struct fault fault = {0};
    struct text text = {0};
    bool found;
    (void) state;

    place_begin(&place);
    write_object(&place, "dump-1/1.sql", "rows");
    write_object(&place, "dump-1/empty", "");
    write_object(&place, "index.json", "first");
    write_object(&place, "index.json", "second");
    assert_true(store_read(place.store, "dump-1/1.sql", 4, &text, &found, &fault));
    assert_true(found);
    assert_string_equal(text_of(&text), "rows");
    assert_true(store_read(place.store, "index.json", 100, &text, &found, &fault));
    assert_string_equal(text_of(&text), "rowssecond");
    text_clear(&text);
    assert_true(store_read(place.store, "dump-1/empty", 0, &text, &found, &fault));
    assert_true(found && text.size == 0);
    assert_true(store_read(place.store, "dump-1/2.sql", 100, &text, &found, &fault));
    assert_false(found);
    assert_true(store_read(place.store, "dump-2/2.sql", 100, &text, &found, &fault));
    assert_false(found);
    assert_false(store_read(place.store, "dump-1/1.sql", 3, &text, &found, &fault));
    says(&fault, ERR_STORE, "larger than the 3 bytes");
    assert_int_equal(place_count(&place, "dump-1", ".tmp-"), 0);
    text_free(&text);
    place_end(&place);
}

/* Nothing is visible before the commit, nothing is left after an abort. */
static void
test_visibility(void **state)
{
    struct place place;
    struct fault fault = {0};
    struct store_entry *entries;
    size_t count;
    (void) state;

    place_begin(&place);
    const struct store_ops *ops = place.store->ops;
    struct store_writer *writer = ops->put_begin(place.store, "dump-1/1.sql", &fault);
    assert_non_null(writer);
    assert_true(ops->put_write(writer, "abc", 3, &fault));
    assert_true(ops->put_write(writer, "", 0, &fault));
    assert_false(place_has(&place, "dump-1/1.sql"));
    assert_int_equal(place_count(&place, "dump-1", ".tmp-1.sql-"), 1);
    assert_true(ops->list(place.store, "dump-1", &place.arena, &entries, &count, &fault));
    assert_int_equal(count, 0);
    ops->put_abort(writer);
    assert_int_equal(place_count(&place, "dump-1", ""), 0);

    writer = ops->put_begin(place.store, "dump-1/1.sql", &fault);
    assert_true(ops->put_write(writer, "abc", 3, &fault));
    assert_true(ops->put_commit(writer, &fault));
    assert_true(place_has(&place, "dump-1/1.sql"));
    assert_int_equal(place_count(&place, "dump-1", ""), 1);
    place_end(&place);
}

static void
test_listings(void **state)
{
    struct place place;
    struct fault fault = {0};
    struct store_entry *entries;
    const char **names;
    size_t count;
    bool taken;
    (void) state;

    place_begin(&place);
    const struct store_ops *ops = place.store->ops;
    for (int i = 40; i > 0; i--) {
        char name[64];
        snprintf(name, sizeof name, "dump-7/%03d.sql", i);
        write_object(&place, name, "12345" + i % 5);
    }
    write_object(&place, "index.json", "{}");
    place_write(&place, ".hidden", "x", 1);
    assert_true(ops->directory_take(place.store, "dump-2", &taken, &fault) && taken);
    assert_true(ops->directory_take(place.store, "dump-2", &taken, &fault) && !taken);
    assert_true(ops->directory_take(place.store, "dump-7", &taken, &fault) && !taken);

    assert_true(ops->list(place.store, "dump-7", &place.arena, &entries, &count, &fault));
    assert_int_equal(count, 40);
    assert_string_equal(entries[0].name, "001.sql");
    assert_int_equal(entries[0].bytes, 4);
    assert_string_equal(entries[39].name, "040.sql");
    assert_true(ops->list(place.store, "", &place.arena, &entries, &count, &fault));
    assert_int_equal(count, 1);
    assert_string_equal(entries[0].name, "index.json");
    assert_true(ops->list(place.store, "dump-8", &place.arena, &entries, &count, &fault));
    assert_int_equal(count, 0);
    assert_true(ops->directories(place.store, &place.arena, &names, &count, &fault));
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "dump-2");
    assert_string_equal(names[1], "dump-7");
    assert_false(ops->list(place.store, "index.json", &place.arena, &entries, &count, &fault));
    says(&fault, ERR_STORE, "not a directory");
    place_end(&place);
}

static void
test_remove(void **state)
{
    struct place place;
    struct fault fault = {0};
    (void) state;

    place_begin(&place);
    const struct store_ops *ops = place.store->ops;
    write_object(&place, "dump-1/1.sql", "a");
    write_object(&place, "dump-1/2.sql", "a");
    write_object(&place, "index.json", "a");
    assert_true(ops->remove(place.store, "dump-1/1.sql", &fault));
    assert_true(ops->remove(place.store, "dump-1/1.sql", &fault));
    assert_true(place_has(&place, "dump-1/2.sql"));
    assert_true(ops->remove(place.store, "dump-1/2.sql", &fault));
    assert_false(place_has(&place, "dump-1"));
    assert_true(ops->remove(place.store, "dump-1/2.sql", &fault));
    assert_true(ops->remove(place.store, "index.json", &fault));
    assert_true(place_has(&place, ""));
    place_end(&place);
}

/* What bears an object's name but is none must neither be read nor hold us up. */
static void
test_no_ordinary_files(void **state)
{
    struct place place;
    struct fault fault = {0};
    struct store_reader *reader;
    char path[512];
    (void) state;

    place_begin(&place);
    snprintf(path, sizeof path, "%s/pipe", place.path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(place.store->ops->get_begin(place.store, "pipe", &reader, &fault));
    says(&fault, ERR_STORE, "no ordinary file");
    fault = (struct fault){0};
    snprintf(path, sizeof path, "%s/index.json", place.path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(place.store->ops->get_begin(place.store, "index.json", &reader, &fault));
    says(&fault, ERR_STORE, "no ordinary file");
    fault = (struct fault){0};
    assert_false(store_write(place.store, "index.json", "x", 1, &fault));
    says(&fault, ERR_STORE, "unable to rename the temporary file of");
    assert_int_equal(place_count(&place, "", ".tmp-"), 0);
    place_end(&place);
}

static void
test_read_only(void **state)
{
    struct place place;
    struct fault fault = {0};
    (void) state;

    if (geteuid() == 0) {
        print_message("skipped: root may write into any directory\n");
        skip();
    }
    place_begin(&place);
    assert_int_equal(chmod(place.path, 0500), 0);
    assert_false(store_write(place.store, "index.json", "x", 1, &fault));
    says(&fault, ERR_STORE, "permission denied");
    assert_int_equal(chmod(place.path, 0700), 0);
    place_end(&place);
}

/* A limit on the file's size is what any machine can set: the write fails in its middle. */
static void
test_write_fails(void **state)
{
    static const char data[10000];
    struct place place;
    struct fault fault = {0};
    struct rlimit old, small;
    (void) state;

    place_begin(&place);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){.rlim_cur = 4096, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    bool written = store_write(place.store, "dump-1/1.sql", data, sizeof data, &fault);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_false(written);
    says(&fault, ERR_STORE, "unable to write 5904 bytes to ");
    says(&fault, ERR_STORE, "/dump-1/1.sql at offset 4096: file too large");
    assert_int_equal(place_count(&place, "dump-1", ""), 0);
    place_end(&place);
}

static void
test_disk_full(void **state)
{
    static const char data[256 * 1024];
    struct place place, other;
    struct fault fault = {0};
    char url[512];
    (void) state;

    place_begin(&place);
    snprintf(url, sizeof url, "%s/small", place.url);
    other = place;
    snprintf(other.path, sizeof other.path, "%.200s/small", place.path);
    assert_int_equal(mkdir(other.path, 0700), 0);
    if (mount("none", other.path, "tmpfs", 0, "size=64k") != 0) {
        print_message("skipped: unable to mount a small tmpfs: %s\n", strerror(errno));
        place_end(&place);
        skip();
    }
    other.store = store_open(url, NULL, true, &place.stop, &fault);
    assert_non_null(other.store);
    bool written = store_write(other.store, "dump-1/1.sql", data, sizeof data, &fault);
    size_t left = place_count(&other, "dump-1", "");
    store_close(other.store);
    umount(other.path);
    assert_false(written);
    says(&fault, ERR_STORE, "/small/dump-1/1.sql at offset ");
    says(&fault, ERR_STORE, "no space left on device");
    assert_int_equal(left, 0);
    place_end(&place);
}

/* A lock that another process holds is waited for, and the stop switch ends the waiting. */
static void
test_lock(void **state)
{
    struct place place;
    struct fault fault = {0};
    char path[512];
    (void) state;

    place_begin(&place);
    snprintf(path, sizeof path, "%s/.lock", place.path);
    assert_true(place.store->ops->lock(place.store, &fault));
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    place.store->ops->unlock(place.store);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    stop_request(&place.stop, 0);
    assert_false(place.store->ops->lock(place.store, &fault));
    says(&fault, ERR_STOPPED, "stopped");
    close(fd);
    fault = (struct fault){0};
    assert_true(place.store->ops->lock(place.store, &fault));
    place.store->ops->unlock(place.store);
    place_end(&place);
}

/* A holder that is killed gives the lock back. */
static void
test_lock_of_a_killed(void **state)
{
    struct place place;
    struct fault fault = {0};
    int ready[2];
    char byte;
    (void) state;

    place_begin(&place);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        bool locked = place.store->ops->lock(place.store, &fault);
        if (write(ready[1], locked ? "y" : "n", 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(place.store->ops->lock(place.store, &fault));
    place.store->ops->unlock(place.store);
    close(ready[0]);
    close(ready[1]);
    place_end(&place);
}

struct counting {
    struct place *place;
    unsigned value; /* guarded by nothing but the store's lock */
};

static void *
count_up(void *context)
{
    struct counting *counting = context;
    struct fault fault = {0};

    for (int i = 0; i < 200; i++) {
        if (!counting->place->store->ops->lock(counting->place->store, &fault))
            return NULL;
        counting->value++;
        counting->place->store->ops->unlock(counting->place->store);
    }
    return context;
}

static void
test_lock_between_threads(void **state)
{
    struct place place;
    struct counting counting = {.place = &place};
    pthread_t threads[2];
    (void) state;

    place_begin(&place);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &counting), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(counting.value, 400);
    place_end(&place);
}

static void
test_names(void **state)
{
    static const char *const good[] = {"a", "index.json", "dump-1/1.sql.zst", "A_b-c.d/e"};
    static const char *const bad[] = {"",     "/",    "a/",    "/a",  ".a",  "..",       "../a",
                                      "a/.b", "a/..", "a/b/c", "a b", "a\n", "\xc3\xa9", "a//b"};
    char name[STORE_NAME_MAX + 2];
    (void) state;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(store_name_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(store_name_valid(bad[i]));
    memset(name, 'a', sizeof name);
    name[STORE_NAME_MAX + 1] = '\0';
    assert_false(store_name_valid(name));
    name[STORE_NAME_MAX] = '\0';
    assert_true(store_name_valid(name));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_open_creates),
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_visibility),
        cmocka_unit_test(test_listings),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_no_ordinary_files),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_write_fails),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_lock_of_a_killed),
        cmocka_unit_test(test_lock_between_threads),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
