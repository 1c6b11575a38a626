/* pg_dump: the child gets the connection and nothing else that is secret; however it ends, it is
 * waited for, and no descriptor is left.  This program itself is the child: pg_dump starts
 * /proc/self/exe under the name "pg_dump". */
#include "support_server.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pg/pg_dump.h"

extern char **environ;

/* ---- the child ----------------------------------------------------------------------- */

static void
tell_everything(char **argv)
{
    char line[256];

    for (char **argument = argv + 1; *argument != NULL; argument++)
        printf("argument %s\n", *argument);
    for (char **entry = environ; *entry != NULL; entry++)
        printf("variable %s\n", *entry);
    while (fgets(line, sizeof line, stdin) != NULL)
        printf("filter %s", line);
    printf("group %s\n", getpgrp() == getpid() ? "own" : "shared");
}

/* What CHILD_DOES says. */
static int
child_main(char **argv)
{
    const char *does = getenv("CHILD_DOES");

    if (strcmp(does, "tell") == 0)
        tell_everything(argv);
    if (strcmp(does, "fail") == 0) {
        fprintf(stderr, "pg_dump: error: no rights\npg_dump: detail: none at all\n");
        return 1;
    }
    if (strcmp(does, "complain") == 0)
        for (int i = 0; i < 20000; i++)
            fprintf(stderr, "pg_dump: warning: number %d\n", i);
    if (strcmp(does, "die") == 0)
        raise(SIGKILL);
    if (strcmp(does, "sleep") == 0)
        sleep(60);
    if (strcmp(does, "talk") == 0)
        for (int i = 0; i < 100000; i++)
            printf("SELECT %d;\n", i);
    return 0;
}

/* ---- the parent ---------------------------------------------------------------------- */

struct setting {
    struct server server;
    struct stop stop;
    struct pg_session conn;
    struct snapshot snapshot;
    struct table tables[3];
    struct catalog catalog;
    struct pg_dump dump;
    int fds;
};

static int
fds_count(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void
until_gone(struct server *server)
{
    while (server_message(server))
        ;
}

static void
setting_begin(struct setting *setting, const char *does)
{
    struct fault fault = {0};

    *setting = (struct setting){.snapshot.id = "00000003-0000001B-1"};
    setting->tables[0] = (struct table){.schema = "s", .name = "in", .included = true};
    setting->tables[1] = (struct table){.schema = "s\"", .name = "out\nside"};
    setting->tables[2] = (struct table){.schema = "s", .name = "ext", .of_extension = true};
    setting->catalog = (struct catalog){.tables = setting->tables, .tables_count = 3};
    setenv("CHILD_DOES", does, 1);
    setenv("REPLICA_SECRET", "squirrel", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "squirrel", 1);
    setenv("PGHOST", "elsewhere", 1);
    setenv("PGDATABASE", "other", 1);
    unsetenv("PGSERVICE");
    setenv("PGTZ", "UTC", 1);
    assert_true(stop_init(&setting->stop, &fault));
    server_begin(&setting->server, until_gone, NULL);
    char uri[256];
    snprintf(uri, sizeof uri, "%s password=otter", setting->server.uri);
    if (!pg_open(&setting->conn, uri, ERR_SOURCE, &setting->stop, &fault))
        fail_msg("%s", fault.text);
    setenv("PGSERVICE", "nowhere", 1);
    setting->fds = fds_count();
}

static void
setting_end(struct setting *setting)
{
    assert_int_equal(fds_count(), setting->fds);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    pg_close(&setting->conn);
    server_end(&setting->server);
    stop_free(&setting->stop);
}

static bool
run(struct setting *setting, enum pg_dump_section section, struct bytes *text, struct fault *fault)
{
    struct stage *stage = pg_dump_init(&setting->dump, &setting->conn, &setting->snapshot,
                                       &setting->catalog, section);
    bool done = windows_push(stage, NULL, 0, 0, 4096, text, fault);
    stage_free(stage);
    if (text != NULL)
        bytes_add(text, "", 1);
    return done;
}

static void
assert_holds(const struct bytes *text, const char *line)
{
    if (strstr((const char *) text->data, line) == NULL)
        fail_msg("no <<%s>> in %s", line,
                 (const char *) text->data + (text->size > 700 ? text->size - 700 : 0));
}

static void
test_what_it_gets(void **state)
{
    struct setting setting;
    struct bytes text = {0};
    struct fault fault = {0};
    char host[160];
    (void) state;

    setting_begin(&setting, "tell");
    if (!run(&setting, SECTION_PRE_DATA, &text, &fault))
        fail_msg("%s", fault.text);
    assert_holds(&text, "argument --section=pre-data\n");
    assert_holds(&text, "argument --snapshot=00000003-0000001B-1\n");
    assert_holds(&text, "variable PGPASSWORD=otter\n");
    assert_holds(&text, "variable PGDATABASE=d\n");
    assert_holds(&text, "variable PGUSER=u\n");
    assert_holds(&text, "variable PGPORT=5432\n");
    assert_holds(&text, "variable PGCLIENTENCODING=UTF8\n");
    assert_holds(&text, "variable PGTZ=UTC\n");
    assert_holds(&text, "variable CHILD_DOES=tell\n");
    snprintf(host, sizeof host, "variable PGHOST=%s\n", PQhost(setting.conn.pq));
    assert_holds(&text, host);
    assert_holds(&text, "filter exclude table \"s\"\"\".\"out\\nside\"\ngroup");
    assert_holds(&text, "group own\n");
    assert_null(strstr((const char *) text.data, "squirrel"));
    assert_null(strstr((const char *) text.data, "elsewhere"));
    assert_null(strstr((const char *) text.data, "=other"));
    assert_null(strstr((const char *) text.data, "PGSERVICE"));
    assert_null(strstr(strstr((const char *) text.data, "otter") + 1, "otter"));
    bytes_free(&text);
    setting_end(&setting);
}

static void
test_two_runs(void **state)
{
    (void) state;
    for (int large = 0; large < 2; large++) {
        struct setting setting;
        struct bytes text = {0};
        struct fault fault = {0};
        setting_begin(&setting, "tell");
        setting.catalog.has_large_objects = large == 1;
        assert_true(run(&setting, SECTION_DATA, &text, &fault));
        assert_holds(&text, "argument --no-data\n");
        assert_holds(&text, "argument --sequence-data\n");
        assert_int_equal(strstr((const char *) text.data, "--large-objects") != NULL, large);
        bytes_free(&text);
        setting_end(&setting);
    }
}

static void
test_long_output(void **state)
{
    struct setting setting;
    struct bytes text = {0};
    struct fault fault = {0};
    (void) state;

    setting_begin(&setting, "talk");
    assert_true(run(&setting, SECTION_POST_DATA, &text, &fault));
    assert_holds(&text, "SELECT 0;\nSELECT 1;\n");
    assert_string_equal((char *) text.data + text.size - 15, "SELECT 99999;\n");
    bytes_free(&text);
    setting_end(&setting);
}

/* More complaints than a pipe holds. */
static void
test_complaints(void **state)
{
    struct setting setting;
    struct fault fault = {0};
    (void) state;

    setting_begin(&setting, "complain");
    assert_true(run(&setting, SECTION_PRE_DATA, NULL, &fault));
    setting_end(&setting);
}

static void
check_failure(const char *does, enum err err, const char *sentence)
{
    struct setting setting;
    struct fault fault = {0};

    setting_begin(&setting, does);
    assert_false(run(&setting, SECTION_PRE_DATA, NULL, &fault));
    assert_int_equal(fault.err, err);
    assert_string_equal(fault.text, sentence);
    setting_end(&setting);
}

static void
test_failures(void **state)
{
    (void) state;
    check_failure("fail", ERR_SOURCE, "unable to dump the schema: pg_dump: error: no rights;"
                                      "pg_dump: detail: none at all");
    check_failure("die", ERR_SOURCE, "pg_dump was ended by signal 9: ");
}

static void *
stop_soon(void *stop)
{
    usleep(50000);
    stop_request(stop, 0);
    return NULL;
}

static void
test_stopped(void **state)
{
    struct setting setting;
    struct fault fault = {0};
    pthread_t thread;
    (void) state;

    setting_begin(&setting, "sleep");
    pthread_create(&thread, NULL, stop_soon, &setting.stop);
    assert_false(run(&setting, SECTION_PRE_DATA, NULL, &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    pthread_join(thread, NULL);
    setting_end(&setting);
}

static void
test_freed_early(void **state)
{
    struct setting setting;
    struct fault fault = {0};
    uint8_t window[64];
    struct source_span source = {0};
    struct target_span target = {.data = window, .size = sizeof window};
    (void) state;

    setting_begin(&setting, "talk");
    struct stage *stage = pg_dump_init(&setting.dump, &setting.conn, &setting.snapshot,
                                       &setting.catalog, SECTION_PRE_DATA);
    stage_free(stage);
    assert_int_equal(stage_step(stage, &source, &target, true, &fault), STEP_AGAIN);
    stage_free(stage);
    setting_end(&setting);
}

/* Every descriptor that it wants to open fails once. */
static void
test_no_descriptors(void **state)
{
    struct rlimit before, few;
    (void) state;

    getrlimit(RLIMIT_NOFILE, &before);
    for (int room = 0; room < 5; room++) {
        struct setting setting;
        struct fault fault = {0};
        setting_begin(&setting, "tell");
        few = before;
        few.rlim_cur = (rlim_t) (dup(STDIN_FILENO) + room);
        close((int) few.rlim_cur - room);
        setrlimit(RLIMIT_NOFILE, &few);
        bool done = run(&setting, SECTION_PRE_DATA, NULL, &fault);
        setrlimit(RLIMIT_NOFILE, &before);
        assert_false(done);
        assert_int_equal(fault.err, ERR_INTERNAL);
        setting_end(&setting);
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_gets), cmocka_unit_test(test_two_runs),
        cmocka_unit_test(test_long_output),  cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_failures),     cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_freed_early),  cmocka_unit_test(test_no_descriptors),
    };

    if (argc > 1 && strcmp(argv[0], "pg_dump") == 0)
        return child_main(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
