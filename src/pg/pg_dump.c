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

#include "base/log.h"
#include "base/text.h"

extern char **environ;

/* The child's environment: what is ours first, the connection; then what replica itself was given,
 * but for its own secrets and what the connection replaces. */
struct environment {
    char **entries;
    size_t own_count, count;
};

static bool
is_inherited(const struct environment *environment, const char *entry)
{
    static const char *const kept_back[] = {"REPLICA_", "AWS_", "PGSERVICE"};
    size_t name = strcspn(entry, "=");

    for (size_t i = 0; i < sizeof kept_back / sizeof *kept_back; i++)
        if (strncmp(entry, kept_back[i], strlen(kept_back[i])) == 0)
            return false;
    for (size_t i = 0; i < environment->own_count; i++)
        if (strncmp(environment->entries[i], entry, name + 1) == 0)
            return false;
    return true;
}

/* The value that the child must use; NULL or "" for none. */
static const char *
option_value(struct pg_session *conn, const PQconninfoOption *option)
{
    if (option->envvar == NULL || strcmp(option->keyword, "service") == 0)
        return NULL;
    /* Of several hosts the child must meet the one that holds the snapshot. */
    if (strcmp(option->keyword, "host") == 0)
        return PQhost(conn->pq);
    if (strcmp(option->keyword, "port") == 0)
        return PQport(conn->pq);
    if (strcmp(option->keyword, "hostaddr") == 0)
        return PQhostaddr(conn->pq);
    if (strcmp(option->keyword, "client_encoding") == 0)
        return pg_encoding(conn);
    return option->val;
}

static void
environment_add(struct environment *environment, const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 2;
    char *entry = malloc(size);

    if (entry == NULL)
        memory_exhausted(size);
    snprintf(entry, size, "%s=%s", name, value);
    environment->entries[environment->own_count++] = entry;
    environment->count = environment->own_count;
}

static void
environment_init(struct environment *environment, struct pg_session *conn)
{
    PQconninfoOption *options = PQconninfo(conn->pq);
    size_t most = 1;

    if (options == NULL)
        memory_exhausted(0);
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
        most++;
    for (char **entry = environ; *entry != NULL; entry++)
        most++;
    *environment = (struct environment){.entries = calloc(most, sizeof *environment->entries)};
    if (environment->entries == NULL)
        memory_exhausted(most * sizeof *environment->entries);

    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        const char *value = option_value(conn, option);
        if (value != NULL && value[0] != '\0')
            environment_add(environment, option->envvar, value);
    }
    for (char **entry = environ; *entry != NULL; entry++)
        if (is_inherited(environment, *entry))
            environment->entries[environment->count++] = *entry;
    for (PQconninfoOption *option = options; option->keyword != NULL; option++)
        if (option->val != NULL)
            explicit_bzero(option->val, strlen(option->val));
    PQconninfoFree(options);
}

static void
environment_free(struct environment *environment)
{
    for (size_t i = 0; i < environment->own_count; i++) {
        explicit_bzero(environment->entries[i], strlen(environment->entries[i]));
        free(environment->entries[i]);
    }
    free(environment->entries);
}

static void
pipe_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* A name as filter files quote it: as SQL does, and with \n and \\ (PostgreSQL's filter.c). */
static void
filter_add_name(struct text *filter, const char *name)
{
    text_add(filter, "\"");
    for (; *name != '\0'; name++) {
        if (*name == '"' || *name == '\\')
            text_add_bytes(filter, name, 1);
        text_add_bytes(filter, *name == '\n' ? "\\n" : name, *name == '\n' ? 2 : 1);
    }
    text_add(filter, "\"");
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
        filter_add_name(&filter, table->schema);
        text_add(&filter, ".");
        filter_add_name(&filter, table->name);
        text_add(&filter, "\n");
    }

    int fd = memfd_create("filter", MFD_CLOEXEC);
    size_t written = 0;
    while (fd >= 0 && written < filter.size) {
        ssize_t count = write(fd, filter.data + written, filter.size - written);
        if (count < 0 && errno != EINTR) {
            pipe_close(&fd);
        } else if (count > 0) {
            written += (size_t) count;
        }
    }
    text_free(&filter);
    if (fd < 0 || lseek(fd, 0, SEEK_SET) != 0) {
        fault_set(fault, ERR_INTERNAL, "unable to make pg_dump's filter: %s", strerror(errno));
        pipe_close(&fd);
    }
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
    /* A group of its own, for a terminal sends SIGINT to all of a group: we end the child. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
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

static void
child_close(struct pg_dump *dump)
{
    pipe_close(&dump->out_fd);
    pipe_close(&dump->err_fd);
    dump->child = 0;
}

static bool
child_start(struct pg_dump *dump, struct fault *fault)
{
    char snapshot[96], patience[40];
    const char *arguments[] = {"pg_dump", "--format=plain", "--no-password",
                               patience, "--filter=-",
                               dump->catalog->large_objects ? "--large-objects"
                                                            : "--no-large-objects",
                               snapshot, NULL};
    int out[2] = {-1, -1}, complaints[2] = {-1, -1};

    snprintf(snapshot, sizeof snapshot, "--snapshot=%s", dump->snapshot->id);
    snprintf(patience, sizeof patience, "--lock-wait-timeout=%ds", SNAPSHOT_LOCK_SECONDS);

    int filter_fd = filter_open(dump->catalog, fault);
    if (filter_fd < 0)
        return false;
    signal(SIGCHLD, SIG_DFL); /* who started us may have ignored it: then nobody learns a status */
    struct environment environment;
    environment_init(&environment, dump->conn);
    bool started = false;
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(complaints, O_CLOEXEC) != 0)
        fault_set(fault, ERR_INTERNAL, "unable to open a pipe: %s", strerror(errno));
    else
        started = child_spawn(dump, arguments, environment.entries, filter_fd, out, complaints,
                              fault);
    environment_free(&environment);
    pipe_close(&filter_fd);
    pipe_close(&out[1]);
    pipe_close(&complaints[1]);
    dump->out_fd = out[0];
    dump->err_fd = complaints[0];
    dump->complaint_size = 0;
    if (started)
        fcntl(dump->err_fd, F_SETFL, O_NONBLOCK);
    else
        child_close(dump);
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

static pid_t
child_wait_end(pid_t child, int *status)
{
    pid_t ended;
    do
        ended = waitpid(child, status, 0);
    while (ended < 0 && errno == EINTR);
    return ended;
}

/* What the child has said, in one line.  pg_dump looks in PATH for itself, to find translations
 * beside it, and complains where it is not found; there are none to be found. */
static const char *
complaint_line(struct pg_dump *dump)
{
    static const char unfound[] = "could not find a \"pg_dump\" to execute\n";
    char *line = dump->complaint;

    line[dump->complaint_size] = '\0';
    if (strncmp(line, unfound, sizeof unfound - 1) == 0)
        line += sizeof unfound - 1;
    for (char *at = line; *at != '\0'; at++)
        if (*at == '\n')
            *at = at[1] == '\0' ? '\0' : ';';
    return line;
}

/* The child has closed its output: was it a success? */
static bool
child_end(struct pg_dump *dump, struct fault *fault)
{
    int status;
    bool known = child_wait_end(dump->child, &status) >= 0;
    int error = errno;
    complaints_read(dump);
    child_close(dump);
    if (!known)
        return fault_set(fault, ERR_INTERNAL, "unable to learn how pg_dump ended: %s",
                         strerror(error));
    const char *complaint = complaint_line(dump);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        if (complaint[0] != '\0')
            log_warning("%s", complaint);
        return true;
    }
    if (WIFSIGNALED(status))
        return fault_set(fault, ERR_SOURCE, "pg_dump was ended by signal %d: %s", WTERMSIG(status),
                         complaint);
    return fault_set(fault, ERR_SOURCE, "unable to dump the schema: %s", complaint);
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

/* Read more of what the child writes; *end: it has written all. */
static bool
buffer_fill(struct pg_dump *dump, bool *end, struct fault *fault)
{
    ssize_t got;

    *end = false;
    if (dump->child == 0 && !child_start(dump, fault))
        return false;
    do
        if (!child_wait(dump, fault))
            return false;
    while ((got = read(dump->out_fd, dump->buffer, sizeof dump->buffer)) < 0 && errno == EINTR);
    if (got < 0)
        return fault_set(fault, ERR_INTERNAL, "unable to read from pg_dump: %s", strerror(errno));
    *end = got == 0;
    dump->held = (struct source_span){.data = dump->buffer, .size = (size_t) got};
    return true;
}

/* The child has closed its output. */
static enum step
output_end(struct pg_dump *dump, struct fault *fault)
{
    bool good = child_end(dump, fault);

    dump->ended = true;
    if (good && dump->sections < PG_DUMP_SECTIONS)
        good = fault_set(fault, ERR_INTERNAL, "pg_dump ended in section %u of %d", dump->sections,
                         PG_DUMP_SECTIONS);
    return good ? STEP_DONE : STEP_FAILED;
}

static enum step
pg_dump_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
             struct fault *fault)
{
    struct pg_dump *dump = (struct pg_dump *) stage;
    struct source_span *held = &dump->held;
    (void) source;
    (void) last;

    if (!dump->section_open)
        return STEP_DONE;
    if (held->used == held->size) {
        bool end;
        if (!buffer_fill(dump, &end, fault))
            return STEP_FAILED;
        if (end)
            return output_end(dump, fault);
    }
    const uint8_t *begin = held->data + held->used;
    const uint8_t *mark = memchr(begin, '\0', held->size - held->used);
    struct source_span text = {.data = begin, .size = mark == NULL ? held->size - held->used
                                                                   : (size_t) (mark - begin)};
    held->used += span_move(&text, target);
    if (mark == NULL || text.used < text.size)
        return STEP_AGAIN;
    held->used++;
    dump->section_open = false;
    return text.used > 0 ? STEP_AGAIN : STEP_DONE;
}

static const struct stage_ops pg_dump_ops = {.name = "pg_dump", .step = pg_dump_step};

void
pg_dump_open(struct pg_dump *dump, struct pg_session *conn, const struct snapshot *snapshot,
             const struct catalog *catalog)
{
    *dump = (struct pg_dump){.stage.ops = &pg_dump_ops, .conn = conn, .snapshot = snapshot,
                             .catalog = catalog};
}

struct stage *
pg_dump_section(struct pg_dump *dump)
{
    assert(dump->sections < PG_DUMP_SECTIONS);
    assert(!dump->section_open && !dump->ended);
    dump->sections++;
    dump->section_open = true;
    return &dump->stage;
}

void
pg_dump_close(struct pg_dump *dump)
{
    int status;

    if (dump->child == 0)
        return;
    kill(dump->child, SIGKILL);
    child_wait_end(dump->child, &status);
    child_close(dump);
}
