/* fault - what went wrong, as one sentence and one kind.
 *
 * Every function that can fail returns bool and takes a struct fault last.  Who knows the cause
 * writes the sentence; the first one wins; nobody above logs it again.  main() prints it once and
 * turns its kind into the exit status (err.def).
 *
 * Sentences are lowercase, without a full stop, name real values and units, and never hold a
 * secret.  They are one line: what commands a terminal or ends a line is escaped (tame.h), since
 * names and servers' words are in them.
 *
 * Life:   a zeroed struct fault is "no fault".  Nothing to free.
 * Limits: a sentence is cut, visibly with "...", at FAULT_TEXT_MAX - 1 bytes.
 * Threads: a struct fault belongs to one thread; the flow hands the first one over. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>

enum { FAULT_TEXT_MAX = 2048 };

enum err {
#define ERR(code, name, status, transient) code,
#include "base/err.def"
#undef ERR
};

struct fault {
    enum err err;
    char text[FAULT_TEXT_MAX];
};

/* Record a failure unless one is recorded already.  Always returns false, so that
 * `return fault_set(fault, ERR_STORE, "unable to ...")` reads as what it is. */
bool fault_set(struct fault *fault, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Record a failure that has a line for each of several mistakes.  Their words of others are tame
 * already (text_add_tame), for here a newline is ours.  Always returns false. */
bool fault_set_lines(struct fault *fault, enum err err, const char *lines);

/* Add where it happened: the sentence becomes "<sentence>, <format>", as in ", while dumping x".
 * Without a recorded failure it does nothing.  Always returns false. */
bool fault_because(struct fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Copy a failure into another fault unless that one already holds one. */
void fault_hand_over(struct fault *target, const struct fault *source);

/* The exit status of a kind, 0..255.  A stop by SIGTERM is 143, which only main() can know. */
int err_exit_status(enum err err);

/* The name of a kind, as log lines show it. */
const char *err_name(enum err err);

/* Memory for the control plane ran out: say so on stderr and end with status 1.  The hot path
 * allocates nothing, so this can only happen while a command prepares itself or its manifest. */
_Noreturn void memory_exhausted(size_t wanted_bytes);

#endif
