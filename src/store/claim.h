/* claim - who writes a dump, said beside it: so that whoever finds it unfinished can tell a run
 * that still goes on from one that was killed.
 *
 *     dump-1653170039392/claim-5f0c1d2e3a4b5968.json
 *     {"machine":"97f8…","process":17,"started":123456}
 *
 * machine is the SHA-256 of the kernel's boot id and of the PID namespace, so that a container has
 * one of its own; it is "" where the kernel does not say.  started is the process's start in ticks
 * since boot: a number is given to other processes, a number and a start are not.
 *
 * Threads: any. */
#ifndef STORE_CLAIM_H
#define STORE_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "store/digest.h"

enum { CLAIM_NAME_MAX = 32, CLAIM_BYTES_MAX = 4096 };

struct claim {
    char machine[DIGEST_TEXT_MAX]; /* 64 digits, or "" */
    uint64_t process, started;
};

/* Fill in this very process. */
void claim_of_self(struct claim *claim);

/* Write a claim's object name, without its directory, with a fresh random number. */
const char *claim_name(char name[static CLAIM_NAME_MAX]);

/* Whether an object's name, without its directory, is a claim's. */
bool claim_name_valid(const char *name);

void claim_add(struct text *text, const struct claim *claim);
bool claim_parse(const char *data, size_t size, struct claim *claim);

enum claim_holder {
    HOLDER_LIVES,
    HOLDER_GONE,      /* it was a process of this machine, which no longer is */
    HOLDER_ELSEWHERE, /* on a machine, or in a container, that we cannot look into */
};

/* Ask the kernel what has become of the process.  When in doubt it lives. */
enum claim_holder claim_holder(const struct claim *claim);

/* The state and the start of a process from the line that /proc/<pid>/stat holds. */
bool claim_stat_read(const char *line, char *state, uint64_t *started);

#endif
