/* command - which command is meant, and whether what it needs stands at its two ends. */
#include <string.h>

#include "env/env_table.h"

const struct command_row command_rows[COMMANDS_COUNT] = {
    [COMMAND_NONE] = {.name = ""},
#define COMMAND(code, name, run, from, to, sentence) [code] = {name, from, to, sentence},
#include "env/command.def"
#undef COMMAND
};

static const char *const end_words[] = {
    [END_POSTGRES] = "a database (postgres://user@host/name)",
    [END_STORE] = "a store (s3://bucket/prefix or file:///dir)",
    [END_STDOUT] = "stdout:",
    [END_EITHER_STORE] = "a store (s3://bucket/prefix or file:///dir)",
};

enum command
command_find(const char *name)
{
    for (size_t i = COMMAND_NONE + 1; i < COMMANDS_COUNT; i++)
        if (strcmp(command_rows[i].name, name) == 0)
            return (enum command) i;
    return COMMAND_NONE;
}

const char *
env_command_name(enum command command)
{
    return command_rows[command].name;
}

bool
command_is_reference(const struct env *env)
{
    return env->command == COMMAND_HELP || env->command == COMMAND_VERSION ||
           env->command == COMMAND_TRANSFORMERS || (env->command == COMMAND_ENV && env->markdown);
}

static void
unknown_command(struct env *env, const char *name)
{
    const char *nearest = name_nearest_command(name);
    const char *shown = env_shown(env, NULL, env_place_safe(&env->arena, name));

    if (nearest != NULL)
        env_mistake(env, "%s is no command; did you mean %s?", shown, nearest);
    else
        env_mistake(env, "%s is no command; `replica help` lists them", shown);
}

/* Take the command from the arguments.  Returns false when what stands there is a mistake. */
static bool
arguments_read(struct env *env, char *const *arguments)
{
    const char *name = arguments[0];
    if (name == NULL)
        return true;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";

    env->command = command_find(name);
    if (env->command == COMMAND_NONE) {
        unknown_command(env, name);
        return false;
    }
    const char *extra = arguments[1];
    if (extra != NULL && env->command == COMMAND_ENV && strcmp(extra, "--markdown") == 0) {
        env->markdown = true;
        extra = arguments[2];
    }
    if (extra != NULL) {
        env->markdown = false;
        env_mistake(env, "unexpected argument %s: all but the command is said by variables",
                    env_shown(env, NULL, env_place_safe(&env->arena, extra)));
    }
    return true;
}

static const char *
url_shown(struct env *env, const char *url)
{
    return *url == '\0' ? "not set" : env_shown(env, &env_rows[ENV_VARIABLE_from], url);
}

static bool
end_fits(enum command_end end, const char *url)
{
    enum place place = env_place(url);

    switch (end) {
    case END_POSTGRES:
        return place == PLACE_POSTGRES;
    case END_STORE:
    case END_EITHER_STORE:
        return env_place_is_store(place);
    case END_STDOUT:
        return place == PLACE_STDOUT;
    case END_ANY:
        break;
    }
    return true;
}

static bool
ends_are_right(const struct env *env)
{
    return env->origins[ENV_VARIABLE_from] != ENV_WRONG &&
           env->origins[ENV_VARIABLE_to] != ENV_WRONG;
}

/* Find the command whose ends these are. */
static void
command_infer(struct env *env)
{
    for (size_t i = COMMAND_NONE + 1; i < COMMANDS_COUNT; i++) {
        const struct command_row *row = &command_rows[i];
        if (row->from != END_ANY && row->from != END_EITHER_STORE &&
            end_fits(row->from, env->from) && end_fits(row->to, env->to)) {
            env->command = (enum command) i;
            return;
        }
    }

    const char *from = url_shown(env, env->from), *to = url_shown(env, env->to);
    if (*env->from == '\0' && *env->to == '\0')
        env_mistake(env, "nothing to do: set REPLICA_FROM and REPLICA_TO, or name a command; "
                         "`replica help` says more");
    else if (*env->from == '\0' || *env->to == '\0')
        env_mistake(env, "REPLICA_FROM is %s and REPLICA_TO is %s; set both, or name a command",
                    from, to);
    else
        env_mistake(env,
                    "no command leads from REPLICA_FROM, %s, to REPLICA_TO, %s; "
                    "`replica help` lists them",
                    from, to);
}

static void
end_check(struct env *env, enum command_end end, enum env_variable variable, const char *url)
{
    if (env->origins[variable] == ENV_WRONG || end_fits(end, url))
        return;
    env_mistake(env, "%s needs %s in %s, which is %s", env_command_name(env->command),
                end_words[end], env_rows[variable].name, url_shown(env, url));
}

static void
ends_check(struct env *env)
{
    const struct command_row *row = &command_rows[env->command];

    if (row->to == END_STDOUT && env->origins[ENV_VARIABLE_to] == ENV_DEFAULT)
        env->to = "stdout:";
    if (row->from == END_EITHER_STORE || row->from == END_ANY) {
        if (end_fits(END_STORE, env->from))
            env->store = env->from;
        else if (end_fits(END_STORE, env->to))
            env->store = env->to;
        else if (row->from == END_EITHER_STORE && ends_are_right(env))
            env_mistake(env, "%s needs %s in REPLICA_FROM or REPLICA_TO, which are %s and %s",
                        env_command_name(env->command), end_words[END_STORE],
                        url_shown(env, env->from), url_shown(env, env->to));
        return;
    }
    end_check(env, row->from, ENV_VARIABLE_from, env->from);
    end_check(env, row->to, ENV_VARIABLE_to, env->to);
    if (row->from == END_STORE || row->to == END_STORE)
        env->store = row->from == END_STORE ? env->from : env->to;
}

/* What a dump holds was decided when it was made.  Who names rules or tables at a restore believes
 * that they hold, so to pass over them in silence would show what should have been hidden. */
static void
choices_check(struct env *env)
{
    static const enum env_variable choices[] = {
        ENV_VARIABLE_tables,
        ENV_VARIABLE_skip_tables,
        ENV_VARIABLE_skip_data,
        ENV_VARIABLE_transform,
    };

    if (env->command != COMMAND_RESTORE && env->command != COMMAND_EXPORT &&
        (env->command != COMMAND_CHECK || !env_place_is_store(env_place(env->from))))
        return;
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (env->origins[choices[i]] == ENV_GIVEN || env->origins[choices[i]] == ENV_FILE)
            env_mistake(env, "%s is set, but %s takes all of a dump as it is; set it for the dump",
                        env_rows[choices[i]].name, env_command_name(env->command));
}

/* A command that looks at nothing may differ from REPLICA_COMMAND: inside the pod of a dump,
 * `replica env` is the question what that dump would do. */
void
command_choose(struct env *env, char *const *arguments)
{
    if (!arguments_read(env, arguments) || env->origins[ENV_VARIABLE_command_given] == ENV_WRONG)
        return;

    enum command given = command_find(env->command_given);
    if (env->command == COMMAND_NONE)
        env->command = given;
    else if (given != COMMAND_NONE && given != env->command &&
             command_rows[env->command].from != END_ANY)
        env_mistake(env, "the argument says %s, but REPLICA_COMMAND says %s; leave one of them out",
                    env_command_name(env->command), env_command_name(given));

    if (env->command == COMMAND_NONE && ends_are_right(env))
        command_infer(env);
    if (env->command != COMMAND_NONE)
        ends_check(env);
    choices_check(env);
}
