/* pg_dump - see pg_dump.h. */
#include "pg/pg_dump.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

extern char **environ;

enum { ARGUMENTS_MAX = 16 };

/* What each run asks for.  The data section is two: "--no-data --sequence-data" gives the sequences
 * but never large objects, and a data pattern that leaves out all rows leaves out the sequences
 * too. */
static const struct {
    enum pg_dump_section section;
    const char *arguments[4];
} runs[] = {
    {SECTION_PRE_DATA, {"--section=pre-data"}},
    {SECTION_DATA, {"--section=data", "--no-data", "--sequence-data"}},
    {SECTION_DATA, {"--section=data", "--large-objects", "--exclude-table-data=*.*"}},
    {SECTION_POST_DATA, {"--section=post-data"}},
};

static int
run_index(const struct pg_dump *dump)
{
    for (int i = 0, part = dump->part; i < (int) (sizeof runs / sizeof *runs); i++)
        if (runs[i].section == dump->section && part-- == 0)
            return i;
    return -1;
}

static bool
is_overridden(const char *entry, const struct text *own)
{
    size_t name = strcspn(entry, "=");
    if (strncmp(entry, "PGSERVICE", 9) == 0)
        return true; /* already expanded into the values below */
    for (const char *at = text_of(own); *at != '\0'; at += strlen(at) + 1)
        if (strncmp(at, entry, name + 1) == 0)
            return true;
    return false;
}

/* The connection as the child's environment.  own is a list of zero-ended "NAME=value", ended by an
 * empty one, so that nothing here needs to be quoted. */
static void
environment_make(struct pg_session *conn, struct text *own)
{
    PQconninfoOption *options = PQconninfo(conn->pq);
    const char *address = PQhostaddr(conn->pq);

    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        const char *value = option->val;
        if (option->envvar == NULL || strcmp(option->keyword, "service") == 0)
            continue;
        /* Of several hosts the child must meet the one that holds the snapshot. */
        if (strcmp(option->keyword, "host") == 0)
            value = PQhost(conn->pq);
        else if (strcmp(option->keyword, "port") == 0)
            value = PQport(conn->pq);
        else if (strcmp(option->keyword, "hostaddr") == 0)
            value = address != NULL && address[0] != '\0' ? address : NULL;
        else if (strcmp(option->keyword, "client_encoding") == 0)
            value = pg_encoding(conn);
        if (value == NULL || value[0] == '\0')
            continue;
        text_addf(own, "%s=%s", option->envvar, value);
        text_add_bytes(own, "", 1);
    }
    text_add_bytes(own, "", 1);
    PQconninfoFree(options);
}

static char **
environment_join(const struct text *own)
{
    size_t count = 1;
    for (char **entry = environ; *entry != NULL; entry++)
        count++;
    for (const char *at = text_of(own); *at != '\0'; at += strlen(at) + 1)
        count++;
    char **joined = calloc(count, sizeof *joined);
    if (joined == NULL)
        memory_exhausted(count * sizeof *joined);

    size_t used = 0;
    for (char **entry = environ; *entry != NULL; entry++)
        if (!is_overridden(*entry, own))
            joined[used++] = *entry;
    for (char *at = own->data; *at != '\0'; at += strlen(at) + 1)
        joined[used++] = at;
    return joined;
}

/* The filter file, in memory: no disk is written, and no list of tables is too long for argv. */
static int
filter_open(const struct catalog *catalog, struct fault *fault)
{
    struct text filter = {0};
    for (size_t i = 0; i < catalog->tables_count; i++) {
        const struct table *table = &catalog->tables[i];
        if (table->included || table->of_extension)
            continue;
        text_add(&filter, "exclude table ");
        text_add_name_pair(&filter, table->schema, table->name);
        text_add(&filter, "\n");
    }

    int fd = memfd_create("filter", MFD_CLOEXEC);
    size_t written = 0;
    while (fd >= 0 && written < filter.size) {
        ssize_t count = write(fd, filter.data + written, filter.size - written);
        if (count < 0 && errno != EINTR) {
            close(fd);
            fd = -1;
        } else if (count > 0) {
            written += (size_t) count;
        }
    }
    text_free(&filter);
    if (fd < 0 || lseek(fd, 0, SEEK_SET) != 0)
        fault_set(fault, ERR_INTERNAL, "unable to make pg_dump's filter: %s", strerror(errno));
    return fd;
}

static bool
child_spawn(struct pg_dump *dump, const char **arguments, char *const *environment, int filter_fd,
            const int out[2], const int complaints[2], struct fault *fault)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, filter_fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, complaints[1], STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    /* posix_spawn() changes no argument; its type is older than const. */
    int error = posix_spawn(&dump->child, "/proc/self/exe", &actions, &attributes,
                            (char **) arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        dump->child = 0;
        return fault_set(fault, ERR_INTERNAL, "unable to start pg_dump: %s", strerror(error));
    }
    return true;
}

static bool
child_start(struct pg_dump *dump, int run, struct fault *fault)
{
    char snapshot[96];
    const char *arguments[ARGUMENTS_MAX] = {"pg_dump", "--format=plain", "--no-password",
                                            "--lock-wait-timeout=60s", "--filter=-", snapshot};
    size_t count = 6;
    int out[2] = {-1, -1}, complaints[2] = {-1, -1};

    snprintf(snapshot, sizeof snapshot, "--snapshot=%s", dump->snapshot->id);
    for (size_t i = 0; i < 4 && runs[run].arguments[i] != NULL; i++)
        arguments[count++] = runs[run].arguments[i];
    assert(count < ARGUMENTS_MAX);

    int filter_fd = filter_open(dump->catalog, fault);
    if (filter_fd < 0)
        return false;
    struct text own = {0};
    environment_make(dump->conn, &own);
    char **environment = environment_join(&own);
    bool started = false;
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(complaints, O_CLOEXEC) != 0)
        fault_set(fault, ERR_INTERNAL, "unable to open a pipe: %s", strerror(errno));
    else
        started = child_spawn(dump, arguments, environment, filter_fd, out, complaints, fault);
    explicit_bzero(own.data, own.size);
    free(environment);
    text_free(&own);
    close(filter_fd);
    close(out[1]);
    close(complaints[1]);
    dump->out_fd = out[0];
    dump->err_fd = complaints[0];
    fcntl(dump->err_fd, F_SETFL, O_NONBLOCK);
    dump->complaint_size = 0;
    return started;
}

static void
complaints_read(struct pg_dump *dump)
{
    char piece[512];
    for (;;) {
        ssize_t got = read(dump->err_fd, piece, sizeof piece);
        if (got <= 0)
            return;
        size_t room = sizeof dump->complaint - 1 - dump->complaint_size;
        if ((size_t) got > room)
            got = (ssize_t) room;
        memcpy(dump->complaint + dump->complaint_size, piece, (size_t) got);
        dump->complaint_size += (size_t) got;
    }
}

static void
child_close(struct pg_dump *dump)
{
    close(dump->out_fd);
    close(dump->err_fd);
    dump->child = 0;
}

/* The child has closed its output: was it a success? */
static bool
child_end(struct pg_dump *dump, struct fault *fault)
{
    int status;
    while (waitpid(dump->child, &status, 0) < 0 && errno == EINTR)
        ;
    complaints_read(dump);
    child_close(dump);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;

    dump->complaint[dump->complaint_size] = '\0';
    for (char *at = dump->complaint; *at != '\0'; at++)
        if (*at == '\n')
            *at = at[1] == '\0' ? '\0' : ';';
    if (WIFSIGNALED(status))
        return fault_set(fault, ERR_SOURCE, "pg_dump was ended by signal %d: %s", WTERMSIG(status),
                         dump->complaint);
    return fault_set(fault, ERR_SOURCE, "unable to dump the schema: %s", dump->complaint);
}

/* Wait until the child says something on its output, keeping its other pipe empty meanwhile. */
static bool
child_wait(struct pg_dump *dump, struct fault *fault)
{
    struct pollfd polls[3] = {{.fd = dump->conn->stop->fd, .events = POLLIN},
                              {.fd = dump->out_fd, .events = POLLIN},
                              {.fd = dump->err_fd, .events = POLLIN}};
    for (;;) {
        if (poll(polls, 3, -1) < 0 && errno != EINTR)
            return fault_set(fault, ERR_INTERNAL, "unable to wait for pg_dump: %s",
                             strerror(errno));
        if (polls[0].revents != 0)
            return fault_set(fault, ERR_STOPPED, "stopped");
        if (polls[2].revents & POLLIN)
            complaints_read(dump);
        else if (polls[2].revents != 0)
            polls[2].fd = -1; /* closed; the output's end follows */
        if (polls[1].revents != 0)
            return true;
    }
}

static enum step
pg_dump_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
             struct fault *fault)
{
    struct pg_dump *dump = (struct pg_dump *) stage;
    (void) source;
    (void) last;

    for (;;) {
        if (dump->child == 0) {
            int run = run_index(dump);
            bool needless = dump->section == SECTION_DATA && dump->part == 1 &&
                            !dump->catalog->has_large_objects;
            if (run < 0 || needless)
                return STEP_DONE;
            if (!child_start(dump, run, fault))
                return STEP_FAILED;
        }
        if (!child_wait(dump, fault))
            return STEP_FAILED;
        ssize_t got = read(dump->out_fd, target->data + target->used, target->size - target->used);
        if (got > 0) {
            target->used += (size_t) got;
            return STEP_AGAIN;
        }
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            fault_set(fault, ERR_INTERNAL, "unable to read from pg_dump: %s", strerror(errno));
            return STEP_FAILED;
        }
        if (!child_end(dump, fault))
            return STEP_FAILED;
        dump->part++;
    }
}

static void
pg_dump_free(struct stage *stage)
{
    struct pg_dump *dump = (struct pg_dump *) stage;
    if (dump->child == 0)
        return;
    kill(dump->child, SIGKILL);
    while (waitpid(dump->child, NULL, 0) < 0 && errno == EINTR)
        ;
    child_close(dump);
}

static const struct stage_ops pg_dump_ops = {
    .name = "pg_dump",
    .step = pg_dump_step,
    .free = pg_dump_free,
};

struct stage *
pg_dump_init(struct pg_dump *dump, struct pg_session *conn, const struct snapshot *snapshot,
             const struct catalog *catalog, enum pg_dump_section section)
{
    *dump = (struct pg_dump){.stage.ops = &pg_dump_ops, .conn = conn, .snapshot = snapshot,
                             .catalog = catalog, .section = section};
    return &dump->stage;
}
