-- zoo_15.sql - what PostgreSQL 15 and later add to the zoo; after zoo_14.sql.
\set ON_ERROR_STOP on
SET client_min_messages = error;
BEGIN;
CREATE SCHEMA zoo_15;
SET search_path = zoo_15, pg_catalog;
CREATE TABLE base (a integer PRIMARY KEY, b text, c integer, UNIQUE NULLS NOT DISTINCT (b, c));
INSERT INTO base SELECT n, nullif('b' || n, 'b3'), n FROM generate_series(1, 30) AS n;
CREATE VIEW invoker WITH (security_invoker = true) AS SELECT a FROM base;
CREATE TABLE set_null (a integer, b integer, PRIMARY KEY (a), FOREIGN KEY (b) REFERENCES base (a) ON DELETE SET NULL (b));
CREATE SEQUENCE unlogged_parent;
CREATE UNLOGGED TABLE unlogged_identity (a integer GENERATED ALWAYS AS IDENTITY, b text);
INSERT INTO unlogged_identity (b) VALUES ('x'), ('y');
CREATE PUBLICATION filtered FOR TABLE base (a, b) WHERE (a > 10);
CREATE PUBLICATION by_schema FOR TABLES IN SCHEMA zoo_15;
COMMIT;
