-- dialect_14.sql - what 14 can hold, and 13 too, in other words or without something that only makes it smaller.
\set ON_ERROR_STOP on
SET client_min_messages = error;
BEGIN;
CREATE SCHEMA dialect_14;
SET search_path = dialect_14, pg_catalog;
CREATE TYPE named AS RANGE (subtype = int4, multirange_type_name = "multi, range");
CREATE TABLE nameds (n named);
INSERT INTO nameds VALUES ('[1,5)');
CREATE TABLE small (a text COMPRESSION pglz, b text COMPRESSION pglz NOT NULL, c integer);
INSERT INTO small SELECT repeat('small ', 500), 'b', n FROM generate_series(1, 10) AS n;
CREATE TABLE swept (a text) WITH (vacuum_index_cleanup = auto, fillfactor = 90, toast.vacuum_index_cleanup = auto);
CREATE TABLE swept_only (a text) WITH (vacuum_index_cleanup = auto);
INSERT INTO swept VALUES (1), (2);
CREATE SUBSCRIPTION sub_14 CONNECTION 'dbname=nowhere' PUBLICATION pub
    WITH (connect = false, slot_name = NONE, binary = true, streaming = true, synchronous_commit = local);
COMMIT;
