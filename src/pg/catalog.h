/* catalog - what a database holds, read once under the dump's snapshot.
 *
 * Only what replica itself needs: tables with rows to copy, their columns, and the lineage by which
 * a rule on a parent holds for its children.  The schema's text is pg_dump's business.  Tables of
 * extensions are not here, but for their configuration tables (pg_extension.extconfig).
 *
 * Life:   catalog_read fills it from an arena, which owns everything; read-only afterwards.
 * Threads: any number of readers. */
#ifndef PG_CATALOG_H
#define PG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"
#include "pg/conn.h"
#include "pg/pattern.h"
#include "pg/snapshot.h"

/* What kind of values a column holds, seen through domains; what a transformer asks for. */
enum value_kind {
    VALUE_OTHER,     /* arrays, composites, ranges, bytea, json, enums, …: only null and fixed */
    VALUE_TEXT,      /* text, varchar, bpchar, citext, name */
    VALUE_INTEGER,   /* int2, int4, int8 */
    VALUE_NUMERIC,   /* numeric */
    VALUE_FLOAT,     /* float4, float8 */
    VALUE_BOOLEAN,
    VALUE_DATE,      /* date */
    VALUE_TIMESTAMP, /* timestamp, timestamptz */
    VALUE_UUID,
};

struct column {
    const char *name;
    const char *type;        /* as format_type() writes it, for people and the manifest */
    const char *base_type;   /* pg_type.typname below all domains: "varchar", "int4", "_text"; of a
                                user's type as format_type() writes it, with its schema */
    enum value_kind kind;
    int length_max;          /* characters of varchar(n), bpchar(n), name (63 bytes); 0 = none */
    int byte_width;          /* 2, 4, 8 for integers; 4, 8 for floats; else 0 */
    int precision, scale;    /* of numeric(p,s), s may be negative; precision 0 = not declared */
    bool not_null;
    bool blank_padded;       /* bpchar */
    bool with_zone;          /* timestamptz */
    bool other_encoding;     /* its texts are in another encoding than UTF8, and not in SQL_ASCII,
                                which is none: bytes that look like UTF-8 are other characters */
    bool generated;          /* GENERATED ALWAYS AS (...): never copied, so never a leak of its own,
                                but the destination computes it from the other columns */
};

struct table {
    uint32_t oid;
    const char *schema, *name;
    char kind;                  /* pg_class.relkind: 'r' table, 'p' partitioned, 'v' view, 'm' its
                                   materialized kind, 'f' foreign table; only 'r' holds rows that
                                   are copied */
    bool included;              /* its structure goes into the dump */
    bool copied;                /* its rows go into the dump */
    bool readable;              /* the role may SELECT from it, and so lock it */
    bool filtered;              /* row-level security would hide rows from the role */
    bool unstable;              /* partitioned by hash of an enum, whose values get other hashes
                                   wherever the type is made anew */
    bool portable;              /* COPY's binary format carries its rows to any server that is not
                                   older: it has none but plain built-in types */
    bool of_extension;          /* an extension makes it; only its rows may be copied */
    unsigned late;              /* 0: its rows may be loaded at any time; else after those of all
                                   tables where it is 0, and of those where it is less */
    const char *condition;      /* "WHERE ..." as the extension of a configuration table gave it,
                                   or NULL */
    uint64_t bytes, rows_estimate;
    uint64_t blocks;            /* of its heap, by which its rows can be copied in ranges; 0: it is
                                   another access method's, or the server's too old */
    struct column *columns;     /* in COPY's order; without dropped ones, with generated ones */
    size_t columns_count;
    const uint32_t *ancestors;  /* oids of partitioned and inherited parents, nearest first */
    size_t ancestors_count;
};

struct catalog {
    struct table *tables;       /* every user table and view, included or not, by schema and name */
    size_t tables_count;
    const char **lost;          /* beginnings of the statements, as pg_dump writes them, that would
                                   fail without a table that is not included, or without the rows
                                   of one that is: foreign keys to it,
                                   its place in a publication, rules, policies and functions that
                                   use it */
    size_t lost_count;
    bool large_objects;         /* they go into the dump */
    uint64_t large_objects_count;
};

/* Which tables a dump takes, empty lists mean all, none, none; and whether large objects. */
struct selection {
    struct patterns tables, skip_tables, skip_data;
    bool large_objects;
};

/* Read the catalog under the connection's snapshot, mark what the selection takes, and hold the
 * chosen tables by ACCESS SHARE locks (hold.h).  Where one was altered, emptied, renamed or dropped
 * between snapshot and lock, all begins again: snapshot is then another one.  uri is the
 * connection's.  Refuses, each with a sentence (ERR_CONFIG or ERR_SOURCE), a pattern that matches
 * nothing, a table or large object the role may not read, a table whose rows a policy would hide,
 * and one that is altered again and again. */
bool catalog_read(struct pg_session *conn, const char *uri, const struct selection *selection,
                  struct arena *arena, struct snapshot *snapshot, struct catalog *catalog,
                  struct fault *fault);

/* What a selection takes: children of what is skipped are skipped, parents of what is taken are
 * taken without rows; called by catalog_read. */
bool selection_mark(const struct selection *selection, struct catalog *catalog,
                    struct fault *fault);

/* What follows from it: views that need a skipped table are skipped, and what lost_find finds;
 * called by catalog_read. */
bool selection_follow(struct pg_session *conn, struct arena *arena, struct catalog *catalog,
                      struct fault *fault);

/* Find the statements that fail without what the selection leaves out, for catalog->lost, with a
 * log line for each object.  Refuses (ERR_CONFIG) a selection in which something else needs what
 * goes with a table that is left out, as a column of its row type does.  Called by
 * selection_follow. */
bool lost_find(struct pg_session *conn, struct arena *arena, struct catalog *catalog,
               struct fault *fault);

/* Find the tables whose rows must be loaded after all others, one table after the other: loading
 * them computes or checks something by functions that may read other tables.  Their order is
 * pg_dump's, by which a restore of its own goes right: by schema and name, but for extensions'
 * tables first those that others refer to.  Called by catalog_read. */
bool late_find(struct pg_session *conn, struct arena *arena, struct catalog *catalog,
               struct fault *fault);

/* Run a query to which the tables and views that are not included are known as missing(oid), and
 * with all that goes with them as gone(class, oid); tables whose rows are not copied, included or
 * not, as bare(oid).  As pg_query. */
PGresult *lost_query(struct pg_session *conn, const struct catalog *catalog, const char *doing,
                     const char *query, struct fault *fault);

/* Find a table by exact names; NULL when there is none. */
const struct table *catalog_table(const struct catalog *catalog, const char *schema,
                                  const char *name);

/* Find a table by its oid; NULL when there is none. */
const struct table *catalog_table_by_oid(const struct catalog *catalog, uint32_t oid);

#endif
