-- zoo.sql - one of every awkward thing that PostgreSQL lets people make; what a dump must carry.
-- Loads on PostgreSQL 13 and later as a superuser, after roles.sql.  Newer kinds: zoo_14.sql, zoo_15.sql,
-- zoo_18.sql.  What an installation may lack (hstore, libxml, ICU) stands in DO blocks that look first.
\set ON_ERROR_STOP on
SET client_min_messages = error;
SET TimeZone = 'UTC';
SET IntervalStyle = 'postgres';
BEGIN;

CREATE SCHEMA "Awkward ""Zoo""";
CREATE SCHEMA ext;
CREATE EXTENSION btree_gist WITH SCHEMA ext;
SET search_path = "Awkward ""Zoo""", pg_catalog;

-- Types ----------------------------------------------------------------------------------------------

CREATE TYPE "Mood ""x""" AS ENUM ('sad', 'so so', 'it''s "fine"', E'new\nline', '\N', '');
ALTER TYPE "Mood ""x""" ADD VALUE 'inserted' BEFORE 'so so';
COMMIT; -- a new value may not be used in its own transaction
BEGIN;
CREATE TYPE pair AS (a integer, "B b" text, moods "Mood ""x"""[]);
CREATE TYPE "Nest" AS (p pair, ps pair[]);
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
CREATE DOMAIN positive AS integer DEFAULT 7 CONSTRAINT "is positive" CHECK (VALUE > 0);
CREATE DOMAIN small_positive AS positive NOT NULL CHECK (VALUE < 1000);
CREATE DOMAIN tag_list AS text[] CHECK (array_length(VALUE, 1) < 20);
CREATE DOMAIN pair_domain AS pair CHECK (VALUE IS NULL OR (VALUE).a IS NOT NULL);
CREATE COLLATION "Posix ""C""" (locale = 'POSIX', provider = libc);

-- Values ---------------------------------------------------------------------------------------------

CREATE TABLE texts (n integer PRIMARY KEY, t text, v varchar(80), c char(12), b bytea);
INSERT INTO texts VALUES
    (1, NULL, NULL, NULL, NULL), (2, '', '', '', ''), (3, '\N', '\N', '\N', '\x00'), (4, '\.', '\.', '\.', '\x5c2e'),
    (5, E'a\tb', E'\t', E'\t', '\x09'), (6, E'line\nline', E'\n', E'\n', '\x0a'), (7, E'\r\n', E'\r', E'\r', '\x0d0a'),
    (8, E'\\', E'\\\\', E'\\n', '\x5c5c'), (9, E'\b\f\v', E'\b', E'\f', '\x080c0b'), (10, E'\x01\x7f', E'\x1f', '', '\xff'),
    (11, 'NULL', 'null', '"NULL"', '\x'), (12, '  blanks  ', '  ', 'x  ', NULL), (13, 'é ü ß € 😀', '😀', 'ÅÄÖ', NULL),
    (14, E'\\.\n\\.\n', '\\.', E'\\\n', NULL), (15, E'ends in backslash\\', '\', '\', NULL), (16, '{"a":1}', '{}', '()', NULL),
    (17, 'COPY x FROM stdin;', '--', '/* */', NULL), (18, E'\\restrict abc\n\\unrestrict abc', '\!', '\q', NULL),
    (19, E'\u2028\u00a0\ufeff', 'x', 'y', NULL);
INSERT INTO texts SELECT 100 + n, repeat(chr(32 + n), n * 1000), NULL, NULL, decode(repeat(lpad(to_hex(n), 2, '0'), n * 50), 'hex')
    FROM generate_series(1, 90) AS n;
INSERT INTO texts VALUES (1000, repeat(E'\t\n\\', 400000), NULL, NULL, NULL);

CREATE TABLE only_text (t text);
INSERT INTO only_text VALUES ('\.'), ('\N'), (NULL), (''), (E'\n'), (E'\\.\n'), (E'\\\\.'), ('.');

CREATE TABLE numbers (s smallint, i integer, b bigint, n numeric, np numeric(20,5), r real, d double precision, m money, o oid);
INSERT INTO numbers VALUES
    (-32768, -2147483648, -9223372036854775808, 'NaN', 'NaN', 'NaN', 'NaN', '-92233720368547758.08', 0),
    (32767, 2147483647, 9223372036854775807, 1e-1000, -99999.99999, 'Infinity', '-Infinity', '92233720368547758.07', 4294967295),
    (0, 0, 0, -0.000, 0, '-0', '-0', '0', 1), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (1, 1, 1, repeat('9', 5000)::numeric, 0.1, 1.17549435e-38, 4.9406564584124654e-324, '1.5', 16384),
    (2, 2, 2, 1.10, 1.10, 0.1, 0.1, '2', 2), (3, 3, 3, 123.456e20, 3, 3.4028235e38, 1.7976931348623157e308, '3', 3);

CREATE TABLE times (n serial, d date, t time(3), tz timetz, ts timestamp, tsz timestamptz(3), i interval, iy interval year to month);
INSERT INTO times (d, t, tz, ts, tsz, i, iy) VALUES
    ('infinity', '24:00', '24:00+14', 'infinity', '-infinity', '178000000 years', '1 year 2 mons'),
    ('-infinity', '00:00:00.123', '00:00:00-15:59', '-infinity', 'infinity', '-178000000 years', '-3 mons'),
    ('4713-11-24 BC', '12:00', '12:00:00.000001+00', '4713-11-24 00:00:00 BC', '0001-01-01 00:00:00+00 BC', '-1 mon +2 days -03:04:05.678', '0'),
    ('5874897-12-31', '23:59:59.999', '23:59:59+05:30', '294276-12-31 23:59:59.999999', '2024-02-29 23:59:60+00', '1 day', NULL),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE bits (b1 bit, b5 bit(5), vb bit varying(70), u uuid, ip inet, net cidr, mac macaddr, mac8 macaddr8, lsn pg_lsn, x xid, nm name, ch "char");
INSERT INTO bits VALUES
    (B'1', B'10101', B'', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '16/B374D848', '7', 'a name', 'q'),
    (B'0', B'00000', repeat('01', 35)::varbit, '00000000-0000-0000-0000-000000000000', '255.255.255.255/0', '::/0', 'ffff.ffff.ffff', '0000.0000.0000.0000', '0/0', '4294967295', '', '\'),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE shapes (p point, l line, s lseg, b box, pa path, po polygon, c circle);
INSERT INTO shapes VALUES ('(1.5,-2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(1,2),3>'),
    ('(NaN,Infinity)', NULL, NULL, NULL, '((0,0),(1,1))', NULL, '<(0,0),1e300>');

CREATE TABLE documents (n integer, j json, jb jsonb, jp jsonpath, v tsvector, q tsquery);
INSERT INTO documents VALUES
    (1, '{"a": 1,  "a": 2, "t": "tab\tnew\nline\\ \u00e9 \u0000"}', '{"b": [1, 2.50, null, true, {"c": "\\\\ \" \n"}], "a": 1e100}', '$.a[*] ? (@ > 1)',
     'fat:1A cat:2B,3C ''it''''s'':4 ''back\\slash'':5', '''fat'' & (cat:AB | !dog) <-> ''it''''s'''),
    (2, 'null', '"text"', 'strict $', '', ''), (3, '[]', '{}', NULL, NULL, NULL),
    (4, E'{\n\t"pretty" : "yes"\n}', '1', '$', 'a b', 'a');

CREATE TABLE "Arrays" (i integer[], m integer[][], t text[], c "Mood ""x"""[], b bytea[], d tag_list, low integer[], ps pair[], dates date[]);
INSERT INTO "Arrays" VALUES
    ('{1,NULL,3}', '{{1,2},{3,NULL}}', ARRAY['', 'NULL', NULL, 'a "q" \b', E'tab\there', E'new\nline', '{}', 'a,b', ' sp '], '{sad,"it''s \"fine\"",""}',
     ARRAY['\x00'::bytea, '\x5c'], '{x,"y z"}', '[-2:0]={7,8,9}', ARRAY[ROW(1, 'x "y"', '{sad}')::pair, NULL], '{infinity,2020-01-01}'),
    ('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('{{{1},{2}},{{3},{4}}}', NULL, '{{a,b},{"c\\d",NULL}}', NULL, NULL, NULL, '[0:0][5:6]={{1,2}}', NULL, NULL);

CREATE TABLE composites (n small_positive, p pair, nested "Nest", pd pair_domain);
INSERT INTO composites VALUES
    (1, ROW(1, E'(paren), "q" \\ \t', ARRAY['sad', '\N']::"Mood ""x"""[]), ROW(ROW(2, NULL, NULL), ARRAY[ROW(3, '', '{}')::pair])::"Nest", ROW(9, 'in', NULL)),
    (2, ROW(NULL, NULL, NULL), NULL, NULL), (3, NULL, ROW(NULL, NULL), ROW(0, '', '{}'));

CREATE TABLE "Ranges" (i int4range, b int8range, n numrange, d daterange, ts tsrange, tsz tstzrange, t textrange, a int4range[]);
INSERT INTO "Ranges" VALUES
    ('[1,5)', '(,)', '[1.10,2.5]', '[2020-01-01,infinity)', '[2020-01-01 00:00,2021-01-01 00:00)', 'empty', '["a,b","c""d]"]', '{"[1,2)",empty}'),
    ('empty', NULL, '(,5)', '(,2020-01-01)', '(-infinity,infinity)', '[2020-01-01 00:00+00,)', '(A,"\\\\z")', '{}');

-- Names ----------------------------------------------------------------------------------------------

CREATE TABLE "Mixed Case.with dot" ("Id" integer, "select" text, "a ""quoted"" column" text, "dot.ted" text, "back\slash" text,
    "per%cent" text, "ünïcode 😀" text, "semi;colon--" text, "$1" text);
INSERT INTO "Mixed Case.with dot" SELECT n, 's' || n, 'q' || n, 'd' || n, '\' || n, '%' || n, 'ü' || n, ';' || n, '$' || n FROM generate_series(1, 50) AS n;
CREATE TABLE "new
line	tab" ("col
umn" text, "tab	column" integer DEFAULT 3);
INSERT INTO "new
line	tab" VALUES ('a'), (E'b\nc');
CREATE TABLE "'single' \ ""double""" ("'" text, """" text, "\" text, " " text);
INSERT INTO "'single' \ ""double""" VALUES ('1', '2', '3', '4'), (NULL, '', '\', '''');
CREATE TABLE "a name of exactly sixty-three bytes, the longest there is: 63.." ("table" integer);
INSERT INTO "a name of exactly sixty-three bytes, the longest there is: 63.." VALUES (63);
CREATE TABLE "*" ("?" integer);
INSERT INTO "*" VALUES (42);
CREATE TABLE " leading and trailing " (" " integer);
INSERT INTO " leading and trailing " VALUES (1);
CREATE TABLE "public.customers" (id integer);
INSERT INTO "public.customers" VALUES (1);
CREATE INDEX "Index ""on"" it" ON "Mixed Case.with dot" ("dot.ted", ("a ""quoted"" column" || 'x'));

-- Shapes of tables -----------------------------------------------------------------------------------

CREATE TABLE no_columns ();
INSERT INTO no_columns SELECT FROM generate_series(1, 37);
CREATE TABLE no_columns_no_rows ();
CREATE TABLE no_rows (a integer, b text);
CREATE TABLE dropped (a integer, gone text, b text, gone_too integer, c text DEFAULT 'late');
INSERT INTO dropped SELECT n, 'gone', 'b' || n, n FROM generate_series(1, 100) AS n;
ALTER TABLE dropped DROP COLUMN gone;
ALTER TABLE dropped DROP COLUMN gone_too;
ALTER TABLE dropped ADD COLUMN added integer NOT NULL DEFAULT 5;
CREATE TABLE all_dropped (a integer, b integer);
INSERT INTO all_dropped VALUES (1, 2), (3, 4);
ALTER TABLE all_dropped DROP COLUMN a;
ALTER TABLE all_dropped DROP COLUMN b;
CREATE TABLE generated (a integer, double integer GENERATED ALWAYS AS (a * 2) STORED, b text, upper_b text GENERATED ALWAYS AS (upper(b)) STORED);
INSERT INTO generated (a, b) SELECT n, 'text ' || n FROM generate_series(1, 500) AS n;
CREATE TABLE only_generated (g integer GENERATED ALWAYS AS (40 + 2) STORED, h text GENERATED ALWAYS AS ('x' || 'y') STORED);
INSERT INTO only_generated SELECT FROM generate_series(1, 11);
CREATE TABLE identities (a integer GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT -3 MINVALUE -1000 MAXVALUE 200 CYCLE), b text,
    c smallint GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME "Own ""Seq""" CACHE 5));
INSERT INTO identities (b) SELECT 'row ' || n FROM generate_series(1, 20) AS n;

DO $$
DECLARE
    columns text;
    names text;
    vals text;
BEGIN
    SELECT string_agg(format('%I %s', 'c' || n, (ARRAY['integer', 'text', 'boolean', 'date', 'numeric(8,2)'])[1 + n % 5]), ', ' ORDER BY n)
        INTO columns FROM generate_series(1, 1600) AS n;
    EXECUTE 'CREATE TABLE widest (' || columns || ')';
    -- A row must fit into a page, so most of its values are NULL or short.
    SELECT string_agg(CASE WHEN n % 9 = 0 THEN 'NULL'
                           ELSE (ARRAY['%1$s', 'CASE WHEN %1$s %% 2 = 0 THEN '''' END', '%1$s %% 2 = 0', 'NULL', 'NULL'])[1 + n % 5] END, ', ' ORDER BY n)
        INTO vals FROM generate_series(1, 1600) AS n;
    EXECUTE 'INSERT INTO widest SELECT ' || replace(replace(vals, '%1$s', 'r'), '%%', '%') || ' FROM generate_series(1, 150) AS r';
END $$;

CREATE UNLOGGED TABLE unlogged_one (a integer PRIMARY KEY, b text);
INSERT INTO unlogged_one SELECT n, 'u' || n FROM generate_series(1, 200) AS n;
CREATE TABLE parent (id integer PRIMARY KEY, kind text CHECK (kind <> 'never'), note text DEFAULT 'from parent');
CREATE TABLE "Child ""one""" (extra integer, note text DEFAULT 'from child') INHERITS (parent);
CREATE TABLE other_parent (weight numeric);
CREATE TABLE grand_child (deep text) INHERITS ("Child ""one""", other_parent);
INSERT INTO parent SELECT n, 'parent' FROM generate_series(1, 10) AS n;
INSERT INTO "Child ""one""" SELECT n, 'child', 'c', n * 2 FROM generate_series(11, 30) AS n;
INSERT INTO grand_child SELECT n, 'grand', 'g', n, n / 3.0, 'deep' FROM generate_series(31, 35) AS n;
INSERT INTO other_parent VALUES (1.5), (NULL);
CREATE TABLE typed OF pair (a PRIMARY KEY, "B b" WITH OPTIONS DEFAULT 'typed');
INSERT INTO typed VALUES (1, 'one', '{sad}'), (2, NULL, NULL);
CREATE TABLE like_it (LIKE generated INCLUDING ALL);
INSERT INTO like_it (a, b) VALUES (1, 'x');

CREATE TABLE lists (k text, v integer, CONSTRAINT not_small CHECK (v > -100)) PARTITION BY LIST (k);
CREATE TABLE "lists a,b" PARTITION OF lists FOR VALUES IN ('a', 'b', 'it''s "x"', NULL);
CREATE TABLE lists_default PARTITION OF lists DEFAULT;
CREATE TABLE lists_no_leaf PARTITION OF lists FOR VALUES IN ('empty') PARTITION BY RANGE (v);
-- A leaf whose columns stand in another order, with a dropped one among them.
CREATE TABLE lists_odd (v integer, gone text, k text, CONSTRAINT not_small CHECK (v > -100));
ALTER TABLE lists_odd DROP COLUMN gone;
ALTER TABLE lists ATTACH PARTITION lists_odd FOR VALUES IN ('odd');
INSERT INTO lists SELECT (ARRAY['a', 'b', 'it''s "x"', NULL, 'zzz', 'odd'])[1 + n % 6], n FROM generate_series(1, 300) AS n;
CREATE TABLE hashed (id bigint, "Mood" text) PARTITION BY HASH (id, "Mood");
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE hashed_2 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO hashed SELECT n, 'm' || n % 5 FROM generate_series(1, 400) AS n;
CREATE INDEX ON hashed (id);
CREATE INDEX hashed_invalid ON ONLY hashed ("Mood");

-- Behaviour ------------------------------------------------------------------------------------------

CREATE TABLE egg (id integer PRIMARY KEY, hen integer, note text);
CREATE TABLE hen (id integer PRIMARY KEY, egg integer NOT NULL REFERENCES egg (id) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO egg SELECT n, n, 'egg' FROM generate_series(1, 20) AS n;
INSERT INTO hen SELECT n, n FROM generate_series(1, 20) AS n;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE egg ADD CONSTRAINT "egg needs hen" FOREIGN KEY (hen) REFERENCES hen (id) MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL;
CREATE TABLE bookings (room integer, during tsrange, EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (room > 0) DEFERRABLE);
INSERT INTO bookings SELECT n % 5, tsrange(timestamp '2020-01-01' + n * interval '1 hour', timestamp '2020-01-01' + (n + 1) * interval '1 hour') FROM generate_series(1, 60) AS n;
CREATE TABLE unchecked (a integer);
INSERT INTO unchecked VALUES (-1), (1);
ALTER TABLE unchecked ADD CONSTRAINT "not yet valid" CHECK (a > 0) NOT VALID;

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION 'trigger % fired during a restore; $$ ; -- \restrict', TG_NAME;
END $body$;
CREATE TABLE guarded (a integer, b text);
INSERT INTO guarded SELECT n, 'g' || n FROM generate_series(1, 50) AS n;
CREATE TRIGGER "Guard ""it""" BEFORE INSERT OR UPDATE OF b ON guarded FOR EACH ROW WHEN (NEW.a > 0) EXECUTE FUNCTION refuse('arg''s', '\x');
CREATE TRIGGER sleeping AFTER DELETE ON guarded FOR EACH STATEMENT EXECUTE FUNCTION refuse();
ALTER TABLE guarded DISABLE TRIGGER sleeping;
CREATE CONSTRAINT TRIGGER constrained AFTER INSERT ON guarded DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TABLE ruled (a integer, b text);
INSERT INTO ruled SELECT n, 'r' || n FROM generate_series(1, 50) AS n;
CREATE RULE "swallow ""it""" AS ON INSERT TO ruled DO INSTEAD NOTHING;
CREATE RULE log_it AS ON UPDATE TO ruled WHERE new.a > 5 DO ALSO INSERT INTO unchecked VALUES (new.a);

CREATE FUNCTION add_them(a integer, b integer DEFAULT 3, VARIADIC rest integer[] DEFAULT '{}') RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 7 AS 'SELECT $1 + $2';
CREATE FUNCTION "Odd ""name"" (x)"(OUT one integer, INOUT two text, "In Q" pair DEFAULT NULL) LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog SET work_mem = '1MB' AS $f$ BEGIN one := 1; /* ; $$ ' */ END $f$;
CREATE FUNCTION rows_of() RETURNS TABLE (x integer, y text) LANGUAGE sql ROWS 5 AS E'SELECT 1, ''a\\\\b;''';
CREATE PROCEDURE do_nothing(INOUT n integer) LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
CREATE AGGREGATE product_of(integer) (sfunc = int4mul, stype = integer, initcond = '1');
CREATE OPERATOR <<>> (leftarg = integer, rightarg = integer, function = int4ne, commutator = <<>>);
CREATE OPERATOR FAMILY odd_ops USING btree;
CREATE OPERATOR CLASS int4_reverse FOR TYPE integer USING btree AS OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <,
    FUNCTION 1 btint4cmp(integer, integer);
CREATE FUNCTION pair_to_text(pair) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ($1).a::text';
CREATE CAST (pair AS text) WITH FUNCTION pair_to_text(pair) AS ASSIGNMENT;
CREATE CONVERSION odd_conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH DICTIONARY simple_stop (TEMPLATE = simple, accept = false);
CREATE TEXT SEARCH CONFIGURATION "Own search" (COPY = english);
ALTER TEXT SEARCH CONFIGURATION "Own search" ALTER MAPPING FOR asciiword WITH simple_stop, simple;
CREATE TABLE searched (t text, v tsvector);
CREATE INDEX searched_idx ON searched USING gin (to_tsvector('"Awkward ""Zoo"""."Own search"', t));
INSERT INTO searched SELECT 'word number ' || n, to_tsvector('english', 'word number ' || n) FROM generate_series(1, 100) AS n;

-- A matview and views; letters stand against the order in which they must be made.
CREATE VIEW v_c AS SELECT id, kind FROM parent WHERE id < 100;
CREATE VIEW v_b AS SELECT kind, count(*) AS n FROM v_c GROUP BY kind;
CREATE MATERIALIZED VIEW z_first AS SELECT kind, n FROM v_b ORDER BY kind;
CREATE MATERIALIZED VIEW a_second AS SELECT sum(n) AS total FROM z_first;
CREATE UNIQUE INDEX z_first_idx ON z_first (kind);
CREATE MATERIALIZED VIEW "Never filled" AS SELECT * FROM parent WITH NO DATA;
CREATE VIEW updatable WITH (security_barrier) AS SELECT a, b FROM guarded WHERE a > 0 WITH LOCAL CHECK OPTION;
CREATE RECURSIVE VIEW counting (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM counting WHERE n < 5;
CREATE TABLE turned (a integer PRIMARY KEY, b text);
CREATE VIEW grouped AS SELECT t.* FROM turned t GROUP BY t.a;
INSERT INTO turned VALUES (1, 'x');

CREATE SEQUENCE never_called START 17 INCREMENT 5;
CREATE SEQUENCE "Called ""once""" AS smallint MINVALUE -5 MAXVALUE 5 START -5 CYCLE CACHE 3;
SELECT nextval('"Called ""once"""');
CREATE SEQUENCE set_back;
SELECT setval('set_back', 9000000000, false);
CREATE UNLOGGED TABLE with_serial (id serial, t text);
CREATE SEQUENCE owned OWNED BY dropped.a;
SELECT setval('owned', 12345);

CREATE TABLE stored (a text, b text, c integer) WITH (fillfactor = 40, autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE stored ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE MAIN, ALTER c SET STATISTICS 77, ALTER c SET (n_distinct = -0.5);
INSERT INTO stored SELECT repeat('x', 5000), 'b', n FROM generate_series(1, 20) AS n;
CREATE TABLE clustered (a integer, b text, CONSTRAINT "pk it" PRIMARY KEY (a) WITH (fillfactor = 50), UNIQUE (b));
INSERT INTO clustered SELECT n, 'c' || n FROM generate_series(1, 100) AS n;
CLUSTER clustered USING "pk it";
CREATE TABLE replica_full (a integer);
ALTER TABLE replica_full REPLICA IDENTITY FULL;
CREATE TABLE replica_index (a integer NOT NULL);
CREATE UNIQUE INDEX replica_index_idx ON replica_index (a);
ALTER TABLE replica_index REPLICA IDENTITY USING INDEX replica_index_idx;
CREATE STATISTICS "Stat ""x""" (ndistinct, dependencies) ON a, b FROM clustered;
CREATE ACCESS METHOD heap_too TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE other_method (a integer) USING heap_too;
INSERT INTO other_method VALUES (1), (2);
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER "No ""where""" FOREIGN DATA WRAPPER nowhere OPTIONS (host 'it''s', "a b" 'c');
CREATE FOREIGN TABLE far_away (a integer OPTIONS (x 'y'), b text) SERVER "No ""where""";
CREATE USER MAPPING FOR CURRENT_USER SERVER "No ""where""" OPTIONS (user 'x');
CREATE TABLE policed (a integer, owner name);
CREATE POLICY "own ""rows""" ON policed FOR SELECT TO shop_reader USING (owner = CURRENT_USER);
CREATE TABLE collated (a text COLLATE "Posix ""C""", b text COLLATE "C");
INSERT INTO collated VALUES ('Ä', 'b'), ('a', 'B');
CREATE INDEX collated_idx ON collated (a COLLATE "C", b text_pattern_ops);
CREATE PUBLICATION "Pub ""x""" FOR TABLE clustered, parent WITH (publish = 'insert, update');
CREATE PUBLICATION pub_all FOR ALL TABLES;

-- What not every installation has ----------------------------------------------------------------------

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'hstore') THEN
        CREATE EXTENSION hstore WITH SCHEMA ext;
        CREATE TABLE hstores (h ext.hstore, hs ext.hstore[]);
        INSERT INTO hstores VALUES ('a=>1, "b \"q\""=>NULL, ""=>"", "back\\"=>"tab	"', ARRAY['x=>y', '']::ext.hstore[]), ('', '{}'), (NULL, NULL);
        CREATE INDEX hstores_idx ON hstores USING gin (h ext.gin_hstore_ops);
    END IF;
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citext') THEN
        CREATE EXTENSION citext WITH SCHEMA ext;
        CREATE TABLE citexts (c ext.citext PRIMARY KEY);
        INSERT INTO citexts VALUES ('MiXed'), ('');
    END IF;
    IF EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i') THEN
        CREATE COLLATION "Loose" (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE loose (t text COLLATE "Loose" UNIQUE);
        INSERT INTO loose VALUES ('ABC'), ('déf');
    END IF;
    BEGIN
        PERFORM '<a/>'::xml;
        CREATE TABLE xmls (x xml, xs xml[]);
        INSERT INTO xmls VALUES ('<a b="c">t &amp; é<!-- x --></a>', ARRAY['<x/>'::xml, 'text']), ('', '{}'), (NULL, NULL);
    EXCEPTION WHEN feature_not_supported THEN NULL;
    END;
END $$;

-- Large objects ----------------------------------------------------------------------------------------

SELECT lo_from_bytea(4200001, '\x00ff0a0d5c2e');
SELECT lo_from_bytea(4200002, '');
SELECT lo_from_bytea(4200003, decode(repeat(md5('big') || '000a5c', 80000), 'hex'));
SELECT lo_from_bytea(4200004, convert_to('text of an object', 'UTF8'));
COMMENT ON LARGE OBJECT 4200003 IS 'more than a megabyte; it''s "big"';
ALTER LARGE OBJECT 4200004 OWNER TO "Zoo ""Keeper""";
GRANT SELECT ON LARGE OBJECT 4200001 TO shop_reader;
CREATE TABLE with_objects (id integer, object oid);
INSERT INTO with_objects VALUES (1, 4200001), (2, 4200003);

-- Who may what, and what people say about it --------------------------------------------------------------

GRANT USAGE ON SCHEMA "Awkward ""Zoo""" TO shop_reader;
GRANT CREATE ON SCHEMA "Awkward ""Zoo""" TO "Zoo ""Keeper""";
ALTER TABLE parent OWNER TO "Zoo ""Keeper""";
ALTER SEQUENCE never_called OWNER TO "Zoo ""Keeper""";
ALTER FUNCTION rows_of() OWNER TO shop_owner;
GRANT SELECT, INSERT ON texts TO shop_reader WITH GRANT OPTION;
GRANT SELECT ("Id"), UPDATE ("dot.ted") ON "Mixed Case.with dot" TO shop_reader, PUBLIC;
GRANT USAGE ON SEQUENCE set_back TO "Zoo ""Keeper""";
REVOKE ALL ON FUNCTION add_them(integer, integer, integer[]) FROM PUBLIC;
REVOKE USAGE ON TYPE pair FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA "Awkward ""Zoo""" GRANT SELECT ON TABLES TO shop_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
COMMENT ON SCHEMA "Awkward ""Zoo""" IS 'It''s a "zoo"
-- of two lines; \restrict x
\.
– ünïcode 😀';
COMMENT ON COLUMN "Mixed Case.with dot"."a ""quoted"" column" IS '$$ $body$ E''\n''';
COMMENT ON TABLE "new
line	tab" IS 'name with a newline';
COMMENT ON FUNCTION refuse() IS 'refuses';
COMMENT ON CONSTRAINT "not yet valid" ON unchecked IS 'constraint''s';
COMMENT ON TRIGGER "Guard ""it""" ON guarded IS 'trigger';
COMMENT ON INDEX "Index ""on"" it" IS 'index';
COMMENT ON TYPE "Mood ""x""" IS 'enum';
COMMENT ON SEQUENCE set_back IS 'sequence';

-- The last thing, for it forbids what came before.
CREATE FUNCTION zoo_is_closed() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_event_trigger_ddl_commands() WHERE schema_name ~ 'Zoo') THEN
        RAISE EXCEPTION 'the zoo is closed';
    END IF;
END $$;
CREATE EVENT TRIGGER "closed ""zoo""" ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION zoo_is_closed();
COMMIT;
