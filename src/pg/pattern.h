/* pattern - names with wildcards, quoted as SQL quotes them: public.*, "My Schema".t_?, orders.
 *
 * An unquoted part is folded to lower case, as SQL does; * and ? are wildcards only outside quotes.
 * "" inside quotes is one quote.  Several patterns are separated by commas or newlines.
 *
 * Life:   parsed into an arena; read-only afterwards.  Threads: any number of readers. */
#ifndef PG_PATTERN_H
#define PG_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/fault.h"

/* One part of a dotted name.  glob[i] tells whether text[i] is a wildcard ('*' or '?') or stands
 * for itself. */
struct pattern_part {
    const char *text;
    const bool *glob;
    bool has_glob;
};

struct pattern {
    struct pattern_part schema, name;
    const char *written; /* as the user wrote it, for sentences */
};

struct patterns {
    struct pattern *items;
    size_t count;
};

/* Read one dotted part at *at: a quoted or an unquoted name, with blanks around it skipped; *at
 * moves behind it.  Returns false with an ERR_CONFIG sentence that says what is wrong and where. */
bool pattern_part_read(struct arena *arena, const char **at, struct pattern_part *part,
                       struct fault *fault);

/* Whether a name fits; bytes are compared, ? takes one UTF-8 character. */
bool pattern_part_fits(const struct pattern_part *part, const char *name);

/* Read a list.  A pattern is schema.table, or table alone for schema "public".  An empty list is
 * valid.  Comments run from # to the end of a line.  what names the variable for the sentence. */
bool patterns_read(struct arena *arena, const char *what, const char *text,
                   struct patterns *patterns, struct fault *fault);

/* The first pattern that fits, or NULL. */
const struct pattern *patterns_find(const struct patterns *patterns, const char *schema,
                                    const char *name);

#endif
