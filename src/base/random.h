/* random - bytes nobody can guess, and a fast generator seeded from them.
 *
 * The kernel's getrandom(2) only; a kernel without it ends the process, since a guessable mask is a
 * leak.  struct random is xoshiro256** - for masks drawn per value, not for keys.
 *
 * Life:   random_init; then draw.  Threads: one per generator. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_bytes(void *target, size_t size);
void random_init(struct random *random);

/* A number 0 .. 2^64-1. */
uint64_t random_next(struct random *random);

/* A number 0 .. limit-1, without bias; limit >= 1. */
uint64_t random_below(struct random *random, uint64_t limit);

#endif
