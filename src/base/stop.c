/* stop - see stop.h.  The descriptor is an eventfd that is written once and never read. */
#include "base/stop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

static struct stop *_Atomic signal_stop; /* what the handler throws; set before the handler is */

bool
stop_init(struct stop *stop, struct fault *fault)
{
    atomic_init(&stop->requested, false);
    atomic_init(&stop->signal, 0);
    stop->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop->fd < 0)
        return fault_set(fault, ERR_INTERNAL, "unable to open an event descriptor: %s",
                         strerror(errno));
    return true;
}

void
stop_request(struct stop *stop, int signal)
{
    int none = 0;
    if (signal != 0)
        atomic_compare_exchange_strong(&stop->signal, &none, signal);
    if (atomic_exchange(&stop->requested, true))
        return;
    uint64_t one = 1;
    ssize_t written = write(stop->fd, &one, sizeof one);
    assert(written == sizeof one);
}

bool
stop_requested(const struct stop *stop)
{
    return atomic_load(&stop->requested);
}

int
stop_wait(const struct stop *stop, int fd, short events, int timeout_ms, struct fault *fault)
{
    struct pollfd polls[2] = {{.fd = stop->fd, .events = POLLIN}, {.fd = fd, .events = events}};
    uint64_t deadline_ms = timeout_ms < 0 ? 0 : clock_ms() + (uint64_t) timeout_ms;

    for (;;) {
        int left_ms = -1;
        if (timeout_ms >= 0) {
            uint64_t now_ms = clock_ms();
            left_ms = now_ms >= deadline_ms ? 0 : (int) (deadline_ms - now_ms);
        }
        int ready = poll(polls, 2, left_ms);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0) {
            fault_set(fault, ERR_INTERNAL, "unable to wait for a descriptor: %s", strerror(errno));
            return -1;
        }
        if (polls[0].revents != 0) {
            fault_set(fault, ERR_STOPPED, "stopped");
            return -1;
        }
        return ready == 0 ? 0 : 1;
    }
}

static void
on_signal(int number)
{
    int saved = errno;
    stop_request(signal_stop, number);
    errno = saved;
}

void
stop_on_signals(struct stop *stop)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    signal_stop = stop;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

void
stop_free(struct stop *stop)
{
    /* A late signal must not write into a descriptor that is something else by then. */
    if (signal_stop == stop) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        signal_stop = NULL;
    }
    close(stop->fd);
    stop->fd = -1;
}
