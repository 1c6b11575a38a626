/* rule - one parsed line of REPLICA_TRANSFORM, and the list of mistakes that reading and binding
 * share.  Private to transform/. */
#ifndef TRANSFORM_RULE_H
#define TRANSFORM_RULE_H

#include "pg/pattern.h"
#include "transform/mask.h"

struct rule {
    struct pattern_part schema, table, column;
    enum transformer transformer;
    const struct settings *settings;
    const char *written; /* for sentences: without comment, cut when long */
    unsigned line;
};

struct rules {
    struct rule *items;
    size_t count, capacity;
};

/* All that is wrong, a line each; what no longer fits a fault is counted. */
struct mistakes {
    struct text text;
    size_t count, left_off;
};

void mistakes_add(struct mistakes *mistakes, unsigned line, const char *written, const char *what);

/* Turn them into one fault and free them.  True when there are none. */
bool mistakes_close(struct mistakes *mistakes, struct fault *fault);

#endif
