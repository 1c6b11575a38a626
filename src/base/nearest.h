/* nearest - which of many names was probably meant.
 *
 * Letters' case costs almost nothing: public.Users, unquoted, is public.users to SQL, and the
 * table that was created as "Users" is the one that is meant.
 *
 * Life:   {.wanted = name}; nearest_offer each; then best.   Threads: one at a time. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

enum { NEAREST_BYTES_MAX = 127 }; /* of a name that are compared: two names of 63 bytes and a dot */

struct nearest {
    const char *wanted;
    unsigned steps_max; /* letters that may differ; 0 = one, one more for every eight of wanted */
    const void *best; /* the thing offered with the nearest name; NULL when none is near */
    unsigned cost;    /* of best, when there is one */
};

/* Letters to insert, remove, replace or swap with their neighbour that turn one name into the
 * other; of longer names the first NEAREST_BYTES_MAX bytes count. */
unsigned nearest_steps(const char *one, const char *other);

void nearest_offer(struct nearest *nearest, const char *name, const void *thing);

#endif
