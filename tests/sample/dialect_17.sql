-- dialect_17.sql - what 17 can hold, and older ones, too, in other words, or with fewer rights.
\set ON_ERROR_STOP on
SET client_min_messages = error;
BEGIN;
CREATE SCHEMA dialect_17;
SET search_path = dialect_17, pg_catalog;
CREATE TABLE kept (a integer);
CREATE TABLE "MAINTAIN" (a integer);
INSERT INTO kept VALUES (1);
GRANT MAINTAIN ON kept TO shop_reader WITH GRANT OPTION;
GRANT SELECT, MAINTAIN, INSERT ON "MAINTAIN" TO shop_reader;
GRANT MAINTAIN, UPDATE ON kept TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA dialect_17 GRANT MAINTAIN ON TABLES TO shop_reader;
CREATE TABLE parts (k integer) PARTITION BY LIST (k) USING heap;
CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
INSERT INTO parts VALUES (1);
CREATE DOMAIN sure AS integer CONSTRAINT "is there" NOT NULL;
CREATE DOMAIN surer AS integer NOT NULL CONSTRAINT positive CHECK (VALUE > 0);
COMMENT ON CONSTRAINT "is there" ON DOMAIN sure IS 'named';
COMMENT ON CONSTRAINT surer_not_null ON DOMAIN surer IS 'by its own name';
COMMENT ON CONSTRAINT positive ON DOMAIN surer IS 'a check';
CREATE TABLE sures (s sure, t surer);
INSERT INTO sures VALUES (1, 2);
COMMIT;
