-- dialect_15.sql - what 15 can hold, and older ones, too, in other words.
\set ON_ERROR_STOP on
SET client_min_messages = error;
BEGIN;
CREATE SCHEMA dialect_15;
SET search_path = dialect_15, pg_catalog;
CREATE UNLOGGED SEQUENCE "UNLOGGED" START 5;
CREATE UNLOGGED TABLE fast (a serial, b text, c integer GENERATED ALWAYS AS IDENTITY);
INSERT INTO fast (b) VALUES ('x'), ('y');
ALTER SEQUENCE fast_c_seq SET LOGGED;
CREATE TABLE slow (a integer GENERATED ALWAYS AS IDENTITY);
ALTER SEQUENCE slow_a_seq SET UNLOGGED;
INSERT INTO slow DEFAULT VALUES;
CREATE VIEW told WITH (security_invoker = false, security_barrier = true) AS SELECT a AS security_invoker FROM slow;
COMMIT;
