/* The walk over the variables: values, files, names, mistakes. */
#include "env/env.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static char *const no_arguments[] = {NULL};

/* Read with a command and up to 15 variables; the rest are NULL. */
static bool
read_with(struct env *env, const char *command, const char *const *variables)
{
    char *arguments[] = {(char *) command, NULL};
    return env_read(env, command == NULL ? no_arguments : arguments, (char *const *) variables);
}

#define READ(env, command, ...) \
    read_with(env, command, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

#define DUMP_ENDS "REPLICA_FROM=postgres:", "REPLICA_TO=file:///d"

/* The mistakes of one set of variables are exactly these lines. */
#define assert_mistakes(lines, command, ...)                    \
    do {                                                        \
        struct env wrong_;                                      \
        assert_false(READ(&wrong_, command, __VA_ARGS__));      \
        assert_string_equal(text_of(&wrong_.mistakes), lines);  \
        env_free(&wrong_);                                      \
    } while (0)

/* Make a file and return "NAME=path"; name is "REPLICA_X_FILE". */
static char file_path[] = "/tmp/replica-env-XXXXXX";
static char file_variable[128];

static const char *
file_with(const char *name, const void *bytes, size_t size)
{
    memset(file_path + strlen(file_path) - 6, 'X', 6);
    int fd = mkstemp(file_path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    snprintf(file_variable, sizeof file_variable, "%s=%s", name, file_path);
    return file_variable;
}

static void
defaults(void **state)
{
    struct env env;
    (void) state;

    assert_true(READ(&env, NULL, DUMP_ENDS));
    assert_int_equal(env.command, COMMAND_DUMP);
    assert_string_equal(env.store, "file:///d");
    assert_string_equal(env.tables, "");
    assert_string_equal(env.skip_tables, "");
    assert_string_equal(env.skip_data, "");
    assert_string_equal(env.transform, "");
    assert_string_equal(env.dump, "latest");
    assert_string_equal(env.compression, "zstd:3");
    assert_true(env.compress && env.compress_level == 3);
    assert_false(env.clean || env.owners || env.privileges);
    assert_true(env.jobs >= 1 && env.jobs <= 8);
    assert_true(env.memory_bytes >= 1 << 20 && env.memory_bytes <= 256 << 20);
    assert_true(env.volume_bytes == 256 << 20);
    assert_true(env.log_format == LOG_TEXT && env.log_level == LOG_INFO);
    assert_int_equal(env.progress, PROGRESS_AUTO);
    env_free(&env);
}

static void
every_value(void **state)
{
    struct env env;
    (void) state;

    assert_true(READ(&env, "dump", DUMP_ENDS, "REPLICA_TABLES=a,b", "REPLICA_TRANSFORM=x y",
                     "REPLICA_COMPRESS=zstd:-5", "REPLICA_CLEAN=yes", "REPLICA_OWNERS=yes",
                     "REPLICA_PRIVILEGES=no", "REPLICA_JOBS=64", "REPLICA_MEMORY=64M",
                     "REPLICA_VOLUME_SIZE=5GiB", "REPLICA_LOG_FORMAT=json",
                     "REPLICA_LOG_LEVEL=debug", "REPLICA_PROGRESS=no", "REPLICA_DUMP=dump-1",
                     "REPLICA_LARGE_OBJECTS=no"));
    assert_string_equal(env.tables, "a,b");
    assert_int_equal(env.large_objects, ENV_LARGE_NO);
    assert_string_equal(env.transform, "x y");
    assert_true(env.compress && env.compress_level == -5);
    assert_true(env.clean && env.owners && !env.privileges);
    assert_int_equal(env.jobs, 64);
    assert_true(env.memory_bytes == 64 << 20 && env.volume_bytes == 5ull << 30);
    assert_true(env.log_format == LOG_JSON && env.log_level == LOG_DEBUG);
    assert_int_equal(env.progress, PROGRESS_NO);
    assert_string_equal(env.dump, "dump-1");
    env_free(&env);
}

static void
empty_is_not_set(void **state)
{
    struct env env;
    (void) state;

    assert_true(READ(&env, "dump", DUMP_ENDS, "REPLICA_JOBS=", "REPLICA_COMMAND=",
                     "REPLICA_TABLES_FILE=", "REPLICA_TYPO=", "REPLICA_LOG_LEVEL="));
    assert_int_equal(env.log_level, LOG_INFO);
    env_free(&env);
}

/* Each of these is wrong, alone. */
static void
wrong_values(void **state)
{
    static const char *const wrong[] = {
        "REPLICA_JOBS=0",          "REPLICA_JOBS=65",          "REPLICA_JOBS=-1",
        "REPLICA_JOBS=4x",         "REPLICA_JOBS= 4",          "REPLICA_JOBS=18446744073709551617",
        "REPLICA_MEMORY=many",     "REPLICA_MEMORY=1TiB",      "REPLICA_MEMORY=17179869184GiB",
        "REPLICA_MEMORY=MiB",      "REPLICA_MEMORY=1 MiB",     "REPLICA_MEMORY=1.5GiB",
        "REPLICA_MEMORY=1",        "REPLICA_VOLUME_SIZE=63K",  "REPLICA_VOLUME_SIZE=6G",
        "REPLICA_COMPRESS=zstd",   "REPLICA_COMPRESS=zstd:20", "REPLICA_COMPRESS=zstd:-6",
        "REPLICA_COMPRESS=gzip",   "REPLICA_COMPRESS=zstd:",   "REPLICA_COMPRESS=zstd:3 ",
        "REPLICA_COMPRESS=zstd:-", "REPLICA_COMPRESS=None",    "REPLICA_CLEAN=true",
        "REPLICA_CLEAN=YES",       "REPLICA_OWNERS=1",         "REPLICA_LOG_FORMAT=tex",
        "REPLICA_LOG_FORMAT=|",    "REPLICA_LOG_LEVEL=warn",   "REPLICA_PROGRESS=auto|yes",
        "REPLICA_COMMAND=dum",     "REPLICA_NAME=x",           "REPLICA_=x",
    };
    struct env env;
    (void) state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (READ(&env, "dump", DUMP_ENDS, wrong[i]))
            fail_msg("%s was taken", wrong[i]);
        assert_null(strchr(text_of(&env.mistakes), '\n'));
        env_free(&env);
    }
}

static void
all_mistakes_at_once(void **state)
{
    (void) state;
    assert_mistakes("'REPLICA_TABEL' is unknown; did you mean REPLICA_TABLES?\n"
                    "'REPLICA_XYZZY' is unknown; `replica help` lists the variables\n"
                    "REPLICA_COMPRESS is 'lz4'; allowed is none, zstd:-5 to zstd:19\n"
                    "REPLICA_VOLUME_SIZE is '1'; allowed is 64KiB to 5GiB\n"
                    "REPLICA_CLEAN is 'maybe'; allowed is yes or no\n"
                    "REPLICA_JOBS is 'all'; allowed is 1 to 64\n"
                    "REPLICA_LOG_LEVEL is 'loud'; allowed is error, warning, info or debug",
                    "dump", DUMP_ENDS, "REPLICA_JOBS=all", "REPLICA_CLEAN=maybe", "REPLICA_TABEL=x",
                    "REPLICA_XYZZY=1", "REPLICA_COMPRESS=lz4", "REPLICA_VOLUME_SIZE=1",
                    "REPLICA_LOG_LEVEL=loud");
}

static void
kubernetes_is_ignored(void **state)
{
    struct env env;
    (void) state;

    assert_true(READ(&env, "dump", DUMP_ENDS, "REPLICA_PORT=tcp://10.0.0.1:5432",
                     "REPLICA_PORT_5432_TCP=tcp://10.0.0.1:5432", "REPLICA_SERVICE_HOST=10.0.0.1",
                     "REPLICA_SERVICE_PORT_HTTP=80", "REPLICA_DB_SERVICE_HOST=10.0.0.1",
                     "REPLICA_DB_SERVICE_PORT=5432", "REPLICA_DB_SERVICE_PORT_PG=5432",
                     "REPLICA_DB_PORT=udp://10.0.0.1:5432",
                     "REPLICA_DB_PORT_5432_TCP_ADDR=10.0.0.1", "REPLICA_DB_PORT_53_SCTP_PROTO=sctp",
                     "REPLICAS=3", "MY_REPLICA_X=1"));
    env_free(&env);
    assert_false(READ(&env, "dump", DUMP_ENDS, "REPLICA_HTTP_PORT=80"));
    env_free(&env);
    assert_false(READ(&env, "dump", DUMP_ENDS, "REPLICA_DB_PORT_X_TCP=80"));
    env_free(&env);
}

static void
value_from_a_file(void **state)
{
    static const struct {
        const char *bytes, *value;
    } cases[] = {
        {"a.b", "a.b"},     {"a.b\n", "a.b"},         {"a.b\r\n", "a.b"}, {"a.b\n\n", "a.b\n"},
        {"a.b\r", "a.b\r"}, {"a.b\n\r\n", "a.b\n"}, {"\na", "\na"},
    };
    struct env env;
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *variable =
            file_with("REPLICA_TRANSFORM_FILE", cases[i].bytes, strlen(cases[i].bytes));
        assert_true(READ(&env, "dump", DUMP_ENDS, variable));
        assert_string_equal(env.transform, cases[i].value);
        assert_int_equal(env.origins[ENV_VARIABLE_transform], ENV_FILE);
        env_free(&env);
        unlink(file_path);
    }
}

static void
file_mistake(const char *variable, const char *other, const char *wanted)
{
    struct env env;

    assert_false(READ(&env, "dump", DUMP_ENDS, variable, other));
    if (strstr(text_of(&env.mistakes), wanted) == NULL)
        fail_msg("no '%s' in '%s'", wanted, text_of(&env.mistakes));
    env_free(&env);
}

static void
files_that_are_wrong(void **state)
{
    char *big = malloc(ENV_FILE_BYTES_MAX + 1);
    struct env env;
    (void) state;

    memset(big, 'x', ENV_FILE_BYTES_MAX + 1);
    file_mistake(file_with("REPLICA_TABLES_FILE", big, ENV_FILE_BYTES_MAX + 1), NULL, "1 MiB");
    unlink(file_path);
    assert_true(READ(&env, "dump", DUMP_ENDS,
                     file_with("REPLICA_TABLES_FILE", big, ENV_FILE_BYTES_MAX)));
    assert_int_equal(strlen(env.tables), ENV_FILE_BYTES_MAX);
    env_free(&env);
    unlink(file_path);
    free(big);

    file_mistake(file_with("REPLICA_TABLES_FILE", "a\0b", 3), NULL, "zero byte");
    file_mistake(file_variable, "REPLICA_TABLES=a", "both set");
    unlink(file_path);
    file_mistake(file_with("REPLICA_TABLES_FILE", "\n", 1), NULL, "is empty");
    unlink(file_path);
    file_mistake(file_with("REPLICA_JOBS_FILE", "x\n", 2), NULL, "REPLICA_JOBS is 'x'");
    unlink(file_path);
    file_mistake("REPLICA_TABLES_FILE=/no/such", NULL, "No such file");
    file_mistake("REPLICA_TABLES_FILE=/tmp", NULL, "unable to read '/tmp': Is a directory");
    file_mistake("REPLICA_TABLES_FILE=/dev/zero", NULL, "1 MiB");
}

static void
password_from_a_file(void **state)
{
    struct env env;
    (void) state;

    unsetenv("PGPASSWORD");
    assert_true(READ(&env, "dump", DUMP_ENDS, file_with("PGPASSWORD_FILE", "s3cret\r\n", 8)));
    assert_string_equal(env_foreign("PGPASSWORD"), "s3cret");
    env_free(&env);
    unsetenv("PGPASSWORD");
    file_mistake(file_variable, "PGPASSWORD=a", "PGPASSWORD and PGPASSWORD_FILE are both set");
    assert_null(env_foreign("PGPASSWORD"));
    unlink(file_path);
    file_mistake(file_variable, NULL, "PGPASSWORD_FILE: unable to read");
}

static void
wrong_places(void **state)
{
    (void) state;
    assert_mistakes("REPLICA_FROM is 'mysql://u@h/d'; allowed is postgres://…, postgres:, "
                    "s3://bucket/prefix, file:///dir",
                    "dump", "REPLICA_FROM=mysql://u:secret@h/d", "REPLICA_TO=s3://b/p");
    assert_mistakes("REPLICA_TO is 'file://dir': a directory has three slashes and an absolute "
                    "path, file:///dir",
                    "dump", "REPLICA_FROM=postgres:", "REPLICA_TO=file://dir");
}

static void
long_and_wild_values_are_cut(void **state)
{
    struct env env;
    char variable[400] = "REPLICA_CLEAN=\033[31m\n";
    (void) state;

    memset(variable + strlen(variable), 'x', 300);
    assert_false(READ(&env, "dump", DUMP_ENDS, variable));
    assert_non_null(strstr(text_of(&env.mistakes), "xxx...'; allowed"));
    assert_non_null(strstr(text_of(&env.mistakes), "'\\x1b[31m\\nxxx"));
    assert_true(env.mistakes.size < 150);
    env_free(&env);
}

static void
printed(void **state)
{
    struct env env;
    struct text text = {0}, again = {0};
    (void) state;

    assert_true(READ(&env, "dump", "REPLICA_FROM=postgres://me:secret@h/d", "REPLICA_TO=file:///d",
                     "REPLICA_TRANSFORM=a\nb", "REPLICA_MEMORY=1500000"));
    env_add_values(&env, &text);
    assert_null(strstr(text_of(&text), "secret"));
    assert_non_null(strstr(text_of(&text), "postgres://me@h/d\n"));
    assert_non_null(strstr(text_of(&text), "zstd:3  (default)\n"));
    assert_non_null(strstr(text_of(&text), "256MiB  (default)\n"));
    assert_non_null(strstr(text_of(&text), "1500000\n"));
    assert_non_null(strstr(text_of(&text), "a\n                          b\n"));
    env_free(&env);

    text_clear(&text);
    env_add_help(&text);
    env_add_markdown(&again);
    for (size_t i = 0; i < 2; i++) {
        const char *page = text_of(i == 0 ? &text : &again);
        assert_non_null(strstr(page, "REPLICA_PROGRESS"));
        assert_non_null(strstr(page, "REPLICA_FROM"));
        assert_non_null(strstr(page, "transformers"));
        assert_non_null(strstr(page, "130"));
    }
    /* A dump carries both in any case; what comes back is decided on the way back. */
    assert_non_null(strstr(text_of(&again), "`REPLICA_OWNERS` | yes or no | no | restore, copy, "));
    assert_non_null(strstr(text_of(&again), "`REPLICA_PRIVILEGES` | yes or no | no | restore, "));
    text_free(&text);
    text_free(&again);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_value),
        cmocka_unit_test(empty_is_not_set),
        cmocka_unit_test(wrong_values),
        cmocka_unit_test(all_mistakes_at_once),
        cmocka_unit_test(kubernetes_is_ignored),
        cmocka_unit_test(value_from_a_file),
        cmocka_unit_test(files_that_are_wrong),
        cmocka_unit_test(password_from_a_file),
        cmocka_unit_test(wrong_places),
        cmocka_unit_test(long_and_wild_values_are_cut),
        cmocka_unit_test(printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
