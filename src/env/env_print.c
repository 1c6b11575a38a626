/* env_print - the tables as people read them: env, help, and docs/configuration.md. */
#include <string.h>

#include "base/fault.h"
#include "base/tame.h"
#include "env/env_table.h"

enum {
    HELP_COLUMNS = 100,
    HELP_INDENT = 6,
};

static const struct {
    int status;
    bool retry;
    enum err err;
} exits[] = {
#define ERR(code, name, status, transient) {status, transient, code},
#include "base/err.def"
#undef ERR
};

static const char *const exit_sentences[] = {
    [ERR_NONE] = "done: everything arrived and was checked",
    [ERR_INTERNAL] = "a fault of replica itself, or of the machine",
    [ERR_CONFIG] = "a variable, a rule, a pattern or the command is wrong",
    [ERR_SOURCE] = "the source database failed, or could not be reached",
    [ERR_TARGET] = "the destination failed, or could not be reached; also stdout",
    [ERR_STORE] = "the store failed, could not be reached, or has no such dump",
    [ERR_INTEGRITY] = "a stored object is damaged, cut short, missing, or not the one it should be",
    [ERR_LOCKED] = "in conflict with another run, or with what the destination already holds",
    [ERR_SLOT] = "the replication slot is lost",
    [ERR_STOPPED] = "stopped by SIGINT; 143 by SIGTERM",
};
_Static_assert(sizeof exit_sentences / sizeof *exit_sentences == sizeof exits / sizeof *exits,
               "each kind of failure has its sentence");

static void
add_spaces(struct text *text, size_t count)
{
    while (count-- > 0)
        text_add(text, " ");
}

static void
add_origin(enum env_origin origin, struct text *text)
{
    static const char *const words[] = {
        [ENV_DEFAULT] = "  (default)",
        [ENV_GIVEN] = "",
        [ENV_FILE] = "  (from its _FILE)",
        [ENV_WRONG] = "",
    };
    text_add(text, words[origin]);
}

/* Add a value whose further lines stand below its first one. */
static void
add_lines(const char *value, size_t indent, struct text *text)
{
    for (;;) {
        size_t length = strcspn(value, "\n");
        struct text line = {0};
        text_add_bytes(&line, value, length);
        text_add_tame(text, text_of(&line));
        text_free(&line);
        if (value[length] == '\0')
            return;
        text_add(text, "\n");
        add_spaces(text, indent);
        value += length + 1;
    }
}

static size_t
names_width(void)
{
    size_t width = 0;
    for (size_t i = 0; i < ENV_VARIABLES_COUNT; i++)
        if (strlen(env_rows[i].name) > width)
            width = strlen(env_rows[i].name);
    return width + 2;
}

static void
add_value(const char *name, const char *value, enum env_origin origin, struct text *text)
{
    size_t width = names_width(), size = strlen(name);

    text_add(text, name);
    add_spaces(text, size < width ? width - size : 2);
    add_lines(*value == '\0' ? "-" : value, width, text);
    if (*value != '\0')
        add_origin(origin, text);
    text_add(text, "\n");
}

void
env_add_value(const char *name, const char *value, struct text *text)
{
    add_value(name, value, ENV_GIVEN, text);
}

/* Those that are set.  An endpoint may hold a password, although none belongs there. */
static void
add_foreign_values(const struct env *env, struct text *text)
{
    struct arena arena = {0};

    for (size_t i = 0; i < FOREIGN_COUNT; i++) {
        const struct foreign_row *row = &foreign_rows[i];
        const char *value = foreign_value(env, row);
        if (*value == '\0')
            continue;
        if (strstr(value, "://") != NULL)
            value = env_place_safe(&arena, value);
        env_add_value(row->name, row->secret ? "(set, not shown)" : value, text);
    }
    arena_free(&arena);
}

void
env_add_values(const struct env *env, struct text *text)
{
    struct text value = {0};

    for (size_t i = 0; i < ENV_VARIABLES_COUNT; i++) {
        const struct env_row *row = &env_rows[i];
        text_clear(&value);
        if (row->secret && env->origins[i] != ENV_DEFAULT)
            text_add(&value, "(set, not shown)");
        else
            env_value_add(env, row, &value);
        add_value(row->name, text_of(&value), env->origins[i], text);
    }
    text_free(&value);
    add_foreign_values(env, text);
}

/* Add a sentence in lines of at most HELP_COLUMNS. */
static void
add_folded(const char *sentence, struct text *text)
{
    size_t column = HELP_INDENT;

    add_spaces(text, HELP_INDENT);
    while (*sentence != '\0') {
        size_t length = strcspn(sentence, " ");
        if (column > HELP_INDENT && column + 1 + length > HELP_COLUMNS) {
            text_add(text, "\n");
            add_spaces(text, HELP_INDENT);
            column = HELP_INDENT;
        } else if (column > HELP_INDENT) {
            text_add(text, " ");
            column++;
        }
        text_add_bytes(text, sentence, length);
        column += length;
        sentence += length;
        sentence += *sentence == ' ';
    }
    text_add(text, "\n");
}

static void
help_commands(struct text *text)
{
    text_add(text, "Commands:\n");
    for (size_t i = COMMAND_NONE + 1; i < COMMANDS_COUNT; i++)
        text_addf(text, "  %-13s %s\n", command_rows[i].name, command_rows[i].sentence);
}

static void
help_variables(struct text *text)
{
    struct text allowed = {0};

    text_add(text, "\nVariables; each X also as X_FILE, the path of a file with the value:\n");
    for (size_t i = 0; i < ENV_VARIABLES_COUNT; i++) {
        const struct env_row *row = &env_rows[i];
        text_clear(&allowed);
        env_value_add_allowed(row, &allowed);
        text_addf(text, "  %s", row->name);
        if (row->type != TYPE_COMMAND)
            text_addf(text, " = %s", text_of(&allowed));
        if (*row->standard != '\0')
            text_addf(text, " (default %s)", row->standard);
        text_add(text, "\n");
        add_folded(row->sentence, text);
    }
    text_free(&allowed);
}

void
env_add_help(struct text *text)
{
    text_add(
        text,
        "replica moves a PostgreSQL database through a store, hiding what must not be seen.\n\n"
        "  REPLICA_FROM=postgres://me@source/shop REPLICA_TO=s3://bucket/shop replica\n"
        "  REPLICA_FROM=postgres://me@source/shop REPLICA_TO=file:///backup replica\n"
        "  REPLICA_FROM=file:///backup REPLICA_TO=postgres://me@target/shop replica\n"
        "  REPLICA_FROM=file:///backup replica list\n\n"
        "Usage: replica [command]\n\n");
    help_commands(text);
    help_variables(text);
    text_add(text, "\nPGHOST, PGPASSWORD, PGSSLMODE and all others of libpq keep their meaning;\n"
                   "there is also PGPASSWORD_FILE.\n"
                   "AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL_S3 and the others of Amazon's\n"
                   "SDKs that concern S3 keep theirs; docs/configuration.md lists them.\n"
                   "\nExit status:\n");
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++)
        text_addf(text, "  %3d  %s\n", exits[i].status, exit_sentences[exits[i].err]);
}

/* A cell: a bar ends it, unless escaped. */
static void
add_cell(const char *value, struct text *text)
{
    text_add(text, "| ");
    for (; *value != '\0'; value++) {
        if (*value == '|')
            text_add(text, "\\");
        text_add_bytes(text, value, 1);
    }
    text_add(text, " ");
}

static const char *
end_word(enum command_end end)
{
    static const char *const words[] = {
        [END_ANY] = "–",
        [END_POSTGRES] = "database",
        [END_STORE] = "store",
        [END_STDOUT] = "`stdout:`",
        [END_EITHER_STORE] = "store in one of the two",
    };
    return words[end];
}

static void
markdown_commands(struct text *text)
{
    text_add(text, "## Commands\n\n"
                   "`replica` alone infers `dump`, `restore` or `export` from the two ends. A\n"
                   "command can also be the first argument, or `REPLICA_COMMAND`. `--help` and\n"
                   "`--version` work, too; `replica env --markdown` prints this page.\n\n"
                   "| command | `REPLICA_FROM` | `REPLICA_TO` | does |\n|---|---|---|---|\n");
    for (size_t i = COMMAND_NONE + 1; i < COMMANDS_COUNT; i++) {
        const struct command_row *row = &command_rows[i];
        text_addf(text, "| `%s` | %s | %s ", row->name, end_word(row->from),
                  row->from == END_EITHER_STORE ? "" : end_word(row->to));
        add_cell(row->sentence, text);
        text_add(text, "|\n");
    }
}

static void
markdown_row(const struct env_row *row, struct text *text)
{
    struct text allowed = {0};

    env_value_add_allowed(row, &allowed);
    text_addf(text, "| `%s` ", row->name);
    add_cell(row->type == TYPE_COMMAND ? "a command" : text_of(&allowed), text);
    add_cell(*row->standard == '\0' ? "–" : row->standard, text);
    add_cell(row->commands, text);
    add_cell(row->sentence, text);
    text_add(text, "|\n");
    text_free(&allowed);
}

static void
markdown_variables(struct text *text)
{
    const char *section = "";

    text_add(text,
             "\n## Variables\n\n"
             "- An empty value is the same as none.\n"
             "- `X_FILE` instead of `X` names a file that holds the value, for every variable\n"
             "  of replica's own. One newline at its end is dropped, also CRLF. It may hold 1 MiB\n"
             "  and no zero byte. Both set, a file that cannot be read and a file that is\n"
             "  empty are mistakes.\n"
             "- A variable that starts with `REPLICA_` and does not stand here is a mistake;\n"
             "  the nearest name is suggested. Those that Kubernetes sets for a Service called\n"
             "  `replica` or `replica-…` are ignored.\n"
             "- All mistakes are reported at once, before anything is touched; the exit status\n"
             "  is 2.\n"
             "- Sizes are bytes, or take `KiB`, `MiB`, `GiB`, or `K`, `M`, `G` for the same\n"
             "  powers of 1024.\n"
             "- `restore` and `export` take all of a dump as it is: to set tables or rules for\n"
             "  them is a mistake, not something that is passed over.\n"
             "- `replica env` shows what holds; passwords inside of URLs are left out.\n");
    for (size_t i = 0; i < ENV_VARIABLES_COUNT; i++) {
        const struct env_row *row = &env_rows[i];
        if (strcmp(section, row->section) != 0) {
            section = row->section;
            text_addf(text, "\n### %s\n\n", section);
            text_add(text, "| variable | allowed | default | commands | meaning |\n"
                           "|---|---|---|---|---|\n");
        }
        markdown_row(row, text);
    }
}

static void
markdown_libpq(struct text *text)
{
    text_add(text,
             "\n## Variables of libpq\n\n"
             "`PGHOST`, `PGPORT`, `PGDATABASE`, `PGUSER`, `PGPASSWORD`, `PGPASSFILE`,\n"
             "`PGSERVICE`, `PGOPTIONS`, `PGSSLMODE`, `PGSSLROOTCERT`, `PGCONNECT_TIMEOUT` and\n"
             "the others of libpq keep their documented meaning. They fill what a `postgres://`\n"
             "URL leaves open; `postgres:` takes everything from them. They hold for whichever\n"
             "end is a database.\n\n"
             "`PGPASSWORD_FILE` is ours: a file with nothing but the password, under the rules\n"
             "of `X_FILE` above.\n");
}

static void
markdown_foreign(struct text *text)
{
    text_add(text,
             "\n## Variables of Amazon's SDKs\n\n"
             "They keep their documented meaning, and hold for a store that is `s3://…`.\n"
             "There are no files of profiles. Keys come from the first of these that is set\n"
             "up: the environment, a web identity, a container's endpoint, an instance's\n"
             "metadata. An empty value is the same as none; a wrong one is a mistake when one\n"
             "of the two ends is S3.\n\n"
             "| variable | allowed | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < FOREIGN_COUNT; i++) {
        struct text allowed = {0};
        foreign_add_allowed(&foreign_rows[i], &allowed);
        text_addf(text, "| `%s` ", foreign_rows[i].name);
        add_cell(text_of(&allowed), text);
        text_free(&allowed);
        add_cell(foreign_rows[i].sentence, text);
        text_add(text, "|\n");
    }
}

static void
markdown_exits(struct text *text)
{
    text_add(text,
             "\n## Exit status\n\n"
             "The numbers are a promise and do not change. \"Retry\" says whether the same run\n"
             "may succeed later without anybody changing anything.\n\n"
             "| status | kind | retry | means |\n|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
        text_addf(text, "| %d | %s | %s ", exits[i].status, err_name(exits[i].err),
                  exits[i].retry ? "yes" : "no");
        add_cell(exit_sentences[exits[i].err], text);
        text_add(text, "|\n");
    }
    text_add(text,
             "\nThe last error is also written to `/dev/termination-log`, where Kubernetes looks\n"
             "for it, if that file is there.\n");
}

void
env_add_markdown(struct text *text)
{
    text_add(text,
             "<!-- Made by `replica env --markdown` from src/env/env.def and its neighbours. -->\n"
             "# Configuration\n\n"
             "Everything is said by environment variables. There are no configuration files,\n"
             "and no flags.\n\n");
    markdown_commands(text);
    markdown_variables(text);
    markdown_libpq(text);
    markdown_foreign(text);
    markdown_exits(text);
}
