/* Limits of control groups, read from a made-up /proc and /sys. */
#include "env/machine.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support.h"

static char root[] = "/tmp/replica-machine-XXXXXX";

static int
root_make(void **state)
{
    (void) state;
    memset(root + strlen(root) - 6, 'X', 6);
    return mkdtemp(root) == NULL ? -1 : 0;
}

static int
entry_remove(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void) status;
    (void) type;
    (void) at;
    return remove(path);
}

static int
root_remove(void **state)
{
    (void) state;
    return nftw(root, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Write a file below root, with the directories above it. */
static void
put(const char *name, const char *text)
{
    char path[512];

    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void
nothing_there(void **state)
{
    (void) state;
    assert_true(machine_memory_bytes(root) == UINT64_MAX);
    assert_true(machine_cpus(root) >= 1);
}

static void
version_2(void **state)
{
    (void) state;
    put("/proc/self/cgroup", "0::/pods/one/box\n");
    put("/sys/fs/cgroup/memory.max", "max\n");
    put("/sys/fs/cgroup/pods/one/memory.max", "536870912\n");
    put("/sys/fs/cgroup/pods/one/box/memory.max", "1073741824\n");
    put("/sys/fs/cgroup/pods/one/box/cpu.max", "100000 100000\n");
    assert_true(machine_memory_bytes(root) == 536870912);
    assert_int_equal(machine_cpus(root), 1);
}

/* What a container sees: the path of the host, the files of its own group at the top. */
static void
version_2_in_a_container(void **state)
{
    (void) state;
    put("/proc/self/cgroup", "0::/kubepods/pod1/box");
    put("/sys/fs/cgroup/memory.max", "134217728");
    put("/sys/fs/cgroup/cpu.max", "50000 100000");
    assert_true(machine_memory_bytes(root) == 134217728);
    assert_int_equal(machine_cpus(root), 1);
}

static void
version_1(void **state)
{
    (void) state;
    put("/proc/self/cgroup", "12:pids:/x\n4:memory:/docker/a\n3:cpu,cpuacct:/docker/a\n0::/\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes", "104857600\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_quota_us", "20000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_period_us", "100000\n");
    assert_true(machine_memory_bytes(root) == 104857600);
    assert_int_equal(machine_cpus(root), 1);
}

static void
no_quota_leaves_the_mask(void **state)
{
    (void) state;
    unsigned cpus = machine_cpus(root);
    put("/proc/self/cgroup", "0::/\n3:cpu:/\n");
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    assert_int_equal(machine_cpus(root), cpus);
    put("/sys/fs/cgroup/cpu.max", "99000000 100000\n");
    assert_int_equal(machine_cpus(root), cpus);
}

static void
nonsense_is_no_limit(void **state)
{
    (void) state;
    put("/proc/self/cgroup", "\nx\n7\n8:memory\n0::\n:::\n0::/a/b");
    put("/sys/fs/cgroup/memory.max", "");
    put("/sys/fs/cgroup/a/memory.max", "lots");
    put("/sys/fs/cgroup/a/b/cpu.max", "5 0");
    assert_true(machine_memory_bytes(root) == UINT64_MAX);
    assert_true(machine_cpus(root) >= 1);
}

#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, root_make, root_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOT(nothing_there),
        IN_ROOT(version_2),
        IN_ROOT(version_2_in_a_container),
        IN_ROOT(version_1),
        IN_ROOT(no_quota_leaves_the_mask),
        IN_ROOT(nonsense_is_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
