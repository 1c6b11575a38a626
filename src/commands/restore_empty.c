/* restore_empty - is the destination empty, and how it becomes so (restore.h).
 *
 * One table of kinds says both: what a restore could collide with, and how each is dropped.  A drop
 * takes with it what depends on it, so each object is looked up by its number in the moment of its
 * turn: what is gone by then is passed over, and what a run that was killed has left is all that
 * the next one finds. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "commands/restore.h"

enum {
    EMPTY_BATCH = 50, /* objects a transaction: each takes a few locks, of some 6,400 by default */
};

struct kind {
    const char *catalog; /* its rows x are objects, unless an extension or another one owns them */
    const char *which;   /* of its rows; NULL: all */
    const char *space;   /* the column of its schema; NULL: it has none */
    const char *mine;    /* may the role drop it?  A schema's owner may drop all in it, also a
                            superuser everything (RemoveObjects() in dropcmds.c) */
    const char *words;   /* behind DROP */
};

#define OWNED(column) "pg_catalog.pg_has_role(x." column ", 'USAGE')"
#define OWNED_BY(catalog, column, key) \
    "coalesce((SELECT pg_catalog.pg_has_role(y." column ", 'USAGE') FROM pg_catalog." catalog \
    " y WHERE y.oid = x." key "), false)"
#define NAMED(words, column) "format('" words " %I', x." column ")"
#define QUALIFIED(words, schema, column) \
    "format('%s %I.%I', " words ", (SELECT nspname FROM pg_catalog.pg_namespace n" \
    " WHERE n.oid = x." schema "), x." column ")"
#define IDENTIFIED(catalog) \
    "(SELECT replace(replace(i.type, '-', ' '), ' object', '') || ' ' || i.identity" \
    " FROM pg_catalog.pg_identify_object('pg_catalog." catalog "'::regclass, x.oid, 0) i)"
#define TYPE_NAME(column) "pg_catalog.format_type(x." column ", NULL)"
#define ON_A_MEMBER(column) \
    "EXISTS (SELECT FROM pg_catalog.pg_depend m WHERE m.deptype = 'e' AND m.objid = x." column \
    " AND m.classid = 'pg_catalog.pg_class'::regclass)"

/* In the order of their drops: first what would watch them, then what holds most of the rest, so
 * that little is left to cascade; of each, the youngest first, which partitions and views are.
 * public stays. */
static const struct kind kinds[] = {
    {"pg_event_trigger", NULL, NULL, OWNED("evtowner"), NAMED("event trigger", "evtname")},
    {"pg_publication", NULL, NULL, OWNED("pubowner"), NAMED("publication", "pubname")},
    {"pg_policy", ON_A_MEMBER("polrelid"), NULL, OWNED_BY("pg_class", "relowner", "polrelid"),
     IDENTIFIED("pg_policy")},
    {"pg_trigger", "NOT x.tgisinternal AND " ON_A_MEMBER("tgrelid"), NULL,
     OWNED_BY("pg_class", "relowner", "tgrelid"), IDENTIFIED("pg_trigger")},
    {"pg_rewrite", "x.rulename <> '_RETURN' AND " ON_A_MEMBER("ev_class"), NULL,
     OWNED_BY("pg_class", "relowner", "ev_class"), IDENTIFIED("pg_rewrite")},
    {"pg_class", "x.relkind IN ('v', 'm')", "relnamespace", OWNED("relowner"),
     QUALIFIED("CASE x.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END",
               "relnamespace", "relname")},
    {"pg_class", "x.relkind IN ('r', 'p', 'f')", "relnamespace", OWNED("relowner"),
     QUALIFIED("CASE x.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END",
               "relnamespace", "relname")},
    {"pg_class", "x.relkind = 'S'", "relnamespace", OWNED("relowner"),
     QUALIFIED("'sequence'", "relnamespace", "relname")},
    {"pg_foreign_server", NULL, NULL, OWNED("srvowner"), NAMED("server", "srvname")},
    {"pg_proc", NULL, "pronamespace", OWNED("proowner"),
     QUALIFIED("'routine'", "pronamespace", "proname") " || '(' || coalesce("
     "(SELECT string_agg('IN ' || pg_catalog.format_type(t, NULL), ', ' ORDER BY n)"
     " FROM unnest(x.proargtypes) WITH ORDINALITY AS a(t, n)), '') || ')'"},
    {"pg_opclass", NULL, "opcnamespace", OWNED("opcowner"), IDENTIFIED("pg_opclass")},
    {"pg_opfamily", NULL, "opfnamespace", OWNED("opfowner"), IDENTIFIED("pg_opfamily")},
    {"pg_operator", NULL, "oprnamespace", OWNED("oprowner"), IDENTIFIED("pg_operator")},
    {"pg_statistic_ext", NULL, "stxnamespace", OWNED("stxowner"), IDENTIFIED("pg_statistic_ext")},
    {"pg_ts_config", NULL, "cfgnamespace", OWNED("cfgowner"), IDENTIFIED("pg_ts_config")},
    {"pg_ts_dict", NULL, "dictnamespace", OWNED("dictowner"), IDENTIFIED("pg_ts_dict")},
    {"pg_ts_template", NULL, "tmplnamespace", "false", IDENTIFIED("pg_ts_template")},
    {"pg_ts_parser", NULL, "prsnamespace", "false", IDENTIFIED("pg_ts_parser")},
    {"pg_conversion", NULL, "connamespace", OWNED("conowner"), IDENTIFIED("pg_conversion")},
    {"pg_collation", NULL, "collnamespace", OWNED("collowner"), IDENTIFIED("pg_collation")},
    {"pg_type", NULL, "typnamespace", OWNED("typowner"), IDENTIFIED("pg_type")},
    {"pg_namespace", "x.nspname <> 'public' AND x.nspname !~ '^pg_'", NULL, OWNED("nspowner"),
     NAMED("schema", "nspname")},
    {"pg_cast", NULL, NULL, OWNED_BY("pg_type", "typowner", "castsource") " OR "
     OWNED_BY("pg_type", "typowner", "casttarget"), IDENTIFIED("pg_cast")},
    {"pg_transform", NULL, NULL, OWNED_BY("pg_type", "typowner", "trftype"),
     "format('transform for %s language %I', " TYPE_NAME("trftype")
     ", (SELECT lanname FROM pg_catalog.pg_language l WHERE l.oid = x.trflang))"},
    {"pg_language", NULL, NULL, OWNED("lanowner"), NAMED("language", "lanname")},
    {"pg_am", NULL, NULL, "false", NAMED("access method", "amname")},
    {"pg_foreign_data_wrapper", NULL, NULL, OWNED("fdwowner"),
     NAMED("foreign data wrapper", "fdwname")},
};

enum { KINDS_COUNT = sizeof kinds / sizeof *kinds };

/* Add FROM and WHERE of the objects of a kind.  16384 is the first number that is not the system's
 * own (FirstNormalObjectId in transam.h). */
static void
add_found(struct text *sql, const struct kind *kind)
{
    text_addf(sql,
              " FROM pg_catalog.%s x WHERE %s AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"
              " WHERE d.deptype IN ('e', 'i') AND d.objid = x.oid AND d.objsubid = 0"
              " AND d.classid = 'pg_catalog.%s'::regclass) AND ",
              kind->catalog, kind->which == NULL ? "true" : kind->which, kind->catalog);
    text_add(sql, "x.oid >= 16384");
    if (kind->space != NULL)
        text_addf(sql, " AND x.%s IN (SELECT oid FROM pg_catalog.pg_namespace"
                       " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')",
                  kind->space);
}

/* Add a query of all that is there: what, may the role drop it. */
static void
add_all_found(struct text *sql)
{
    for (const struct kind *kind = kinds; kind < kinds + KINDS_COUNT; kind++) {
        text_addf(sql, "%sSELECT %s AS what, (%s)", kind == kinds ? "" : " UNION ALL ",
                  kind->words, kind->mine);
        if (kind->space != NULL)
            text_addf(sql, " OR x.%s IN (SELECT oid FROM pg_catalog.pg_namespace n"
                           " WHERE pg_catalog.pg_has_role(n.nspowner, 'USAGE'))", kind->space);
        text_add(sql, " AS mine");
        add_found(sql, kind);
    }
    text_add(sql, " UNION ALL SELECT format('large object %s', x.oid), " OWNED("lomowner")
                  " FROM pg_catalog.pg_largeobject_metadata x"
                  " UNION ALL SELECT format('subscription %I', x.subname), true"
                  " FROM pg_catalog.pg_subscription x WHERE x.subdbid = (SELECT oid"
                  " FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())");
}

/* Each is dropped for itself, by what it is called now. */
static void
add_drops(struct text *sql, const struct kind *kind)
{
    text_add(sql, "FOR o IN SELECT x.oid");
    add_found(sql, kind);
    text_addf(sql,
              " ORDER BY x.oid DESC LOOP\n"
              "  SELECT %s INTO thing FROM pg_catalog.%s x WHERE x.oid = o.oid;\n"
              "  IF thing IS NOT NULL THEN\n"
              "   EXECUTE 'DROP ' || thing || ' CASCADE'; drops := drops + 1;\n"
              "   IF drops %% batch = 0 THEN COMMIT; END IF;\n"
              "  END IF; END LOOP; COMMIT;\n",
              kind->words, kind->catalog);
}

/* One that the role may not drop, or not make again, stays, which does no harm: a dump says CREATE
 * EXTENSION IF NOT EXISTS. */
static const char drop_extensions[] =
    "FOR o IN SELECT extname FROM pg_catalog.pg_extension e WHERE extname <> 'plpgsql' AND"
    "  ((SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) OR NOT EXISTS"
    "  (SELECT FROM pg_catalog.pg_available_extension_versions v WHERE v.name = e.extname"
    "  AND v.version = e.extversion AND v.superuser AND NOT v.trusted)) LOOP\n"
    "  BEGIN EXECUTE format('DROP EXTENSION IF EXISTS %I CASCADE', o.extname);\n"
    "  EXCEPTION WHEN insufficient_privilege THEN NULL; END; COMMIT; END LOOP;\n";

static const char drop_large_objects[] =
    "FOR o IN SELECT oid FROM pg_catalog.pg_largeobject_metadata LOOP\n"
    "  PERFORM pg_catalog.lo_unlink(o.oid); drops := drops + 1;\n"
    "  IF drops % (20 * batch) = 0 THEN COMMIT; END IF; END LOOP; COMMIT;\n";

/* Default privileges have no DROP: the entry goes once it says what holds without it, nothing for
 * those of a schema.  Those of a role that ours is no member of concern nothing that we create. */
#define DEFAULTS_FOUND \
    " FROM pg_catalog.pg_default_acl x WHERE pg_catalog.pg_has_role(x.defaclrole, 'USAGE')" \
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'" \
    " AND d.objid = x.oid AND d.classid = 'pg_catalog.pg_default_acl'::regclass)"

static const char reset_defaults[] =
    "FOR o IN SELECT x.*, format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s', x.defaclrole::regrole,"
    "  ' IN SCHEMA ' || nullif(x.defaclnamespace, 0)::regnamespace) AS alter,"
    "  CASE x.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES'"
    "  WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS'"
    "  ELSE 'LARGE OBJECTS' END AS objects" DEFAULTS_FOUND " LOOP\n"
    "  FOR g IN SELECT DISTINCT grantee FROM pg_catalog.aclexplode(o.defaclacl) LOOP\n"
    "    EXECUTE format('%s REVOKE ALL ON %s FROM %s', o.alter, o.objects,"
    "      CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END); END LOOP;\n"
    "  FOR g IN SELECT * FROM pg_catalog.aclexplode(pg_catalog.acldefault("
    "    CASE o.defaclobjtype WHEN 'S' THEN 's' ELSE o.defaclobjtype END, o.defaclrole))"
    "    WHERE o.defaclnamespace = 0 LOOP\n"
    "    EXECUTE format('%s GRANT %s ON %s TO %s', o.alter, g.privilege_type, o.objects,"
    "      CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END); END LOOP;\n"
    "  END LOOP; COMMIT;\n";

/* pg_dump takes public as a new database has it: what it says of public is said over that.  Its
 * rights and its owner are the destination's own affair unless the dump's are wanted. */
static void
add_public(struct text *sql, const struct restore *restore)
{
    bool since_15 = restore->conn.server_version >= 150000;

    text_addf(sql,
              "IF to_regnamespace('public') IS NULL AND pg_catalog.has_database_privilege("
              "pg_catalog.current_database(), 'CREATE') THEN\n"
              "  CREATE SCHEMA public; GRANT %s ON SCHEMA public TO PUBLIC; END IF;\n"
              "SELECT x.*, pg_catalog.pg_has_role(x.nspowner, 'USAGE') AS mine, "
              "  (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS super,"
              "  pg_catalog.obj_description(x.oid, 'pg_namespace') AS said"
              "  INTO o FROM pg_catalog.pg_namespace x WHERE x.nspname = 'public';\n"
              "IF o.mine AND o.said IS DISTINCT FROM 'standard public schema' THEN"
              "  COMMENT ON SCHEMA public IS 'standard public schema'; END IF;\n",
              since_15 ? "USAGE" : "USAGE, CREATE");
    if (restore->env->owners)
        text_addf(sql, "IF o.super THEN EXECUTE format('ALTER SCHEMA public OWNER TO %%s',"
                       "  %s::regrole); END IF;\n", since_15 ? "'pg_database_owner'" : "10");
    if (restore->env->privileges)
        text_addf(sql,
                  "IF o.mine THEN\n"
                  "  FOR g IN SELECT DISTINCT a.grantee FROM pg_catalog.pg_namespace x,"
                  "  pg_catalog.aclexplode(x.nspacl) a WHERE x.nspname = 'public' LOOP\n"
                  "    EXECUTE format('REVOKE ALL ON SCHEMA public FROM %%s CASCADE',"
                  "      CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END);"
                  "  END LOOP;\n"
                  "  SELECT nspowner::regrole AS owner INTO o FROM pg_catalog.pg_namespace"
                  "  WHERE nspname = 'public';\n"
                  "  EXECUTE format('GRANT ALL ON SCHEMA public TO %%s', o.owner);\n"
                  "  GRANT %s ON SCHEMA public TO PUBLIC; END IF;\n",
                  since_15 ? "USAGE" : "USAGE, CREATE");
}

/* From any point it comes to the same end: what is there is dropped.  COMMIT in between keeps the
 * locks of a transaction few, which max_locks_per_transaction bounds for the whole server. */
static void
add_clean(struct text *sql, const struct restore *restore, unsigned batch)
{
    text_addf(sql, "DO $clean$ DECLARE o record; g record; thing text; drops int := 0;"
                   " batch CONSTANT int := %u; BEGIN\n", batch);
    for (const struct kind *kind = kinds; kind < kinds + KINDS_COUNT; kind++) {
        if (strcmp(kind->catalog, "pg_namespace") == 0)
            text_add(sql, drop_extensions);
        add_drops(sql, kind);
    }
    text_add(sql, drop_large_objects);
    text_add(sql, reset_defaults);
    add_public(sql, restore);
    text_add(sql, "END $clean$");
}

/* What a look at the destination has found. */
struct found {
    unsigned long count, foreign; /* foreign: which the role may not drop */
    const char *example, *examples;     /* of all; of the foreign ones; from the arena */
};

/* A new database holds nothing that is not the system's own.  To plan this takes the server a tenth
 * of what the whole question takes. */
static bool
is_new(struct restore *restore, bool *new, struct fault *fault)
{
    struct text sql = {0};

    text_add(&sql, "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata) OR EXISTS"
                   " (SELECT FROM pg_catalog.pg_subscription) OR EXISTS"
                   " (SELECT FROM pg_catalog.pg_default_acl)");
    for (const struct kind *kind = kinds; kind < kinds + KINDS_COUNT; kind++)
        if (kind == kinds || strcmp(kind->catalog, kind[-1].catalog) != 0)
            text_addf(&sql, " OR EXISTS (SELECT FROM pg_catalog.%s WHERE oid >= 16384)",
                      kind->catalog);
    PGresult *result = pg_query(&restore->conn, "look whether the destination is new",
                                text_of(&sql), fault);
    *new = result != NULL && PQgetvalue(result, 0, 0)[0] == 'f';
    PQclear(result);
    text_free(&sql);
    return result != NULL;
}

static bool
empty_look(struct restore *restore, struct found *found, struct fault *fault)
{
    struct text sql = {0};
    bool new;

    *found = (struct found){.example = "", .examples = ""};
    if (!is_new(restore, &new, fault))
        return false;
    if (new)
        return true;
    text_add(&sql, "WITH found AS (");
    add_all_found(&sql);
    if (restore->env->privileges)
        text_add(&sql, " UNION ALL SELECT format('default privileges of role %s',"
                       " x.defaclrole::regrole), true" DEFAULTS_FOUND);
    text_add(&sql, "), hers AS (SELECT what FROM found WHERE NOT mine"
                   " AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles"
                   "  WHERE rolname = current_user))"
                   " SELECT count(*), min(what), (SELECT count(*) FROM hers),"
                   " (SELECT string_agg(what, ', ') FROM (SELECT what FROM hers ORDER BY what"
                   "  LIMIT 5) AS few) FROM found");
    PGresult *result = pg_query(&restore->conn, "look whether the destination is empty",
                                text_of(&sql), fault);
    text_free(&sql);
    if (result == NULL)
        return false;
    *found = (struct found){
        .count = strtoul(PQgetvalue(result, 0, 0), NULL, 10),
        .foreign = strtoul(PQgetvalue(result, 0, 2), NULL, 10),
        .example = arena_text(&restore->arena, PQgetvalue(result, 0, 1)),
        .examples = arena_text(&restore->arena, PQgetvalue(result, 0, 3)),
    };
    PQclear(result);
    return true;
}

/* A subscription's slot lies at another server, which has to be asked to drop it. */
static bool
subscriptions_refuse(struct restore *restore, struct fault *fault)
{
    PGresult *result = pg_query(&restore->conn, "look for subscriptions",
        "SELECT string_agg(subname, ', ') FROM pg_catalog.pg_subscription s"
        " JOIN pg_catalog.pg_database d ON d.oid = s.subdbid"
        " WHERE d.datname = pg_catalog.current_database()", fault);

    if (result != NULL && !PQgetisnull(result, 0, 0))
        fault_set(fault, ERR_TARGET,
                  "database %s has subscriptions: drop them by hand, for their slots lie elsewhere:"
                  " %s", PQdb(restore->conn.pq), PQgetvalue(result, 0, 0));
    PQclear(result);
    return fault->err == ERR_NONE;
}

bool
restore_may_empty(struct restore *restore, unsigned long *count, const char **example,
                  struct fault *fault)
{
    const char *database = PQdb(restore->conn.pq);
    struct found found;

    if (!empty_look(restore, &found, fault))
        return false;
    *count = found.count;
    *example = found.example;
    if (found.count > 0 && !restore->env->clean)
        return fault_set(fault, ERR_TARGET,
                         "database %s is not empty: %lu objects, among them %s; restore into an "
                         "empty database, or set REPLICA_CLEAN=yes to have it emptied first",
                         database, found.count, found.example);
    if (found.foreign > 0)
        return fault_set(fault, ERR_TARGET,
                         "role %s may not empty database %s, of which nothing was dropped: it does "
                         "not own %lu objects, %s%s; drop them as their owner, or restore into "
                         "another database",
                         PQuser(restore->conn.pq), database, found.foreign, found.examples,
                         found.foreign > 5 ? ", ..." : "");
    return subscriptions_refuse(restore, fault);
}

/* Few locks are to be had where max_locks_per_transaction is small, or others take them. */
static bool
clean_run(struct restore *restore, struct fault *fault)
{
    static const unsigned batches[] = {EMPTY_BATCH, 1};
    struct fault failed = {0};
    bool done = false, again = true;

    for (size_t i = 0; i < sizeof batches / sizeof *batches && !done && again; i++) {
        struct text sql = {0};
        failed = (struct fault){0};
        add_clean(&sql, restore, batches[i]);
        done = pg_run(&restore->conn, "empty the destination", text_of(&sql), &failed);
        again = strcmp(restore->conn.sqlstate, "53200") == 0; /* out of shared memory */
        text_free(&sql);
    }
    fault_hand_over(fault, &failed);
    return done;
}

static bool
extensions_tell(struct restore *restore, struct fault *fault)
{
    PGresult *result = pg_query(&restore->conn, "look for extensions",
                                "SELECT string_agg(extname, ', ' ORDER BY extname)"
                                " FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql'", fault);

    if (result != NULL && !PQgetisnull(result, 0, 0))
        log_info("extensions that role %s may not drop or make again stay: %s",
                 PQuser(restore->conn.pq), PQgetvalue(result, 0, 0));
    PQclear(result);
    return result != NULL;
}

bool
restore_defaults(struct restore *restore, struct text *warning, struct fault *fault)
{
    PGresult *result = pg_query(&restore->conn, "look for default privileges",
        "SELECT string_agg(CASE defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences'"
        " WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas'"
        " ELSE 'large objects' END"
        " || coalesce(' in ' || nullif(defaclnamespace, 0)::regnamespace, ''), ', ')"
        " FROM pg_catalog.pg_default_acl WHERE defaclrole = current_user::regrole", fault);

    if (result != NULL && !PQgetisnull(result, 0, 0))
        text_addf(warning,
                  "ALTER DEFAULT PRIVILEGES has been used in database %s: it gives rights of its"
                  " own to what role %s creates there: %s", PQdb(restore->conn.pq),
                  PQuser(restore->conn.pq), PQgetvalue(result, 0, 0));
    PQclear(result);
    return result != NULL;
}

static bool
defaults_warn(struct restore *restore, struct fault *fault)
{
    struct text warning = {0};
    bool asked = restore_defaults(restore, &warning, fault);

    if (warning.size > 0)
        log_warning("%s", text_of(&warning));
    text_free(&warning);
    return asked;
}

bool
restore_empty(struct restore *restore, struct fault *fault)
{
    unsigned long count;
    const char *example;

    if (!restore_may_empty(restore, &count, &example, fault))
        return false;
    if (!restore->env->clean)
        return defaults_warn(restore, fault);
    log_info("emptying %s: %lu objects", PQdb(restore->conn.pq), count);
    if (!clean_run(restore, fault) || !restore_may_empty(restore, &count, &example, fault))
        return false;
    if (count > 0)
        return fault_set(fault, ERR_TARGET,
                         "unable to empty database %s: %lu objects are left, among them %s",
                         PQdb(restore->conn.pq), count, example);
    return extensions_tell(restore, fault);
}
