/* random - see random.h.  xoshiro256** after Blackman and Vigna, "Scrambled Linear Pseudorandom
 * Number Generators" (2018); the unbiased draw after Lemire, "Fast Random Integer Generation"
 * (2019). */
#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fault.h"

void
random_bytes(void *target, size_t size)
{
    unsigned char *at = target;

    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            fprintf(stderr, "replica: error: the kernel gives no random bytes\n");
            _exit(err_exit_status(ERR_INTERNAL));
        }
        at += got;
        size -= (size_t) got;
    }
}

void
random_init(struct random *random)
{
    do
        random_bytes(random->state, sizeof random->state);
    while ((random->state[0] | random->state[1] | random->state[2] | random->state[3]) == 0);
}

static uint64_t
rotate(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

uint64_t
random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9, shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t
random_below(struct random *random, uint64_t limit)
{
    assert(limit >= 1);
    unsigned __int128 wide = (unsigned __int128) random_next(random) * limit;

    if ((uint64_t) wide < limit)
        for (uint64_t floor = -limit % limit; (uint64_t) wide < floor;)
            wide = (unsigned __int128) random_next(random) * limit;
    return (uint64_t) (wide >> 64);
}
