-- dialect_18.sql - what 18 can hold, and older ones, too, in other words.
\set ON_ERROR_STOP on
SET client_min_messages = error;
BEGIN;
CREATE SCHEMA dialect_18;
SET search_path = dialect_18, pg_catalog;
CREATE TABLE par (a integer CONSTRAINT "a, is" NOT NULL, b text);
CREATE TABLE chi (CONSTRAINT own NOT NULL b, CONSTRAINT a_check CHECK (a > 0)) INHERITS (par);
CREATE TABLE named (a integer CONSTRAINT named_a_not_null NOT NULL, b integer PRIMARY KEY);
COMMENT ON CONSTRAINT "a, is" ON par IS 'a NOT NULL with a name';
COMMENT ON CONSTRAINT own ON chi IS 'its own';
COMMENT ON CONSTRAINT named_a_not_null ON named IS 'of the default name';
COMMENT ON CONSTRAINT a_check ON chi IS 'a check';
INSERT INTO par VALUES (1, NULL);
INSERT INTO chi VALUES (2, 'b');
CREATE TABLE swept (a text) WITH (autovacuum_vacuum_max_threshold = 7, fillfactor = 80, toast.autovacuum_vacuum_max_threshold = 8);
ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO shop_reader;
CREATE SUBSCRIPTION sub_18 CONNECTION 'dbname=nowhere' PUBLICATION pub WITH (connect = false, slot_name = NONE);
COMMIT;
