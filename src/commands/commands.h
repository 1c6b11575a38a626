/* commands - what replica can be told to do; each is one function that shows its corridor.
 *
 *     main ── env_read ──▶ struct env ──▶ x_run(env, stop, fault) ──▶ exit status
 *
 * A command gets everything it may know from env, which is complete and free of mistakes: the two
 * ends are of the kinds that command.def asks for, so it need not ask again.  It opens what it
 * needs, lets the bytes walk, closes what it opened, and returns.  It alone sees every room; rooms
 * do not see each other.
 *
 * Data goes to stdout, everything else through log.h to stderr.  true means done: every row,
 * statement and object arrived and was checked.  On false the fault holds the one sentence that
 * main prints and the kind that becomes the exit status; nobody else prints it.
 *
 * stop is thrown by SIGINT and SIGTERM.  A command then undoes what is half done, within seconds,
 * and returns false with ERR_STOPPED.
 *
 * Life:   one command per process.
 * Threads: called on the main thread; it may start others, and has joined them when it returns. */
#ifndef COMMANDS_COMMANDS_H
#define COMMANDS_COMMANDS_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/stop.h"
#include "env/env.h"

/* dump_run, restore_run, ...: one for each row of the table, in the file of that name;
 * transformers, env, help and version are small and share info.c. */
#define COMMAND(code, name, run, from, to, sentence) \
    bool run(const struct env *env, struct stop *stop, struct fault *fault);
#include "env/command.def"
#undef COMMAND

#endif
