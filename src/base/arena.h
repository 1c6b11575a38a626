/* arena - memory of the control plane: catalogs, manifests, rules; taken piece by piece, freed at
 * once.
 *
 * Life:   a zeroed struct arena is empty and ready; arena_free() returns everything.
 * Limits: grows with what is asked; running out ends the process (memory_exhausted()).  Never used
 *         per row or per byte of data.
 * Threads: one at a time. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena {
    struct arena_block *blocks;
    size_t bytes;
};

/* Take size bytes, zeroed, aligned for any type.  Size 0 gives a valid pointer. */
void *arena_take(struct arena *arena, size_t size);

/* Take a zeroed array of count items.  An overflow of count * size ends the process. */
void *arena_array(struct arena *arena, size_t count, size_t size);

/* Make room for one more item behind count others, in an array that was grown so from NULL; it
 * doubles, the old one stays behind in the arena. */
void *arena_grow(struct arena *arena, void *items, size_t count, size_t size);

/* Copy size bytes and end them with a zero. */
char *arena_copy(struct arena *arena, const char *text, size_t size);

/* Copy a text; NULL gives NULL. */
char *arena_text(struct arena *arena, const char *text);

/* Make a text as printf does. */
char *arena_print(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Return all of it; the arena is empty and ready again. */
void arena_free(struct arena *arena);

#endif
