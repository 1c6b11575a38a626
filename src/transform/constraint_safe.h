/* constraint_safe - which expressions of a source's catalog may be evaluated there.
 *
 * The owner of a table must not make us run code of his: a CHECK may call any function, and who
 * dumps may be a superuser.  So an expression is evaluated only if it is made of what PostgreSQL
 * brings along, volatile functions left out, and the few that run a query or find a type by its
 * name.
 *
 * Between our look and the evaluation the owner may put something else in the place of a name
 * (CVE-2024-7348 was such a race in pg_dump).  So no name of a user's stands in what is evaluated,
 * but those of the table and its columns, which are locked.
 *
 * Private to transform/.  Threads: any. */
#ifndef TRANSFORM_CONSTRAINT_SAFE_H
#define TRANSFORM_CONSTRAINT_SAFE_H

/* Functions of PostgreSQL's own that would run what a user has written: those that make XML of a
 * table or query, and those that find a type, its input function or its cast by themselves. */
#define FUNCTIONS_UNSAFE                                                                           \
    "to_xml|^pg_input_|^(array_|row_)?to_jsonb?$|json.*(build|agg|populate|record)"

/* What a tree may consist of, in the spellings of PostgreSQL 13 to 18. */
#define NODES_SAFE                                                                                 \
    "VAR,CONST,OPEXPR,FUNCEXPR,BOOLEXPR,NULLTEST,BOOLEANTEST,SCALARARRAYOPEXPR,ARRAY,ARRAYEXPR,"   \
    "CASE,CASEEXPR,WHEN,CASEWHEN,CASETESTEXPR,COALESCE,COALESCEEXPR,RELABELTYPE,COERCEVIAIO,"      \
    "ARRAYCOERCEEXPR,DISTINCTEXPR,NULLIFEXPR,MINMAX,MINMAXEXPR,SQLVALUEFUNCTION,COLLATE,"          \
    "COLLATEEXPR,COERCETODOMAINVALUE,SUBSCRIPTINGREF"

/* SQL: whether an expression, as the catalog stores it, is built of PostgreSQL's own parts alone
 * (FirstNormalObjectId is 16384).  Columns may be of enums and of domains over such types, which
 * their names do not tell. */
#define EXPRESSION_IS_SAFE(tree)                                                                   \
    "(NOT EXISTS (SELECT FROM pg_catalog.regexp_matches(" tree ", '[{]([A-Z]+)', 'g') AS m"        \
    "  WHERE m[1] <> ALL ('{" NODES_SAFE "}'::text[]))"                                            \
    " AND NOT EXISTS (SELECT FROM pg_catalog.regexp_matches(" tree ","                             \
    "   ':(funcid|opno) ([0-9]+)', 'g') AS m"                                                      \
    "  LEFT JOIN pg_catalog.pg_operator o ON m[1] = 'opno' AND o.oid = m[2]::oid"                  \
    "  LEFT JOIN pg_catalog.pg_proc f"                                                             \
    "   ON f.oid = CASE m[1] WHEN 'opno' THEN o.oprcode::oid ELSE m[2]::oid END"                   \
    "  WHERE f.oid IS NULL OR m[2]::oid >= 16384 OR f.oid >= 16384 OR f.provolatile = 'v'"         \
    "   OR f.proname ~ '" FUNCTIONS_UNSAFE "')"                                                    \
    " AND NOT EXISTS (SELECT FROM pg_catalog.regexp_matches(" tree ","                             \
    "   ':([a-z_]*type)(?:id)? ([0-9]+)', 'gi') AS m"                                              \
    "  JOIN pg_catalog.pg_type t ON t.oid = m[2]::oid"                                             \
    "  LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype"                                    \
    "  WHERE t.oid >= 16384 AND NOT (m[1] IN ('vartype', 'type') AND (t.typtype = 'e'"             \
    "   OR (t.typtype = 'd' AND (b.oid < 16384 OR b.typtype IN ('d', 'e')))))))"

#endif
