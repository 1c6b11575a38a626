/* families - which tables of a destination are partitioned or inherit, and which partitions belong
 * together.
 *
 * What locks a partitioned table locks all of its partitions, so of such a family only the root's
 * name counts.  Names are "schema"."table", both in quotes: as sql_name_add() and
 * text_add_name_pair() write them.
 *
 * Life:   families_read, once the tables are there; read-only then; families_free.
 * Threads: any number of readers. */
#ifndef COMMANDS_FAMILIES_H
#define COMMANDS_FAMILIES_H

#include "base/arena.h"
#include "pg/conn.h"

struct family_member {
    const char *name, *root; /* the root is the table itself where there are no partitions */
    bool partitioned;
    bool heir;               /* it has a parent */
};

struct families {
    struct arena arena;
    struct family_member *members; /* by name */
    size_t count;
};

bool families_read(struct families *families, struct pg_session *conn, struct fault *fault);
void families_free(struct families *families);

/* The member of this name, or NULL: a table that has neither parents nor partitions. */
const struct family_member *families_find(const struct families *families, const char *name);

#endif
