"""The databases that the tests dump."""

import os

from servers import ROOT

FOLDER = os.path.join(ROOT, "tests", "sample")
SHARED = os.path.join(os.path.dirname(ROOT), "shared", "data")


def load(server, name, template="template0"):
    """The shipped sample with all that this version of the server can hold."""
    database = server.create(name, template)
    files = ["roles.sql", "shop.sql", "zoo.sql"]
    files += ["zoo_%d.sql" % version for version in (14, 15, 18) if version <= server.version]
    for file in files:
        database.file(os.path.join(FOLDER, file))
    database.sql("ANALYZE")
    return database


def load_shared(server, name):
    """A well-known sample database, or None where it is not at hand."""
    folder = os.path.join(SHARED, name)
    if not os.path.isdir(folder):
        return None
    database = server.create(name)
    for file in {
        "pagila": ["pagila-schema.sql", "pagila-data.sql"],
        "northwind": ["northwind.sql"],
    }[name]:
        # They create plpgsql once more, so not every statement succeeds.
        database.server.psql(
            ["-v", "ON_ERROR_STOP=0", "-f", os.path.join(folder, file)], database.name
        )
    return database


SMALL = """
CREATE TABLE people (id integer PRIMARY KEY, name text NOT NULL, email text UNIQUE, born date, note text);
INSERT INTO people SELECT n, 'name ' || md5('n' || n), md5('e' || n) || '@post.example', date '1950-01-01' + n,
    repeat(md5(n::text), 4) FROM generate_series(1, 4000) AS n;
CREATE TABLE visits (id bigserial PRIMARY KEY, person integer REFERENCES people (id), at timestamp, body text);
INSERT INTO visits (person, at, body) SELECT 1 + n % 4000, timestamp '2024-01-01' + n * interval '1 minute',
    md5('v' || n) || md5('w' || n) || md5('x' || n) FROM generate_series(1, 40000) AS n;
CREATE INDEX ON visits (person);
CREATE INDEX ON visits (body);
CREATE TABLE parts (id integer, region text NOT NULL, body text) PARTITION BY LIST (region);
CREATE TABLE parts_north PARTITION OF parts FOR VALUES IN ('north');
CREATE TABLE parts_other PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT n, (ARRAY['north', 'south', 'west'])[1 + n % 3], md5('p' || n) FROM generate_series(1, 3000) AS n;
CREATE TABLE settings (key text PRIMARY KEY, value text);
INSERT INTO settings VALUES ('a', '1'), ('b', NULL), ('c', '');
CREATE VIEW visits_a_person AS SELECT person, count(*) FROM visits GROUP BY person;
CREATE MATERIALIZED VIEW people_count AS SELECT count(*) FROM people;
SELECT lo_from_bytea(5000, convert_to(repeat('large object ', 5000), 'UTF8'));
ANALYZE;
"""
SMALL_VISITS = 40000
SMALL_ROWS = 4000 + SMALL_VISITS + 3000 + 3


def load_small(server, name):
    database = server.create(name)
    database.sql(SMALL)
    return database


def load_big(server, name, megabytes):
    """One table of about so many megabytes of COPY text, in rows of 1 kB."""
    database = server.create(name)
    database.sql("""
        CREATE TABLE heavy (id integer, a text, b text);
        INSERT INTO heavy SELECT n, (SELECT string_agg(md5((n * 31 + k)::text), '') FROM generate_series(1, 4) AS k),
            repeat(md5(n::text), 27) FROM generate_series(1, %d) AS n;
        ANALYZE heavy""" % (megabytes * 1000))
    return database
