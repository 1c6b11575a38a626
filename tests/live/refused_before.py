"""What a schema can hold since a version, and no older server can be told: refused, by name, before a restore begins."""

# (since, what the refusal says, SQL that makes it in a schema of its own, how many statements are refused)
CONSTRUCTS = [
    (18, "a virtual generated column", "CREATE TABLE t (a integer, v integer GENERATED ALWAYS AS (a * 2) VIRTUAL)"),
    (18, "a NOT NULL that is not inherited", "CREATE TABLE t (a integer NOT NULL NO INHERIT)"),
    (18, "a NOT NULL that is not inherited", "CREATE TABLE p (a text); CREATE TABLE t (NOT NULL a NO INHERIT) INHERITS (p)"),
    (18, "a NOT NULL that is not valid yet", "CREATE TABLE t (a integer); ALTER TABLE t ADD CONSTRAINT n NOT NULL a NOT VALID"),
    (18, "NOT ENFORCED", "CREATE TABLE t (a integer CHECK (a > 0) NOT ENFORCED)"),
    (18, "NOT ENFORCED", "CREATE TABLE p (a integer PRIMARY KEY); CREATE TABLE t (a integer REFERENCES p NOT ENFORCED)"),
    (18, "WITHOUT OVERLAPS", "CREATE TABLE t (a int4range, b daterange, PRIMARY KEY (a, b WITHOUT OVERLAPS))"),
    (18, "a foreign key with PERIOD", "CREATE TABLE p (a int4range, b daterange, PRIMARY KEY (a, b WITHOUT OVERLAPS));"
     " CREATE TABLE t (a int4range, b daterange, FOREIGN KEY (a, PERIOD b) REFERENCES p (a, PERIOD b))", 2),
    (18, "a foreign key of a partitioned table", "CREATE TABLE p (a integer PRIMARY KEY);"
     " CREATE TABLE t (a integer) PARTITION BY LIST (a); ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p NOT VALID"),
    (18, "publish_generated_columns", "CREATE PUBLICATION generated WITH (publish_generated_columns = stored)"),
    (18, "RETURNING WITH", "CREATE TABLE t (a integer); CREATE FUNCTION f() RETURNS integer LANGUAGE sql"
     " BEGIN ATOMIC UPDATE t SET a = 1 RETURNING WITH (OLD AS o) o.a; END"),
    (17, "the event login", "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
     " CREATE EVENT TRIGGER at_login ON login EXECUTE FUNCTION f()"),
    (17, "the locale provider builtin", "CREATE COLLATION c (provider = builtin, locale = 'C.UTF-8')"),
    (17, "JSON_TABLE()", "CREATE VIEW v AS SELECT * FROM JSON_TABLE('[1]'::jsonb, '$[*]' COLUMNS (a integer PATH '$'))"),
    (17, "JSON_VALUE()", "CREATE VIEW v AS SELECT JSON_VALUE('{}'::jsonb, '$.a') AS a"),
    (17, "JSON_QUERY()", "CREATE MATERIALIZED VIEW v AS SELECT JSON_QUERY('{}'::jsonb, '$.a') AS a"),
    (17, "JSON_EXISTS()", "CREATE TABLE t (j jsonb CHECK (JSON_EXISTS(j, '$.a')))"),
    (17, "JSON_SCALAR()", "CREATE VIEW v AS SELECT JSON_SCALAR(1) AS a"),
    (17, "JSON_SERIALIZE()", "CREATE VIEW v AS SELECT JSON_SERIALIZE('{}') AS a"),
    (17, "AT LOCAL", "CREATE VIEW v AS SELECT timestamp '2024-01-01' AT LOCAL AS a"),
    (17, "MERGE with NOT MATCHED BY SOURCE", "CREATE TABLE t (a integer); CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC"
     " MERGE INTO t USING (SELECT 1 AS a) AS s ON t.a = s.a WHEN NOT MATCHED BY SOURCE THEN DELETE; END"),
    (17, "failover", "CREATE SUBSCRIPTION failing CONNECTION 'dbname=x' PUBLICATION p"
     " WITH (connect = false, slot_name = NONE, failover = true)"),
    (16, "IS JSON", "CREATE TABLE t (a text CHECK (a IS JSON OBJECT))"),
    (16, "JSON_OBJECT()", "CREATE VIEW v AS SELECT JSON_OBJECT('a': 1) AS a"),
    (16, "JSON_ARRAY()", "CREATE VIEW v AS SELECT JSON_ARRAY(1, 2) AS a"),
    (16, "JSON_OBJECTAGG()", "CREATE VIEW v AS SELECT JSON_OBJECTAGG('a': 1) AS a"),
    (16, "JSON_ARRAYAGG()", "CREATE VIEW v AS SELECT JSON_ARRAYAGG(1) AS a"),
    (16, "SYSTEM_USER", "CREATE TABLE t (a text DEFAULT SYSTEM_USER)"),
    (16, "origin", "CREATE SUBSCRIPTION original CONNECTION 'dbname=x' PUBLICATION p"
     " WITH (connect = false, slot_name = NONE, origin = none)"),
    (16, "password_required = false", "CREATE SUBSCRIPTION trusting CONNECTION 'dbname=x' PUBLICATION p"
     " WITH (connect = false, slot_name = NONE, password_required = false)"),
    (15, "NULLS NOT DISTINCT", "CREATE TABLE t (a integer UNIQUE NULLS NOT DISTINCT)"),
    (15, "NULLS NOT DISTINCT", "CREATE TABLE t (a integer); CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT"),
    (15, "ON DELETE SET NULL", "CREATE TABLE p (a integer, b integer, PRIMARY KEY (a, b)); CREATE TABLE t (a integer, b integer,"
     " FOREIGN KEY (a, b) REFERENCES p ON DELETE SET NULL (b))"),
    (15, "ON DELETE SET DEFAULT", "CREATE TABLE p (a integer, b integer, PRIMARY KEY (a, b)); CREATE TABLE t (a integer,"
     " b integer DEFAULT (1 + 1), FOREIGN KEY (a, b) REFERENCES p ON DELETE SET DEFAULT (b))"),
    (15, "security_invoker", "CREATE VIEW v WITH (security_invoker = true) AS SELECT 1 AS a"),
    (15, "a publication with a list of columns", "CREATE TABLE t (a integer, b text); CREATE PUBLICATION columns FOR TABLE t (a)"),
    (15, "a publication with WHERE", "CREATE TABLE t (a integer); CREATE PUBLICATION filtering FOR TABLE t WHERE (a > 1)"),
    (15, "a publication of a whole schema", "CREATE PUBLICATION whole FOR TABLES IN SCHEMA CURRENT_SCHEMA"),
    (15, "two_phase", "CREATE SUBSCRIPTION phased CONNECTION 'dbname=x' PUBLICATION p"
     " WITH (connect = false, slot_name = NONE, two_phase = true)"),
    (15, "disable_on_error", "CREATE SUBSCRIPTION giving_up CONNECTION 'dbname=x' PUBLICATION p"
     " WITH (connect = false, slot_name = NONE, disable_on_error = true)"),
    (15, "MERGE", "CREATE TABLE t (a integer); CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC"
     " MERGE INTO t USING (SELECT 1 AS a) AS s ON t.a = s.a WHEN MATCHED THEN DELETE; END"),
    (14, "a body in SQL", "CREATE FUNCTION f(a integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT a; END"),
    (14, "a body in SQL", "CREATE FUNCTION f(a integer) RETURNS integer LANGUAGE sql RETURN a + 1"),
    (14, "an argument OUT of a procedure", "CREATE PROCEDURE f(a integer, OUT b integer) LANGUAGE plpgsql AS 'BEGIN b := a; END'"),
    (14, "statistics on an expression", "CREATE TABLE t (a integer, b integer); CREATE STATISTICS s ON (a + b), a FROM t"),
    (14, "statistics on an expression", "CREATE TABLE t (a text); CREATE STATISTICS s ON lower(a) FROM t"),
    (14, "GROUP BY DISTINCT", "CREATE TABLE t (a integer, b integer);"
     " CREATE VIEW v AS SELECT a, b FROM t GROUP BY DISTINCT ROLLUP (a), ROLLUP (a, b)"),
    (14, "SEARCH", "CREATE VIEW v AS WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r WHERE a < 3)"
     " SEARCH DEPTH FIRST BY a SET o SELECT a FROM r"),
    (14, "CYCLE", "CREATE VIEW v AS WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r WHERE a < 3)"
     " CYCLE a SET c USING p SELECT a FROM r"),
    (14, "SUBSTRING with SIMILAR", "CREATE VIEW v AS SELECT substring('abc' SIMILAR 'a#\"b#\"c' ESCAPE '#') AS a"),
]


def made(construct, number):
    """The SQL that makes a construct in a schema of its own."""
    since, what, sql = construct[:3]
    schema = "c%d" % number
    return "CREATE SCHEMA %s; SET search_path = %s, pg_catalog; %s;\n" % (schema, schema, sql.replace("CURRENT_SCHEMA", schema))


def statements(construct):
    return construct[3] if len(construct) > 3 else 1
