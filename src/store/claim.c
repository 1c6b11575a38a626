/* claim - see claim.h. */
#include "store/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/random.h"
#include "codec/sha256.h"

enum {
    PROC_BYTES_MAX = 1024,
    STARTED_FIELD = 22, /* proc(5): the state is the third field, the start the 22nd */
    STATE_FIELD = 3,
};

/* A line of /proc; "" with errno when there is none. */
static void
line_read(const char *path, char line[static PROC_BYTES_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, line, PROC_BYTES_MAX - 1);
    int error = errno;

    line[got < 0 ? 0 : got] = '\0';
    line[strcspn(line, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
    errno = error;
}

static void
machine_read(char machine[static DIGEST_TEXT_MAX])
{
    char boot[PROC_BYTES_MAX], space[128];
    uint8_t digest[32];
    struct sha256 sha256;
    ssize_t size = readlink("/proc/self/ns/pid", space, sizeof space);

    machine[0] = '\0';
    line_read("/proc/sys/kernel/random/boot_id", boot);
    if (boot[0] == '\0' || size <= 0)
        return;
    sha256_init(&sha256);
    sha256_update(&sha256, boot, strlen(boot) + 1);
    sha256_update(&sha256, space, (size_t) size);
    sha256_out(&sha256, digest);
    digest_text(machine, digest);
}

/* The name stands in parentheses and may hold any byte, blanks and parentheses included. */
bool
claim_stat_read(const char *line, char *state, uint64_t *started)
{
    const char *at = strrchr(line, ')');

    if (at == NULL || at[1] != ' ' || at[2] == '\0')
        return false;
    at += 2;
    *state = *at;
    for (int field = STATE_FIELD; field < STARTED_FIELD; field++) {
        at = strchr(at, ' ');
        if (at == NULL)
            return false;
        at++;
    }
    size_t digits = strspn(at, "0123456789");
    *started = 0;
    for (size_t i = 0; i < digits; i++)
        if (__builtin_mul_overflow(*started, 10, started) ||
            __builtin_add_overflow(*started, (uint64_t) (at[i] - '0'), started))
            return false;
    return digits > 0;
}

void
claim_of_self(struct claim *claim)
{
    char line[PROC_BYTES_MAX], state;

    *claim = (struct claim){.process = (uint64_t) getpid()};
    line_read("/proc/self/stat", line);
    if (claim_stat_read(line, &state, &claim->started))
        machine_read(claim->machine);
}

const char *
claim_name(char name[static CLAIM_NAME_MAX])
{
    uint64_t number;

    random_bytes(&number, sizeof number);
    snprintf(name, CLAIM_NAME_MAX, "claim-%016" PRIx64 ".json", number);
    return name;
}

bool
claim_name_valid(const char *name)
{
    return strncmp(name, "claim-", 6) == 0 && strspn(name + 6, "0123456789abcdef") == 16 &&
           strcmp(name + 22, ".json") == 0;
}

void
claim_add(struct text *text, const struct claim *claim)
{
    text_addf(text, "{\"machine\":\"%s\",\"process\":%" PRIu64 ",\"started\":%" PRIu64 "}\n",
              claim->machine, claim->process, claim->started);
}

bool
claim_parse(const char *data, size_t size, struct claim *claim)
{
    struct arena arena = {0};
    struct fault ignored = {0};
    uint8_t digest[32];
    const struct json *json = json_parse(&arena, data, size, "a claim", &ignored);
    const char *machine = json_get_text(json, "machine", NULL);

    bool right = machine != NULL && (machine[0] == '\0' || digest_read(machine, digest)) &&
                 json_get_number(json, "process", &claim->process) &&
                 json_get_number(json, "started", &claim->started);
    if (right)
        snprintf(claim->machine, sizeof claim->machine, "%s", machine);
    arena_free(&arena);
    return right;
}

/* A /proc that hides what is other users' (hidepid, ProtectProc=invisible) shows nothing where a
 * process may well be; kill() tells. */
static bool
is_gone(uint64_t process)
{
    return process > INT_MAX || (kill((pid_t) process, 0) < 0 && errno == ESRCH);
}

/* A zombie uploads nothing any more. */
enum claim_holder
claim_holder(const struct claim *claim)
{
    char machine[DIGEST_TEXT_MAX], path[64], line[PROC_BYTES_MAX], state;
    uint64_t started;

    machine_read(machine);
    if (machine[0] == '\0' || strcmp(machine, claim->machine) != 0)
        return HOLDER_ELSEWHERE;
    snprintf(path, sizeof path, "/proc/%" PRIu64 "/stat", claim->process);
    line_read(path, line);
    if (line[0] == '\0')
        return (errno == ENOENT || errno == ESRCH) && is_gone(claim->process) ? HOLDER_GONE
                                                                              : HOLDER_LIVES;
    if (!claim_stat_read(line, &state, &started))
        return HOLDER_LIVES;
    return started != claim->started || strchr("ZX", state) != NULL ? HOLDER_GONE : HOLDER_LIVES;
}
