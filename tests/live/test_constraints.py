"""Promise: every index, key and constraint is what it was, however many build them; and nobody waits in a circle."""

import hashlib
import json
import os
import re

import pytest

import compare
import tool

SCHEMA = """
CREATE SCHEMA "S t";
-- Keys of every form.
CREATE TABLE plain (id integer PRIMARY KEY, b text, c text, UNIQUE (b, c));
CREATE TABLE "S t"."Odd ""name" ("I d" bigint, "x), (" text, CONSTRAINT "odd ""key" PRIMARY KEY ("I d"),
    CONSTRAINT "its ) key" UNIQUE ("x), ("));
CREATE TABLE covering (id integer, b text, c text, PRIMARY KEY (id) INCLUDE (b), UNIQUE (c) INCLUDE (b, id));
CREATE TABLE filled (id integer PRIMARY KEY WITH (fillfactor = 50), b integer UNIQUE WITH (fillfactor = 60));
CREATE TABLE deferred (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, b integer UNIQUE DEFERRABLE);
CREATE TABLE bookings (id integer PRIMARY KEY, room integer, during tsrange, EXCLUDE USING gist (during WITH &&));
CREATE TABLE collated (a text COLLATE "C", b varchar(10), PRIMARY KEY (a, b));
-- What is said about an index behind it.
CREATE TABLE replicated (id integer NOT NULL, b text);
CREATE UNIQUE INDEX replicated_id ON replicated (id);
ALTER TABLE replicated REPLICA IDENTITY USING INDEX replicated_id;
CREATE TABLE replicated_by_key (id integer CONSTRAINT by_key PRIMARY KEY, b text CONSTRAINT by_b UNIQUE NOT NULL);
ALTER TABLE replicated_by_key REPLICA IDENTITY USING INDEX by_b;
CREATE TABLE clustered (id integer PRIMARY KEY, b integer, c integer);
CREATE INDEX clustered_b ON clustered (b);
CREATE INDEX clustered_bc ON clustered ((b + c), c);
ALTER TABLE clustered CLUSTER ON clustered_b;
ALTER INDEX clustered_bc ALTER COLUMN 1 SET STATISTICS 77;
CREATE TABLE clustered_by_key (id integer PRIMARY KEY);
ALTER TABLE clustered_by_key CLUSTER ON clustered_by_key_pkey;
COMMENT ON CONSTRAINT plain_pkey ON plain IS 'a key';
COMMENT ON INDEX clustered_b IS 'an index';
-- Inheritance, partitions, partitions of partitions.
CREATE TABLE parent (id integer PRIMARY KEY, b text);
CREATE TABLE heir (PRIMARY KEY (id), c integer UNIQUE) INHERITS (parent);
CREATE TABLE heir_of_two (d integer) INHERITS (heir, replicated);
CREATE INDEX ON heir_of_two (d);
CREATE TABLE ranges (id integer, k integer, b text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
CREATE TABLE ranges_1 PARTITION OF ranges FOR VALUES FROM (0) TO (100);
CREATE TABLE ranges_2 PARTITION OF ranges FOR VALUES FROM (100) TO (200) PARTITION BY LIST (k);
CREATE TABLE ranges_2a PARTITION OF ranges_2 FOR VALUES IN (100, 101, 102);
CREATE TABLE ranges_2b PARTITION OF ranges_2 DEFAULT;
CREATE INDEX ON ranges (b);
CREATE UNIQUE INDEX ON ranges_1 (b);
ALTER TABLE ranges_2a ADD CONSTRAINT own UNIQUE (id);
CREATE TABLE attached (id integer, k integer, b text, CONSTRAINT attached_before PRIMARY KEY (id, k));
ALTER TABLE ranges ATTACH PARTITION attached FOR VALUES FROM (200) TO (300);
-- Foreign keys: to itself, in circles, to and from partitions, across a key of two columns.
CREATE TABLE tree (id integer PRIMARY KEY, up integer REFERENCES tree);
CREATE TABLE egg (id integer PRIMARY KEY, hen integer);
CREATE TABLE hen (id integer PRIMARY KEY, egg integer REFERENCES egg, layer integer REFERENCES plain);
ALTER TABLE egg ADD FOREIGN KEY (hen) REFERENCES hen DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE egg ADD CONSTRAINT unproven FOREIGN KEY (hen) REFERENCES hen ON DELETE CASCADE NOT VALID;
CREATE TABLE pointing (id integer REFERENCES tree, r_id integer, r_k integer, FOREIGN KEY (r_id, r_k) REFERENCES ranges);
ALTER TABLE ranges ADD COLUMN t integer REFERENCES tree ON DELETE SET NULL;
ALTER TABLE ranges_1 ADD FOREIGN KEY (id) REFERENCES plain;
ALTER TABLE "S t"."Odd ""name" ADD CONSTRAINT "f )" FOREIGN KEY ("I d") REFERENCES plain (id);
-- Rows.
INSERT INTO plain SELECT n, n, md5(n::text) FROM generate_series(1, 5000) AS n;
INSERT INTO "S t"."Odd ""name" SELECT n, n FROM generate_series(1, 1000) AS n;
INSERT INTO covering SELECT n, n, n FROM generate_series(1, 1000) AS n;
INSERT INTO bookings SELECT n, n % 5, tsrange(timestamp '2024-01-01' + n * interval '1 day', timestamp '2024-01-02' + n * interval '1 day')
    FROM generate_series(1, 500) AS n;
INSERT INTO collated SELECT n, n FROM generate_series(1, 1000) AS n;
INSERT INTO deferred SELECT n, n FROM generate_series(1, 1000) AS n;
INSERT INTO clustered SELECT n, -n, n FROM generate_series(1, 5000) AS n;
INSERT INTO heir SELECT n, n, n FROM generate_series(1, 1000) AS n;
INSERT INTO tree SELECT n, nullif(n / 2, 0) FROM generate_series(1, 5000) AS n;
INSERT INTO ranges SELECT 1 + n % 5000, n % 300, n, 1 + n % 5000 FROM generate_series(1, 15000) AS n;
INSERT INTO hen SELECT n, NULL, n FROM generate_series(1, 1000) AS n;
INSERT INTO egg SELECT n, n FROM generate_series(1, 1000) AS n;
UPDATE hen SET egg = id;
INSERT INTO pointing SELECT 1 + n % 5000, 1 + n % 5000, n % 300 FROM generate_series(1, 15000) AS n;
"""

SCHEMA_15 = """
CREATE TABLE nulls (id integer PRIMARY KEY, a integer, b integer, UNIQUE NULLS NOT DISTINCT (a) INCLUDE (b),
    UNIQUE NULLS NOT DISTINCT (a, b));
INSERT INTO nulls SELECT n, n, n FROM generate_series(1, 1000) AS n;
"""

SCHEMA_18 = """
CREATE TABLE temporal (id int4range, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
CREATE TABLE temporal_ref (id int4range, n integer, during daterange, FOREIGN KEY (id, PERIOD during) REFERENCES temporal);
CREATE TABLE named_not_null (id integer CONSTRAINT "must be" NOT NULL PRIMARY KEY, v integer GENERATED ALWAYS AS (id * 2) VIRTUAL);
ALTER TABLE temporal_ref ADD CONSTRAINT lax FOREIGN KEY (n) REFERENCES named_not_null NOT ENFORCED;
INSERT INTO named_not_null SELECT n FROM generate_series(1, 1000) AS n;
"""

# pg_dump says less than the catalog: which index carries a constraint, and whether all are valid.
CATALOG = """
SELECT i.indexrelid::regclass, i.indrelid::regclass, i.indisunique, i.indisprimary, i.indimmediate, i.indisvalid, i.indisready,
    i.indisclustered, i.indisreplident, c.relkind, c.reloptions, p.inhparent::regclass, pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_inherits p ON p.inhrelid = i.indexrelid
WHERE i.indrelid >= 16384 AND c.relnamespace::regnamespace::text !~ '^pg_' ORDER BY 1::text;
SELECT conname, contype, conrelid::regclass, confrelid::regclass, conindid::regclass, condeferrable, condeferred, convalidated,
    conislocal, coninhcount, connoinherit, conkey, confkey, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid >= 16384 ORDER BY 3::text, 1;
SELECT d.classid::regclass, d.deptype, d.refclassid::regclass, d.refobjsubid, pg_describe_object(d.classid, d.objid, d.objsubid),
    pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) FROM pg_depend d
WHERE d.objid >= 16384 AND d.classid IN ('pg_constraint'::regclass, 'pg_class'::regclass) ORDER BY 5, 6, 2;
"""


def change_post_data(store, text):
    """Put other SQL in the place of an uncompressed dump's post-data, with all that the manifest says about it, and
    behind the settings by which every script begins."""
    path = os.path.join(store.dump_path(), "manifest.json")
    with open(path) as file:
        manifest = json.load(file)
    post = manifest["post_data"]
    data = ("SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n" + text).encode()
    with open(os.path.join(store.dump_path(), post["name"]), "wb") as file:
        file.write(data)
    for key in ("stored_bytes", "plain_bytes"):
        manifest[key] += len(data) - post[key]
        post[key] = len(data)
    post["sha256"] = hashlib.sha256(data).hexdigest()
    with open(path, "w") as file:
        json.dump(manifest, file)


def made(server, databases):
    source = databases(server)
    source.sql(SCHEMA)
    if server.version >= 15:
        source.sql(SCHEMA_15)
    if server.version >= 18:
        source.sql(SCHEMA_18)
    return source


def lines(database):
    """Names of TOAST tables hold oids, and the triggers of a foreign key do."""
    text = re.sub(r"pg_toast_\d+", "pg_toast_N", database.sql(CATALOG))
    return sorted(re.sub(r"RI_ConstraintTrigger_(\w)_\d+", r"trigger \1", text).split("\n"))


def all_come_back(server, databases, store, *compared):
    source = made(server, databases)
    tool.dump(source, store)
    before = len(server.log)
    one, four = databases(server), databases(server)
    for jobs, target in ((1, one), (4, four)):
        tool.restore(store, target, REPLICA_JOBS=jobs)
        compare.assert_same(source, target, *compared)
    assert lines(one) == lines(four)
    assert "deadlock detected" not in server.log[before:]
    return server.log[before:]


def test_on_debian_s_server(server, databases, store):
    log = all_come_back(server, databases, store)
    # Where several build, a simple key is an index first; and only there.
    assert log.count("CREATE UNIQUE INDEX plain_pkey ON public.plain") == 1
    assert log.count("PRIMARY KEY USING INDEX plain_pkey") == 1
    assert "PRIMARY KEY USING INDEX ranges_pkey" not in log


def test_on_13(server13, databases, store):
    all_come_back(server13, databases, store, "-O", "-x")


def test_on_18(server18, databases, store):
    all_come_back(server18, databases, store, "-O", "-x")


@pytest.mark.parametrize("attempt", range(3))
def test_foreign_keys_in_circles_do_not_deadlock(server, databases, store, target, attempt):
    """Twelve tables, each of which refers to the next three and to itself, and half of them have partitions."""
    source = databases(server)
    text = ""
    for n in range(12):
        text += "CREATE TABLE t%d (id integer PRIMARY KEY, a integer)%s;" % (
            n, " PARTITION BY HASH (id)" if n % 2 else "")
        for part in range(3 if n % 2 else 0):
            text += "CREATE TABLE t%d_%d PARTITION OF t%d FOR VALUES WITH (MODULUS 3, REMAINDER %d);" % (n, part, n, part)
        text += "INSERT INTO t%d SELECT n, n FROM generate_series(1, 3000) AS n;" % n
    for n in range(12):
        for other in (n, n + 1, n + 2, n + 3):
            text += "ALTER TABLE t%d ADD FOREIGN KEY (a) REFERENCES t%d;" % (n, other % 12)
    source.sql(text)
    tool.dump(source, store)
    before = len(server.log)
    tool.restore(store, target, REPLICA_JOBS=4)
    assert "deadlock detected" not in server.log[before:]
    compare.assert_same(source, target)


def test_names_that_only_one_server_quotes(server, databases, store, target):
    """json is a keyword for pg_dump 18, and none for PostgreSQL 15."""
    source = databases(server)
    source.sql(
        """CREATE SCHEMA json; CREATE SCHEMA system_user;
        CREATE TABLE json.t (id integer PRIMARY KEY, up integer) PARTITION BY RANGE (id);
        CREATE TABLE json.t_1 PARTITION OF json.t FOR VALUES FROM (0) TO (1000);
        CREATE TABLE system_user.json (id integer PRIMARY KEY, t integer REFERENCES json.t);
        ALTER TABLE json.t ADD FOREIGN KEY (up) REFERENCES system_user.json;
        INSERT INTO json.t SELECT n FROM generate_series(1, 900) AS n;
        INSERT INTO system_user.json SELECT n, n FROM generate_series(1, 900) AS n;
        CREATE INDEX ON json.t (up)"""
    )
    tool.dump(source, store)
    tool.restore(store, target, REPLICA_JOBS=4)
    compare.assert_same(source, target)


@pytest.mark.parametrize("jobs", [1, 4])
def test_the_first_failing_key_is_the_sentence(server, databases, store, target, jobs):
    """A dump whose rows break a key: the key is named, and no value."""
    source = databases(server)
    source.sql("CREATE TABLE a (id integer); INSERT INTO a SELECT n / 2 FROM generate_series(1, 1000) AS n")
    tool.dump(source, store, REPLICA_COMPRESS="none")
    post = "ALTER TABLE ONLY public.a\n    ADD CONSTRAINT a_pkey PRIMARY KEY (id);\n"
    change_post_data(store, post)
    result = tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(), REPLICA_JOBS=jobs)
    tool.refused(result, tool.TARGET, "a_pkey", "could not create unique index")
    assert "is duplicated" not in result.err


def test_memory_for_indexes_fits_the_destination(server, databases, store, target):
    """What runs alone: never below the destination's own setting, more where effective_cache_size says that there is."""
    source = databases(server)
    source.sql("CREATE TABLE a (id integer PRIMARY KEY, b integer)")
    tool.dump(source, store, REPLICA_COMPRESS="none")
    change_post_data(store, """CREATE MATERIALIZED VIEW public.seen AS
 SELECT pg_catalog.current_setting('maintenance_work_mem') AS mb
  WITH NO DATA;
        REFRESH MATERIALIZED VIEW public.seen;
        ALTER TABLE ONLY public.a
    ADD CONSTRAINT a_pkey PRIMARY KEY (id);""")
    cases = [
        ({}, 4, "128MB"),
        ({"effective_cache_size": "16GB"}, 4, "512MB"),
        ({"effective_cache_size": "16GB"}, 1, "1GB"),
        ({"effective_cache_size": "16GB", "maintenance_work_mem": "3GB"}, 4, "3GB"),
    ]
    for settings, jobs, expected in cases:
        options = " ".join("-c %s=%s" % item for item in settings.items())
        tool.succeed(
            tool.run(
                "restore",
                REPLICA_FROM=store.url,
                REPLICA_TO=target.url(options=options),
                REPLICA_JOBS=jobs,
                REPLICA_CLEAN="yes",
            )
        )
        assert target.sql("SELECT mb FROM seen") == expected, settings


@pytest.mark.parametrize("indexes, expected", [(1, "256MB"), (2, "16MB"), (5, "16MB")])
def test_indexes_beside_each_other_take_little_memory(server, databases, store, target, indexes, expected):
    """Each index calls a function that fails and tells how much it had: more is slower, but for one alone."""
    source = databases(server)
    source.sql("CREATE TABLE a (b integer); INSERT INTO a VALUES (1)")
    tool.dump(source, store, REPLICA_COMPRESS="none")
    post = """CREATE FUNCTION public.tell(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
        RAISE EXCEPTION 'I had %', pg_catalog.current_setting('maintenance_work_mem'); END $$;\n"""
    post += "".join("CREATE INDEX i%d ON public.a USING btree (public.tell(b));\n" % i for i in range(indexes))
    change_post_data(store, post)
    result = tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(), REPLICA_JOBS=2)
    tool.refused(result, tool.TARGET, "I had %s" % expected)
