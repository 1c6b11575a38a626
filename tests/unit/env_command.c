/* Which command is meant, what it needs, and how a place is shown. */
#include <string.h>

#include "env/env_table.h"
#include "support.h"

static const char *const FROM[] = {"", "REPLICA_FROM=postgres:", "REPLICA_FROM=file:///d",
                                   "REPLICA_FROM=stdout:"};
static const char *const TO[] = {"", "REPLICA_TO=postgres:", "REPLICA_TO=file:///d",
                                 "REPLICA_TO=stdout:"};
enum { UNSET, POSTGRES, DIRECTORY, STDOUT };

/* The command that arguments and variables lead to, or COMMAND_NONE when it is a mistake. */
static enum command
choose(const char *one, const char *two, const char *three, const char *from, const char *to)
{
    char *const arguments[] = {(char *) one, (char *) two, (char *) three, NULL};
    char *const variables[] = {(char *) from, (char *) to, NULL};
    struct env env;
    bool ok = env_read(&env, arguments, variables);
    enum command command = env.command;

    assert_true(ok || env.mistakes.size > 0);
    assert_true(!ok || command != COMMAND_NONE);
    env_free(&env);
    return ok ? command : COMMAND_NONE;
}

static void
inferred(void **state)
{
    (void) state;
    for (int from = UNSET; from <= STDOUT; from++)
        for (int to = UNSET; to <= STDOUT; to++) {
            enum command wanted = COMMAND_NONE;
            if (from == POSTGRES && to == DIRECTORY)
                wanted = COMMAND_DUMP;
            if (from == DIRECTORY && to == POSTGRES)
                wanted = COMMAND_RESTORE;
            if (from == DIRECTORY && to == STDOUT)
                wanted = COMMAND_EXPORT;
            if (from == POSTGRES && to == POSTGRES)
                wanted = COMMAND_COPY;
            assert_int_equal(choose(NULL, NULL, NULL, FROM[from], TO[to]), wanted);
        }
}

static void
named(void **state)
{
    (void) state;
    for (int from = UNSET; from <= STDOUT; from++)
        for (int to = UNSET; to <= STDOUT; to++) {
            bool dump = from == POSTGRES && to == DIRECTORY;
            bool restore = from == DIRECTORY && to == POSTGRES;
            bool copy = from == POSTGRES && to == POSTGRES;
            bool export = from == DIRECTORY && (to == UNSET || to == STDOUT);
            bool list = from == DIRECTORY || to == DIRECTORY;
            const char *f = FROM[from], *t = TO[to];
            assert_int_equal(choose("dump", NULL, NULL, f, t) == COMMAND_DUMP, dump);
            assert_int_equal(choose("restore", NULL, NULL, f, t) == COMMAND_RESTORE, restore);
            assert_int_equal(choose("copy", NULL, NULL, f, t) == COMMAND_COPY, copy);
            assert_int_equal(choose("export", NULL, NULL, f, t) == COMMAND_EXPORT, export);
            assert_int_equal(choose("list", NULL, NULL, f, t) == COMMAND_LIST, list);
            assert_int_equal(choose("show", NULL, NULL, f, t) == COMMAND_SHOW, list);
            assert_int_equal(choose("env", NULL, NULL, f, t), COMMAND_ENV);
        }
}

static void
arguments(void **state)
{
    const char *from = "REPLICA_FROM=file:///a", *to = "REPLICA_TO=file:///b";
    (void) state;

    assert_int_equal(choose("--help", NULL, NULL, "", ""), COMMAND_HELP);
    assert_int_equal(choose("-h", NULL, NULL, "", ""), COMMAND_HELP);
    assert_int_equal(choose("--version", NULL, NULL, "REPLICA_JOBS=x", ""), COMMAND_VERSION);
    assert_int_equal(choose("env", NULL, NULL, "REPLICA_JOBS=x", ""), COMMAND_NONE);
    assert_int_equal(choose("env", "--markdown", NULL, "REPLICA_JOBS=x", ""), COMMAND_ENV);
    assert_int_equal(choose("env", "--markdown", "x", "REPLICA_JOBS=x", ""), COMMAND_NONE);
    assert_int_equal(choose("list", "x", NULL, from, to), COMMAND_NONE);
    assert_int_equal(choose("lst", NULL, NULL, from, to), COMMAND_NONE);
    assert_int_equal(choose("", NULL, NULL, from, to), COMMAND_NONE);
    assert_int_equal(choose("list", NULL, NULL, "REPLICA_COMMAND=show", to), COMMAND_NONE);
    assert_int_equal(choose("list", NULL, NULL, "REPLICA_COMMAND=list", to), COMMAND_LIST);
    assert_int_equal(choose(NULL, NULL, NULL, "REPLICA_COMMAND=list", to), COMMAND_LIST);
    assert_int_equal(choose("env", NULL, NULL, "REPLICA_COMMAND=dump", to), COMMAND_ENV);
}

static void
stores(void **state)
{
    char *const list[] = {"list", NULL}, *const export[] = {"export", NULL};
    char *const both[] = {"REPLICA_TO=file:///b", "REPLICA_FROM=file:///a", NULL};
    struct env env;
    (void) state;

    assert_true(env_read(&env, list, both));
    assert_string_equal(env.store, "file:///a");
    env_free(&env);
    assert_true(env_read(&env, export, both + 1));
    assert_string_equal(env.to, "stdout:");
    assert_string_equal(env.store, "file:///a");
    env_free(&env);
}

#define STORE "a store (s3://bucket/prefix or file:///dir)"

static void
sentence(const char *wanted, const char *argument, const char *from, const char *to)
{
    char *const list[] = {(char *) argument, NULL};
    char *const variables[] = {(char *) from, (char *) to, NULL};
    struct env env;

    assert_false(env_read(&env, list, variables));
    assert_string_equal(text_of(&env.mistakes), wanted);
    env_free(&env);
}

static void
sentences(void **state)
{
    const char *from = "REPLICA_FROM=postgres://me:secret@h/d";
    (void) state;

    sentence("nothing to do: set REPLICA_FROM and REPLICA_TO, or name a command; `replica help` "
             "says more",
             NULL, "", "");
    sentence("REPLICA_FROM is 'postgres://me@h/d' and REPLICA_TO is not set; set both, or name a "
             "command",
             NULL, from, "");
    sentence("no command leads from REPLICA_FROM, 'postgres://me@h/d', to REPLICA_TO, 'stdout:'; "
             "`replica help` lists them",
             NULL, from, "REPLICA_TO=stdout:");
    sentence("dump needs " STORE " in REPLICA_TO, which is not set", "dump", from, "");
    sentence("restore needs " STORE " in REPLICA_FROM, which is 'postgres://me@h/d'\n"
             "restore needs a database (postgres://user@host/name) in REPLICA_TO, which is "
             "'stdout:'",
             "restore", from, "REPLICA_TO=stdout:");
    sentence("list needs " STORE " in REPLICA_FROM or REPLICA_TO, which are "
             "'postgres://me@h/d' and not set",
             "list", from, "");
    sentence("restore needs a database (postgres://user@host/name) in REPLICA_TO, which is not "
             "set\nREPLICA_TRANSFORM is set, but restore takes all of a dump as it is; set it for "
             "the dump",
             "restore", "REPLICA_FROM=file:///d", "REPLICA_TRANSFORM=a.b.c null");
    sentence("'dmup' is no command; did you mean dump?", "dmup", "", "");
    sentence("'postgres://me@h' is no command; `replica help` lists them", "postgres://me:pw@h",
             "", "");
    sentence("the argument says list, but REPLICA_COMMAND says dump; leave one of them out", "list",
             "REPLICA_COMMAND=dump", "REPLICA_TO=file:///d");
}

static void
places(void **state)
{
    (void) state;
    assert_int_equal(env_place(""), PLACE_NONE);
    assert_int_equal(env_place("postgres:"), PLACE_POSTGRES);
    assert_int_equal(env_place("postgres://"), PLACE_POSTGRES);
    assert_int_equal(env_place("postgresql://h"), PLACE_POSTGRES);
    assert_int_equal(env_place("postgres:x"), PLACE_UNKNOWN);
    assert_int_equal(env_place("file:///d"), PLACE_DIR);
    assert_int_equal(env_place("file://d"), PLACE_UNKNOWN);
    assert_int_equal(env_place("stdout:"), PLACE_STDOUT);
    assert_int_equal(env_place("stdout:x"), PLACE_UNKNOWN);
    assert_int_equal(env_place("s3://b"), PLACE_S3);
    assert_int_equal(env_place("host=h"), PLACE_UNKNOWN);
}

/* The last word of each URL that holds one is "pw" or begins so: it must never be seen. */
static void
safe_places(void **state)
{
    static const struct {
        const char *url, *safe;
    } cases[] = {
        {"", ""},
        {"postgres:", "postgres:"},
        {"stdout:", "stdout:"},
        {"file:///a@b:c?d", "file:///a@b:c?d"},
        {"/backup", "/backup"},
        {"postgres://h", "postgres://h"},
        {"postgres://h:5432/d", "postgres://h:5432/d"},
        {"postgres://a:1,[::1]:2/d", "postgres://a:1,[::1]:2/d"},
        {"postgres://me@h/d", "postgres://me@h/d"},
        {"postgres://me:pw@h:1/d", "postgres://me@h:1/d"},
        {"postgres://me:pw@@h/d", "postgres://..."},
        {"postgres://me:pw/x@h/d", "postgres://..."},
        {"postgres://me:pw?x@h/d", "postgres://..."},
        {"postgres://me:12/pw@h/d", "postgres://..."},
        {"postgres://me:pw", "postgres://..."},
        {"postgres://:pw@h/d", "postgres://@h/d"},
        {"postgres://me:pw@h/d?user=a@b&x=y", "postgres://..."},
        {"postgres://h/d?user=a@b", "postgres://h/d?user=a@b"},
        {"postgres://h/d?password=pw", "postgres://h/d"},
        {"postgres://h/d?x=1&password=pw&y=2", "postgres://..."},
        {"postgres:///d?sslpassword=pw", "postgres:///d"},
        {"postgres:///d?pass%77ord=pw", "postgres:///d"},
        {"postgres:///d?oauth_client_secret=pw&host=/tmp", "postgres:///d?host=/tmp"},
        {"postgres:///d?pw", "postgres://..."},
        {"postgres:///d?", "postgres:///d"},
        {"postgres:me:pw", "..."},
        {"host=h password=pw", "..."},
        {"password=pw://x", "..."},
        {"me:pw@h", "..."},
        {"mysql://me:pw@h/d", "mysql://me@h/d"},
        {"mysql://me:pw/x@h/d?password=pw", "mysql://me@h/d"},
        {"postgres://h/\033[31m\n", "postgres://..."},
    };
    struct arena arena = {0};
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(env_place_safe(&arena, cases[i].url), cases[i].safe);
    arena_free(&arena);
}

static void
near_names(void **state)
{
    struct arena arena = {0};
    (void) state;

    assert_string_equal(name_nearest(&arena, "REPLICA_JBOS"), "REPLICA_JOBS");
    assert_string_equal(name_nearest(&arena, "REPLICA_TRANSFORMS"), "REPLICA_TRANSFORM");
    assert_string_equal(name_nearest(&arena, "REPLICA_TRANSFORM_FIEL"), "REPLICA_TRANSFORM_FILE");
    assert_string_equal(name_nearest(&arena, "REPLICA_tables"), "REPLICA_TABLES");
    assert_string_equal(name_nearest(&arena, "REPLICA_FORM"), "REPLICA_FROM");
    assert_null(name_nearest(&arena, "REPLICA_SOMETHING_ELSE"));
    assert_null(name_nearest(&arena, "REPLICA_"));
    assert_string_equal(name_nearest_command("resotre"), "restore");
    assert_null(name_nearest_command("frobnicate"));
    arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inferred),  cmocka_unit_test(named),       cmocka_unit_test(arguments),
        cmocka_unit_test(stores),    cmocka_unit_test(sentences),   cmocka_unit_test(places),
        cmocka_unit_test(near_names), cmocka_unit_test(safe_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
