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

/* Many small draws out of one random_next(): the draw is a fraction of one, and multiplied by kinds
 * it lets a number 0 .. kinds-1 fall out; the rest of the fraction serves the next.  With a product
 * of all kinds of 2^n the bias is below 2^(n-64). */
static inline unsigned
random_digit(uint64_t *draw, unsigned kinds)
{
    unsigned __int128 wide = (unsigned __int128) *draw * kinds;
    *draw = (uint64_t) wide;
    return (unsigned) (wide >> 64);
}

#endif
