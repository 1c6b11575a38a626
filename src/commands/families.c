/* families - see families.h. */
#include "commands/families.h"

#include <stdlib.h>
#include <string.h>

/* Ordered as strcmp() does. */
static const char families_sql[] =
    "SELECT * FROM (SELECT format('%I.%I', n.nspname, c.relname) AS name,"
    " format('%I.%I', rn.nspname, r.relname), c.relkind = 'p' AS partitioned, EXISTS (SELECT FROM"
    "  pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) AS heir"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_class r ON r.oid = coalesce(pg_catalog.pg_partition_root(c.oid), c.oid)"
    " JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace"
    " WHERE c.relkind IN ('p', 'r', 'f')) AS families"
    " WHERE partitioned OR heir ORDER BY name COLLATE \"C\"";

bool
families_read(struct families *families, struct pg_session *conn, struct fault *fault)
{
    PGresult *result = pg_query(conn, "read which tables are partitioned", families_sql, fault);

    *families = (struct families){0};
    if (result == NULL)
        return false;
    families->count = (size_t) PQntuples(result);
    families->members = arena_array(&families->arena, families->count, sizeof *families->members);
    for (size_t i = 0; i < families->count; i++)
        families->members[i] = (struct family_member){
            .name = arena_text(&families->arena, PQgetvalue(result, (int) i, 0)),
            .root = arena_text(&families->arena, PQgetvalue(result, (int) i, 1)),
            .partitioned = PQgetvalue(result, (int) i, 2)[0] == 't',
            .heir = PQgetvalue(result, (int) i, 3)[0] == 't',
        };
    PQclear(result);
    return true;
}

void
families_free(struct families *families)
{
    arena_free(&families->arena);
    *families = (struct families){0};
}

static int
by_name(const void *name, const void *member)
{
    return strcmp(name, ((const struct family_member *) member)->name);
}

const struct family_member *
families_find(const struct families *families, const char *name)
{
    return families->count == 0 ? NULL
                                : bsearch(name, families->members, families->count,
                                          sizeof *families->members, by_name);
}
