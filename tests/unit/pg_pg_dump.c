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
    if (strcmp(does, "tell") == 0 || strcmp(does, "complain") == 0)
        fwrite("\0data\n\0post\n", 1, 12, stdout);
    if (strcmp(does, "empty") == 0)
        fwrite("\0\0", 1, 2, stdout);
    if (strcmp(does, "break off") == 0)
        fwrite("pre\n\0da", 1, 7, stdout);
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
    if (strcmp(does, "talk") == 0)
        for (int section = 0; section < 2; section++) {
            putchar('\0');
            for (int i = 0; i < 100000; i++)
                printf("SELECT %d;\n", i);
        }
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

static void
open_it(struct setting *setting)
{
    pg_dump_open(&setting->dump, &setting->conn, &setting->snapshot, &setting->catalog);
}

/* Read the next section through windows of this size. */
static bool
section(struct setting *setting, size_t window, struct bytes *text, struct fault *fault)
{
    struct stage *stage = pg_dump_section(&setting->dump);
    bool done = windows_push(stage, NULL, 0, 0, window, text, fault);
    stage_free(stage);
    bytes_add(text, "", 1);
    return done;
}

/* Read all of them; texts[i] is the text of one. */
static bool
run(struct setting *setting, struct bytes *texts, struct fault *fault)
{
    bool done = true;

    open_it(setting);
    for (int i = 0; i < PG_DUMP_SECTIONS && done; i++)
        done = section(setting, 4096, &texts[i], fault);
    pg_dump_close(&setting->dump);
    return done;
}

static void
texts_free(struct bytes *texts)
{
    for (int i = 0; i < PG_DUMP_SECTIONS; i++)
        bytes_free(&texts[i]);
}

static void
assert_holds(const struct bytes *text, const char *line)
{
    if (strstr((const char *) text->data, line) == NULL)
        fail_msg("no <<%s>> in %s", line,
                 (const char *) text->data + (text->size > 700 ? text->size - 700 : 0));
}

static void
test_large_objects_where_they_are_taken(void **state)
{
    struct setting setting;
    struct bytes texts[PG_DUMP_SECTIONS] = {0};
    struct fault fault = {0};
    (void) state;

    setting_begin(&setting, "tell");
    setting.catalog.large_objects = true;
    if (!run(&setting, texts, &fault))
        fail_msg("%s", fault.text);
    assert_holds(&texts[0], "argument --large-objects\n");
    texts_free(texts);
    setting_end(&setting);
}

static void
test_what_it_gets(void **state)
{
    struct setting setting;
    struct bytes texts[PG_DUMP_SECTIONS] = {0}, *text = &texts[0];
    struct fault fault = {0};
    char host[160];
    (void) state;

    setting_begin(&setting, "tell");
    if (!run(&setting, texts, &fault))
        fail_msg("%s", fault.text);
    assert_holds(text, "argument --no-large-objects\n");
    assert_holds(text, "argument --snapshot=00000003-0000001B-1\n");
    assert_holds(text, "variable PGPASSWORD=otter\n");
    assert_holds(text, "variable PGDATABASE=d\n");
    assert_holds(text, "variable PGUSER=u\n");
    assert_holds(text, "variable PGPORT=5432\n");
    assert_holds(text, "variable PGCLIENTENCODING=UTF8\n");
    assert_holds(text, "variable PGTZ=UTC\n");
    assert_holds(text, "variable CHILD_DOES=tell\n");
    snprintf(host, sizeof host, "variable PGHOST=%s\n", PQhost(setting.conn.pq));
    assert_holds(text, host);
    assert_holds(text, "filter exclude table \"s\"\"\".\"out\\nside\"\ngroup");
    assert_holds(text, "group own\n");
    assert_null(strstr((const char *) text->data, "squirrel"));
    assert_null(strstr((const char *) text->data, "elsewhere"));
    assert_null(strstr((const char *) text->data, "=other"));
    assert_null(strstr((const char *) text->data, "PGSERVICE"));
    assert_null(strstr(strstr((const char *) text->data, "otter") + 1, "otter"));
    assert_string_equal((char *) texts[1].data, "data\n");
    assert_string_equal((char *) texts[2].data, "post\n");
    texts_free(texts);
    setting_end(&setting);
}

/* The mark between two sections may lie anywhere in a window, and a section may have no text. */
static void
test_sections(void **state)
{
    (void) state;
    for (size_t window = 1; window < 20; window++) {
        struct setting setting;
        struct bytes texts[PG_DUMP_SECTIONS] = {0};
        struct fault fault = {0};
        setting_begin(&setting, window % 2 == 0 ? "empty" : "tell");
        open_it(&setting);
        for (int i = 0; i < PG_DUMP_SECTIONS; i++)
            assert_true(section(&setting, window, &texts[i], &fault));
        pg_dump_close(&setting.dump);
        assert_string_equal((char *) texts[1].data, window % 2 == 0 ? "" : "data\n");
        assert_string_equal((char *) texts[2].data, window % 2 == 0 ? "" : "post\n");
        texts_free(texts);
        setting_end(&setting);
    }
}

static void
test_long_output(void **state)
{
    struct setting setting;
    struct bytes texts[PG_DUMP_SECTIONS] = {0};
    struct fault fault = {0};
    (void) state;

    setting_begin(&setting, "talk");
    assert_true(run(&setting, texts, &fault));
    for (int i = 0; i < PG_DUMP_SECTIONS; i++) {
        assert_memory_equal(texts[i].data, "SELECT 0;\nSELECT 1;\n", 20);
        assert_string_equal((char *) texts[i].data + texts[i].size - 15, "SELECT 99999;\n");
    }
    texts_free(texts);
    setting_end(&setting);
}

/* More complaints than a pipe holds. */
static void
test_complaints(void **state)
{
    struct setting setting;
    struct bytes texts[PG_DUMP_SECTIONS] = {0};
    struct fault fault = {0};
    (void) state;

    setting_begin(&setting, "complain");
    assert_true(run(&setting, texts, &fault));
    texts_free(texts);
    setting_end(&setting);
}

static void
check_failure(const char *does, enum err err, const char *sentence)
{
    struct setting setting;
    struct bytes texts[PG_DUMP_SECTIONS] = {0};
    struct fault fault = {0};

    setting_begin(&setting, does);
    assert_false(run(&setting, texts, &fault));
    assert_int_equal(fault.err, err);
    assert_string_equal(fault.text, sentence);
    texts_free(texts);
    setting_end(&setting);
}

/* A child that says that it did well, but has not written every section, has not done well. */
static void
test_failures(void **state)
{
    (void) state;
    check_failure("fail", ERR_SOURCE, "unable to dump the schema: pg_dump: error: no rights;"
                                      "pg_dump: detail: none at all");
    check_failure("die", ERR_SOURCE, "pg_dump was ended by signal 9: ");
    check_failure("nothing", ERR_INTERNAL, "pg_dump ended in section 1 of 3");
    check_failure("break off", ERR_INTERNAL, "pg_dump ended in section 2 of 3");
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
    struct bytes texts[PG_DUMP_SECTIONS] = {0};
    struct fault fault = {0};
    pthread_t thread;
    (void) state;

    setting_begin(&setting, "sleep");
    pthread_create(&thread, NULL, stop_soon, &setting.stop);
    assert_false(run(&setting, texts, &fault));
    texts_free(texts);
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
    pg_dump_close(&setting.dump);
    open_it(&setting);
    struct stage *stage = pg_dump_section(&setting.dump);
    pg_dump_close(&setting.dump);
    assert_int_equal(stage_step(stage, &source, &target, true, &fault), STEP_AGAIN);
    pg_dump_close(&setting.dump);
    pg_dump_close(&setting.dump);
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
        struct bytes texts[PG_DUMP_SECTIONS] = {0};
        struct fault fault = {0};
        setting_begin(&setting, "tell");
        few = before;
        few.rlim_cur = (rlim_t) (dup(STDIN_FILENO) + room);
        close((int) few.rlim_cur - room);
        setrlimit(RLIMIT_NOFILE, &few);
        bool done = run(&setting, texts, &fault);
        setrlimit(RLIMIT_NOFILE, &before);
        texts_free(texts);
        assert_false(done);
        assert_int_equal(fault.err, ERR_INTERNAL);
        setting_end(&setting);
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_gets),
        cmocka_unit_test(test_large_objects_where_they_are_taken), cmocka_unit_test(test_sections),
        cmocka_unit_test(test_long_output),  cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_failures),     cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_freed_early),  cmocka_unit_test(test_no_descriptors),
    };

    if (argc > 1 && strcmp(argv[0], "pg_dump") == 0)
        return child_main(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
