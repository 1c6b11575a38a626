/* nearest - see nearest.h.  Damerau and Levenshtein's distance: one letter more, less, other, or
 * two swapped. */
#include "base/nearest.h"

#include <stddef.h>
#include <string.h>

static unsigned char
lower(char c)
{
    return (unsigned char) (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static unsigned
least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Three rows of the table of distances between all beginnings of a and b are enough. */
static unsigned
distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned rows[3][NEAREST_BYTES_MAX + 1];

    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = (unsigned) j;
    for (size_t i = 1; i <= a_size; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *second = rows[(i + 1) % 3];
        row[0] = (unsigned) i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned differs = lower(a[i - 1]) != lower(b[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + differs);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = least(row[j], second[j - 2] + 1);
        }
    }
    return rows[a_size % 3][b_size];
}

unsigned
nearest_steps(const char *one, const char *other)
{
    return distance(one, strnlen(one, NEAREST_BYTES_MAX), other, strnlen(other, NEAREST_BYTES_MAX));
}

void
nearest_offer(struct nearest *nearest, const char *name, const void *thing)
{
    size_t wanted_size = strnlen(nearest->wanted, NEAREST_BYTES_MAX);
    unsigned steps = nearest_steps(nearest->wanted, name);
    unsigned cost = steps * 2 + (steps == 0 && strcmp(nearest->wanted, name) != 0);

    if (steps > (nearest->steps_max > 0 ? nearest->steps_max : 1 + wanted_size / 8))
        return;
    if (nearest->best == NULL || cost < nearest->cost) {
        nearest->best = thing;
        nearest->cost = cost;
    }
}
