/* restore_empty - is the destination empty, and how it becomes so (restore.h). */
#include <stdlib.h>

#include "base/log.h"
#include "commands/restore.h"

/* What users made beside schemas; 16384 is the first oid that is not the system's own
 * (FirstNormalObjectId in PostgreSQL's transam.h). */
#define OF_USERS(catalog) \
    "SELECT '" catalog "'::regclass AS classid, x.oid FROM " catalog " x WHERE x.oid >= 16384" \
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'" \
    " AND d.classid = '" catalog "'::regclass AND d.objid = x.oid)"
#define GLOBAL_OBJECTS \
    OF_USERS("pg_catalog.pg_am") " UNION ALL " OF_USERS("pg_catalog.pg_cast") " UNION ALL " \
    OF_USERS("pg_catalog.pg_language") " UNION ALL " OF_USERS("pg_catalog.pg_foreign_data_wrapper")

/* What a restore would collide with.  Extensions do not: a dump says CREATE EXTENSION IF NOT
 * EXISTS. */
static const char leftovers_sql[] =
    "WITH member AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'),"
    " space AS (SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_'"
    "  AND nspname <> 'information_schema'),"
    " found(what) AS ("
    "  SELECT format('%I.%I', nspname, relname) FROM pg_catalog.pg_class c"
    "   JOIN space ON space.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
    "   AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_catalog.pg_class'::regclass"
    "   AND objid = c.oid)"
    "  UNION ALL SELECT format('%I.%I()', nspname, proname) FROM pg_catalog.pg_proc p"
    "   JOIN space ON space.oid = pronamespace WHERE NOT EXISTS (SELECT FROM member"
    "   WHERE classid = 'pg_catalog.pg_proc'::regclass AND objid = p.oid)"
    "  UNION ALL SELECT format('type %I.%I', nspname, typname) FROM pg_catalog.pg_type t"
    "   JOIN space ON space.oid = typnamespace WHERE typtype IN ('d', 'e', 'r') AND NOT EXISTS ("
    "   SELECT FROM member WHERE classid = 'pg_catalog.pg_type'::regclass AND objid = t.oid)"
    "  UNION ALL SELECT format('schema %I', nspname) FROM space WHERE nspname <> 'public'"
    "   AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_catalog.pg_namespace'::regclass"
    "   AND objid = space.oid)"
    "  UNION ALL SELECT format('publication %I', pubname) FROM pg_catalog.pg_publication"
    "  UNION ALL SELECT format('event trigger %I', evtname) FROM pg_catalog.pg_event_trigger e"
    "   WHERE NOT EXISTS (SELECT FROM member"
    "   WHERE classid = 'pg_catalog.pg_event_trigger'::regclass AND objid = e.oid)"
    "  UNION ALL SELECT format('server %I', srvname) FROM pg_catalog.pg_foreign_server"
    "  UNION ALL SELECT format('%s %s', i.type, i.identity) FROM (" GLOBAL_OBJECTS ") g,"
    "   pg_catalog.pg_identify_object(g.classid, g.oid, 0) i"
    "  UNION ALL SELECT format('large object %s', oid) FROM pg_catalog.pg_largeobject_metadata) "
    "SELECT count(*), min(what) FROM found";

/* Each step drops what may hold on to the next.  COMMIT in between keeps the number of locks small;
 * public itself stays, with its owner and rights, for pg_dump takes it as given.  An extension that
 * the role may not drop stays, which does no harm. */
static const char clean_sql[] =
    "DO $clean$ DECLARE o record; n int := 0; BEGIN\n"
    "IF EXISTS (SELECT FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d"
    "  ON d.oid = s.subdbid WHERE d.datname = current_database()) THEN"
    "  RAISE 'the database has subscriptions: drop them by hand, for their slots lie elsewhere';"
    "  END IF;\n"
    "FOR o IN SELECT evtname FROM pg_catalog.pg_event_trigger e WHERE NOT EXISTS (SELECT FROM"
    "  pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_event_trigger'::regclass"
    "  AND d.objid = e.oid AND d.deptype = 'e')"
    "  LOOP EXECUTE format('DROP EVENT TRIGGER %I', o.evtname); END LOOP;\n"
    "FOR o IN SELECT pubname FROM pg_catalog.pg_publication"
    "  LOOP EXECUTE format('DROP PUBLICATION %I', o.pubname); END LOOP;\n"
    "FOR o IN SELECT srvname FROM pg_catalog.pg_foreign_server"
    "  LOOP EXECUTE format('DROP SERVER %I CASCADE', o.srvname); END LOOP;\n"
    "FOR o IN SELECT c.relkind, n.nspname, c.relname FROM pg_catalog.pg_class c"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')"
    "  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT FROM"
    "  pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid"
    "  AND d.deptype = 'e') LOOP"
    "  EXECUTE format('DROP TABLE IF EXISTS %I.%I CASCADE', o.nspname, o.relname);"
    "  n := n + 1; IF n % 50 = 0 THEN COMMIT; END IF; END LOOP; COMMIT;\n"
    "FOR o IN SELECT extname FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' LOOP BEGIN"
    "  EXECUTE format('DROP EXTENSION IF EXISTS %I CASCADE', o.extname);"
    "  EXCEPTION WHEN insufficient_privilege THEN NULL; END; END LOOP;\n"
    "FOR o IN SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_'"
    "  AND nspname NOT IN ('information_schema', 'public')"
    "  LOOP EXECUTE format('DROP SCHEMA %I CASCADE', o.nspname); COMMIT; END LOOP;\n"
    "FOR o IN SELECT CASE i.type WHEN 'statistics object' THEN 'statistics' ELSE i.type END"
    "  AS type, i.identity"
    "  FROM pg_catalog.pg_depend d, pg_catalog.pg_identify_object(d.classid, d.objid, 0) i"
    "  WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.deptype = 'n'"
    "  AND d.refobjid = to_regnamespace('public') AND d.classid <> ALL (ARRAY["
    "   'pg_catalog.pg_extension'::regclass, 'pg_catalog.pg_default_acl'::regclass])"
    "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend m WHERE m.classid = d.classid"
    "   AND m.objid = d.objid AND m.deptype IN ('e', 'i'))"
    "  LOOP EXECUTE format('DROP %s IF EXISTS %s CASCADE', o.type, o.identity);"
    "  n := n + 1; IF n % 50 = 0 THEN COMMIT; END IF; END LOOP; COMMIT;\n"
    "FOR o IN SELECT replace(i.type, '-', ' ') AS type, i.identity FROM (" GLOBAL_OBJECTS ") g,"
    "  pg_catalog.pg_identify_object(g.classid, g.oid, 0) i"
    "  LOOP EXECUTE format('DROP %s IF EXISTS %s CASCADE', o.type, o.identity); END LOOP;\n"
    "FOR o IN SELECT oid FROM pg_catalog.pg_largeobject_metadata LOOP"
    "  PERFORM pg_catalog.lo_unlink(o.oid); n := n + 1;"
    "  IF n % 1000 = 0 THEN COMMIT; END IF; END LOOP;\n"
    "END $clean$";

bool
restore_leftovers(struct restore *restore, unsigned long *count, char **example,
                  struct fault *fault)
{
    PGresult *result = pg_query(&restore->conn, "look whether the destination is empty",
                                leftovers_sql, fault);
    if (result == NULL)
        return false;
    *count = strtoul(PQgetvalue(result, 0, 0), NULL, 10);
    *example = arena_text(&restore->arena, PQgetvalue(result, 0, 1));
    PQclear(result);
    return true;
}

bool
restore_empty(struct restore *restore, struct fault *fault)
{
    unsigned long count;
    char *example;
    const char *database = PQdb(restore->conn.pq);

    if (!restore_leftovers(restore, &count, &example, fault))
        return false;
    if (count == 0 && !restore->env->clean)
        return true;
    if (!restore->env->clean)
        return fault_set(fault, ERR_TARGET,
                         "database %s is not empty: %lu objects, among them %s; restore into an "
                         "empty database, or set REPLICA_CLEAN=yes to have it emptied first",
                         database, count, example);

    log_info("emptying %s: %lu objects", database, count);
    if (!pg_run(&restore->conn, "empty the destination", clean_sql, fault) ||
        !restore_leftovers(restore, &count, &example, fault))
        return false;
    if (count > 0)
        return fault_set(fault, ERR_TARGET,
                         "unable to empty database %s: %lu objects are left, among them %s",
                         database, count, example);
    return true;
}
