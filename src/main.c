/* main - the front door: environment, command, exit status; nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tame.h"
#include "commands/commands.h"
#include "net/trust.h"

/* The linked-in pg_dump.  replica runs /proc/self/exe under this name as its own child. */
extern int pg_dump_main(int argc, char **argv);

enum { TERMINATION_BYTES_MAX = 4096 }; /* Kubernetes keeps no more */

static bool (*const runs[COMMANDS_COUNT])(const struct env *, struct stop *, struct fault *) = {
#define COMMAND(code, name, run, from, to, sentence) [code] = run,
#include "env/command.def"
#undef COMMAND
};

static bool
is_pg_dump(const char *path)
{
    const char *slash = path == NULL ? NULL : strrchr(path, '/');
    return path != NULL && strcmp(slash == NULL ? path : slash + 1, "pg_dump") == 0;
}

static const char *
variable_value(char *const *variables, const char *name)
{
    size_t size = strlen(name);

    for (; *variables != NULL; variables++)
        if (strncmp(*variables, name, size) == 0 && (*variables)[size] == '=')
            return *variables + size + 1;
    return NULL;
}

/* Passwords and rows are in our memory: it is neither written to a core file, nor read by another
 * process of the same user, also not that of pg_dump, which comes by here as well.  A kernel that
 * pipes cores to a program heeds only the second. */
static void
memory_hide(void)
{
    const struct rlimit nothing = {0};

    setrlimit(RLIMIT_CORE, &nothing);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* When stdin, stdout or stderr is closed, the next file to be opened would become it, and log lines
 * would end up in a dump.  A directory in their place refuses every byte. */
static void
standard_descriptors_hold(void)
{
    int fd;
    do
        fd = open("/", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Write where Kubernetes looks for the reason, if it has put a file there. */
static void
termination_write(const char *sentences)
{
    size_t size = strlen(sentences);
    int fd = open("/dev/termination-log", O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return;
    if (size > TERMINATION_BYTES_MAX)
        size = TERMINATION_BYTES_MAX;
    ssize_t written = write(fd, sentences, size);
    (void) written; /* the log line is the one that counts */
    close(fd);
}

/* Say why it failed, one log line per sentence. */
static int
fail(const char *sentences, int status)
{
    struct text all = {0}, one = {0};

    for (const char *at = sentences; *at != '\0'; at += *at == '\n') {
        size_t length = strcspn(at, "\n");
        text_clear(&one);
        text_add_bytes(&one, at, length);
        at += length;
        if (length == 0)
            continue;
        log_error("%s", text_of(&one));
        text_add(&all, all.size == 0 ? "" : "\n");
        text_add_tame(&all, text_of(&one));
    }
    termination_write(text_of(&all));
    text_free(&all);
    text_free(&one);
    return status;
}

static int
run(const struct env *env)
{
    struct stop stop;
    struct fault fault = {0};

    if (!stop_init(&stop, &fault))
        return fail(fault.text, err_exit_status(fault.err));
    stop_on_signals(&stop);
    if (runs[env->command](env, &stop, &fault))
        return 0;

    int status = err_exit_status(fault.err), number = atomic_load(&stop.signal);
    if (fault.err == ERR_STOPPED && number != 0) {
        fault_because(&fault, "by signal %d", number);
        status = 128 + number;
    }
    return fail(fault.text, status);
}

int
main(int argc, char **argv, char **variables)
{
    memory_hide();
    /* pg_dump opens connections of its own, and must believe the same authorities. */
    trust_system_set(variable_value(variables, "SSL_CERT_FILE"),
                     variable_value(variables, "SSL_CERT_DIR"));
    if (is_pg_dump(argv[0]))
        return pg_dump_main(argc, argv);

    struct env env;
    standard_descriptors_hold();
    bool ok = env_read(&env, argv + (argc > 0), variables);
    log_init(env.log_format, env.log_level);
    int status = ok ? run(&env) : fail(text_of(&env.mistakes), err_exit_status(ERR_CONFIG));
    env_free(&env);
    return status;
}
