/* families - see families.h. */
#include "commands/families.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const char families_sql[] =
    "SELECT * FROM (SELECT n.nspname, c.relname, rn.nspname, r.relname, c.relkind = 'p'"
    "  AS partitioned, EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)"
    "  AS heir FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_class r ON r.oid = coalesce(pg_catalog.pg_partition_root(c.oid), c.oid)"
    " JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace"
    " WHERE c.relkind IN ('p', 'r', 'f')) AS families(schema, name, root_schema, root)"
    " WHERE partitioned OR heir";

static int
by_name(const void *left, const void *right)
{
    const struct family_member *a = left, *b = right;
    return strcmp(a->name, b->name);
}

/* The table whose schema stands in this column, its name in the next one.  The server's own quoting
 * does not serve: its keywords are those of its version. */
static const char *
name_read(struct arena *arena, const PGresult *result, int row, int column)
{
    struct text name = {0};

    text_add_name_pair(&name, PQgetvalue(result, row, column), PQgetvalue(result, row, column + 1));
    const char *kept = arena_text(arena, text_of(&name));
    text_free(&name);
    return kept;
}

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
            .name = name_read(&families->arena, result, (int) i, 0),
            .root = name_read(&families->arena, result, (int) i, 2),
            .partitioned = PQgetvalue(result, (int) i, 4)[0] == 't',
            .heir = PQgetvalue(result, (int) i, 5)[0] == 't',
        };
    PQclear(result);
    if (families->count > 0)
        qsort(families->members, families->count, sizeof *families->members, by_name);
    return true;
}

void
families_free(struct families *families)
{
    arena_free(&families->arena);
    *families = (struct families){0};
}

const struct family_member *
families_find(const struct families *families, const char *name)
{
    const struct family_member wanted = {.name = name};

    return families->count == 0 ? NULL
                                : bsearch(&wanted, families->members, families->count,
                                          sizeof *families->members, by_name);
}
