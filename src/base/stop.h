/* stop - one switch that ends a run: by a signal, or because a part of it failed.
 *
 * Whoever blocks on a descriptor also polls stop_fd(); it becomes readable when the switch is
 * thrown and stays so.  A flag alone would race with the poll.
 *
 * Life:   stop_init; then stop_request by anyone, any time, also from a signal handler; stop_free.
 * Threads: any. */
#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/fault.h"

struct stop {
    int fd;
    atomic_bool requested;
    atomic_int signal; /* which signal threw it, 0 for a failure inside */
};

bool stop_init(struct stop *stop, struct fault *fault);

/* Throw the switch.  signal is the signal's number, or 0.  Async-signal-safe. */
void stop_request(struct stop *stop, int signal);
bool stop_requested(const struct stop *stop);

/* Wait until fd is ready for events (POLLIN, POLLOUT), the deadline passes, or the switch is
 * thrown.
 * timeout_ms below 0 waits without end; fd -1 only lets time pass.
 * Returns 1 ready (also for an error or hang-up of fd), 0 deadline, -1 with the fault: ERR_STOPPED,
 * or ERR_INTERNAL when the system cannot wait. */
int stop_wait(const struct stop *stop, int fd, short events, int timeout_ms, struct fault *fault);

/* Let SIGINT and SIGTERM throw this switch, and ignore SIGPIPE. */
void stop_on_signals(struct stop *stop);

/* Close the switch; SIGINT and SIGTERM end the process again if they threw this one. */
void stop_free(struct stop *stop);

#endif
