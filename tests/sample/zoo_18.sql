-- zoo_18.sql - what PostgreSQL 16 to 18 add to the zoo; after zoo_15.sql.
\set ON_ERROR_STOP on
SET client_min_messages = error;
BEGIN;
CREATE SCHEMA zoo_18;
SET search_path = zoo_18, ext, pg_catalog;
CREATE TABLE virtual (a integer, v integer GENERATED ALWAYS AS (a * 3) VIRTUAL, s integer GENERATED ALWAYS AS (a * 4) STORED, b text);
INSERT INTO virtual (a, b) SELECT n, 'v' || n FROM generate_series(1, 50) AS n;
CREATE TABLE only_virtual (v integer GENERATED ALWAYS AS (1) VIRTUAL);
INSERT INTO only_virtual SELECT FROM generate_series(1, 5);
CREATE TABLE named_not_null (a integer CONSTRAINT "a is ""there""" NOT NULL, b integer);
ALTER TABLE named_not_null ADD CONSTRAINT b_later NOT NULL b NOT VALID;
INSERT INTO named_not_null VALUES (1, 2);
CREATE TABLE unenforced (a integer CHECK (a > 0) NOT ENFORCED);
INSERT INTO unenforced VALUES (-1);
CREATE TABLE temporal (id integer, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
INSERT INTO temporal VALUES (1, '[2020-01-01,2021-01-01)'), (1, '[2021-01-01,2022-01-01)');
CREATE TABLE temporal_child (id integer, t integer, during daterange,
    FOREIGN KEY (t, PERIOD during) REFERENCES temporal (id, PERIOD during));
INSERT INTO temporal_child VALUES (1, 1, '[2020-06-01,2021-06-01)');
CREATE TABLE identity_parts (id integer GENERATED ALWAYS AS IDENTITY, k integer) PARTITION BY LIST (k);
CREATE TABLE identity_part_1 PARTITION OF identity_parts FOR VALUES IN (1);
INSERT INTO identity_parts (k) VALUES (1), (1);
COMMIT;
