-- zoo_14.sql - what PostgreSQL 14 and later add to the zoo; after zoo.sql.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
BEGIN;
CREATE SCHEMA "zoo 14";
SET search_path = "zoo 14", pg_catalog;
CREATE TYPE float_range AS RANGE (subtype = float8, subtype_diff = float8mi, multirange_type_name = "Float Multi");
CREATE TABLE multiranges (i int4multirange, n nummultirange, d datemultirange, f "Float Multi", a int4multirange[]);
INSERT INTO multiranges VALUES ('{[1,3),[5,9)}', '{(,1.5],[3,)}', '{}', '{[1.5,2.5)}', ARRAY['{[1,2)}'::int4multirange, '{}']), ('{}', NULL, NULL, NULL, '{}');
CREATE TABLE compressed (a text COMPRESSION pglz, b text);
INSERT INTO compressed SELECT repeat('compress me ', 2000), n FROM generate_series(1, 10) AS n;
CREATE TABLE infinite (n numeric, n2 numeric);
INSERT INTO infinite VALUES ('Infinity', '-Infinity'), ('NaN', NULL);
CREATE FUNCTION atomic_body(a integer) RETURNS integer
    LANGUAGE sql
    BEGIN ATOMIC
        SELECT a + 1;
        SELECT CASE WHEN a > 0 THEN a + 2 ELSE 0 END;
    END;
CREATE FUNCTION atomic_return(a text) RETURNS text LANGUAGE sql RETURN upper(a) || ';';
CREATE PROCEDURE atomic_procedure(a integer, OUT b integer) LANGUAGE sql BEGIN ATOMIC SELECT a; END;
CREATE TABLE statted (a integer, b integer);
CREATE STATISTICS "by expression" ON (a + b), (a * 2) FROM statted;
CREATE INDEX brin_multi ON statted USING brin (a int4_minmax_multi_ops);
COMMIT;
