"""Promise: a rule whose results the destination would refuse is refused before the first byte, by the constraint's
name; one that may be refused is a warning; and no original stays behind a foreign key where no rule hides it."""

import json

import pytest

import tool

SCHEMA = """
CREATE DOMAIN mail AS text CONSTRAINT mail_at CHECK (VALUE ~ '@');
CREATE DOMAIN short_mail AS mail CONSTRAINT short CHECK (length(VALUE) < 12);
CREATE DOMAIN sure AS integer NOT NULL;
CREATE TYPE mood AS ENUM ('sad', 'so so', 'glad');
CREATE FUNCTION spy(text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$BEGIN
    RAISE LOG 'the spy ran as %', session_user; RETURN true; END$$;
CREATE FUNCTION spy_mail(text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$BEGIN
    RAISE LOG 'the spy ran as %', session_user; RETURN true; END$$;
CREATE DOMAIN spied AS text CONSTRAINT spied_check CHECK (spy_mail(VALUE));
CREATE TYPE spied_pair AS (a spied, b integer);
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);
CREATE VIEW spy_view AS SELECT spy('view') AS a;

CREATE TABLE many (id integer PRIMARY KEY, name text CONSTRAINT many_name UNIQUE, code char(3) UNIQUE, flag boolean,
    mail varchar(40) NOT NULL, born date UNIQUE, tenant integer, note text, letter varchar(1),
    UNIQUE (tenant, note), CONSTRAINT excluded EXCLUDE USING btree (name WITH =));
INSERT INTO many SELECT n, 'name ' || n, to_hex(n), n % 2 = 0, n || '@secret.example', date '1970-01-01' + n, n % 3,
    'note ' || n, null FROM generate_series(1, 2000) AS n;
CREATE UNIQUE INDEX many_lower ON many (lower(mail));
CREATE UNIQUE INDEX many_part ON many (letter) WHERE flag;
CREATE TABLE parts (note text, name text);
CREATE UNIQUE INDEX parts_note ON parts (note) WHERE name <> '';
CREATE TABLE two (id integer PRIMARY KEY, name text UNIQUE, pin smallint UNIQUE, void text UNIQUE);
INSERT INTO two VALUES (1, 'alpha', 11, 'x'), (2, 'alpine', 22, 'y');
CREATE TABLE one (name text PRIMARY KEY, mood mood UNIQUE);
INSERT INTO one VALUES ('alone', 'sad');
CREATE TABLE rooms (room integer, during int4range, EXCLUDE USING gist (during WITH &&));
INSERT INTO rooms VALUES (1, '[1,2)'), (2, '[3,4)');

CREATE TABLE parent (id bigint PRIMARY KEY, mail text UNIQUE, name text, area text, nr integer, UNIQUE (area, nr));
CREATE TABLE child (id bigint PRIMARY KEY, mail text CONSTRAINT child_mail REFERENCES parent (mail), up bigint
    CONSTRAINT child_up REFERENCES child, area text, nr integer,
    CONSTRAINT child_area FOREIGN KEY (area, nr) REFERENCES parent (area, nr) MATCH FULL);
CREATE TABLE firm (mail text PRIMARY KEY);
CREATE TABLE loose (mail text);
INSERT INTO loose VALUES ('nobody@secret.example');
ALTER TABLE loose ADD CONSTRAINT loose_mail FOREIGN KEY (mail) REFERENCES firm NOT VALID;
INSERT INTO parent SELECT n, chr(64 + n) || 'bc.' || n || '@secret.example', 'p' || n, 'area ' || n, n
    FROM generate_series(1, 20) AS n;
INSERT INTO child SELECT n, chr(64 + n) || 'bc.' || n || '@secret.example', n, 'area ' || n, n
    FROM generate_series(1, 20) AS n;
CREATE TABLE account (iban varchar(34) PRIMARY KEY);
CREATE TABLE payment (id integer, iban varchar(34), day date, CONSTRAINT payment_iban FOREIGN KEY (iban)
    REFERENCES account) PARTITION BY RANGE (day);
CREATE TABLE payment_old PARTITION OF payment FOR VALUES FROM (MINVALUE) TO ('2000-01-01');
CREATE TABLE payment_new PARTITION OF payment FOR VALUES FROM ('2020-01-01') TO ('2030-01-01');
INSERT INTO account SELECT 'FR' || n FROM generate_series(100, 120) AS n;
INSERT INTO payment SELECT n, 'FR' || 100 + n % 20, date '2020-06-01' + n FROM generate_series(1, 40) AS n;

CREATE TABLE person (id integer PRIMARY KEY, born date CONSTRAINT adult CHECK (born < now() - interval '18 years'),
    level text CONSTRAINT level_known CHECK (level IN ('low', 'high')), mail mail, short short_mail, sure sure,
    low integer, high integer CONSTRAINT high_low CHECK (low < high), code text, secret text,
    year integer GENERATED ALWAYS AS (split_part(code, '-', 2)::integer) STORED,
    spied text CONSTRAINT spied_here CHECK (spy(spied)), likes text CONSTRAINT liked CHECK (likes === likes),
    doc text CONSTRAINT viewed CHECK (table_to_xml('spy_view', false, false, doc) IS NOT NULL), spied_too spied,
    pair spied_pair, CONSTRAINT year_known CHECK (year > 1900),
    mood mood CONSTRAINT not_sad CHECK (mood <> 'sad'), worse mood CONSTRAINT better CHECK (worse < mood), late date);
ALTER TABLE person ADD CONSTRAINT lately CHECK (late < '2000-01-01') NOT VALID;
INSERT INTO person (id, born, level, mail, short, sure, low, high, code, secret, spied, likes, doc, spied_too, mood,
    worse, late) SELECT n, date '1970-01-01' + n, 'low', n || '@secret.example', n || '@x', n, n, n + 1, 'x-' || 1950 + n % 50,
    'TOPSECRET' || n, 'spied', 'likes', '', 'spied', 'glad', 'sad', '1999-01-01' FROM generate_series(1, 150) AS n;
CREATE TABLE future (born date CONSTRAINT adult_then CHECK (born < now() - interval '18 years'));
CREATE TABLE whole (a text, CONSTRAINT whole CHECK (whole IS DISTINCT FROM NULL));
INSERT INTO whole VALUES ('a');
CREATE TABLE few (born date CONSTRAINT few_adult CHECK (born < '1960-01-01'));
INSERT INTO few VALUES ('1955-05-05');
CREATE TABLE indexed (code text, n integer);
CREATE INDEX indexed_code ON indexed ((code::integer));
CREATE INDEX indexed_part ON indexed (n) WHERE 100 / (n - 7) > 0;
INSERT INTO indexed SELECT n, n + 10 FROM generate_series(1, 50) AS n;
CREATE TABLE base (name text CONSTRAINT name_n CHECK (name ~ '^n'));
CREATE TABLE heir (extra text NOT NULL) INHERITS (base);
INSERT INTO heir VALUES ('nobody', 'x');
"""

UNIQUE = [
    ("public.many.name first-name", "many_name", "name"),
    ("public.many.name fixed(x)", "many_name"),
    ("public.many.name redacted", "many_name"),
    ("public.many.name keep-first-char", "many_name"),
    ("public.many.code random", "many_code_key"),
    ("public.many.born random-date", "many_born_key"),
    ("public.many.id keep-first-char", "many_pkey"),
    ("public.many.note fixed('')", "many_tenant_note_key"),
    ("public.many.note first-name", "many_tenant_note_key"),
    ("public.many.mail first-name", "many_lower"),
    ("public.many.mail fixed(a@b)", "many_lower"),
    ("public.two.name redacted(width=0)", "two_name_key"),
    ("public.two.name keep-first-char", "two_name_key"),
    ("public.two.pin fixed(3)", "two_pin_key"),
]

KEYS = [
    ("public.parent.mail email", "child_mail", '"child"."mail" references it', "REPLICA_SKIP_DATA"),
    ("public.child.mail email", "child_mail", '"parent"."mail"', "stays as it is"),
    ("public.parent.mail email; public.child.mail email", "child_mail", "equal results"),
    ("public.parent.mail redacted; public.child.mail redacted(width=9)", "child_mail", "equal results"),
    ("public.parent.mail keep-first-char; public.child.mail keep-first-char", "child_mail"),
    ("public.*.mail random", "child_mail"),
    ("public.parent.mail null", "child_mail"),
    ("public.parent.mail transient; public.child.mail random", "child_mail"),
    ("public.child.id random", "child_up", '"child"."up" references it'),
    ("public.child.up random", "child_up"),
    ("public.child.mail fixed(nobody)", "child_mail"),
    ("public.child.area null", "child_area", "MATCH FULL"),
    ("public.parent.area random", "child_area", '"child"."area" references it'),
    ("public.account.iban random", "payment_iban", '"payment_new"."iban"'),
    ("public.payment.iban random", "payment_iban", '"account"."iban"'),
    ("public.payment_new.iban random", "payment_iban", '"account"."iban"'),
]

CHECKS = [
    ("public.person.born random-date", "adult", " of 100 results"),
    ("public.person.born fixed(2020-01-01)", "adult", "100 of 100 results"),
    ("public.few.born random-date", "few_adult", " of 100 results"),
    ("public.person.level first-name", "level_known", "100 of 100 results"),
    ("public.person.level fixed(middle)", "level_known"),
    ("public.person.level keep-first-char", "level_known"),
    ("public.person.mail random", "mail_at", "domain", "100 of 100 results"),
    ("public.person.mail fixed(nobody)", "mail_at"),
    ("public.person.short email", "short", "domain", "100 of 100 results"),
    ("public.person.short fixed(nobody@nowhere.example)", "short"),
    ("public.person.short fixed(nobody)", "mail_at"),
    ("public.person.high fixed(1)", "high_low", "100 of 100 results"),
    ("public.person.low random", "high_low"),
    ("public.person.code first-name", "year", "can't be computed", "22P02"),
    ("public.person.code fixed(x-1800)", "year_known", "100 of 100 results"),
    ("public.person.worse fixed(glad)", "better", "100 of 100 results"),
    ("public.person.mood fixed(happy)", "happy"),
    ("public.person.sure null", "NOT NULL"),
    ("public.heir.extra null", "NOT NULL"),
    ("public.base.name first-name", "name_n", '"heir"'),
    ("public.indexed.code first-name", "indexed_code", "can't be computed"),
    ("public.indexed.n fixed(7)", "indexed_part", "can't be computed"),
    ("public.payment.day fixed(2010-01-01)", "the partitions of public.payment", "40 of 40 results"),
    ("public.payment.day random-date", "the partitions of public.payment", " of 120 results"),
]

WARNED = [
    ("public.two.name first-name", "two_name_key", "may not hold"),
    ("public.many.name phone-number", "many_name", "may not hold"),
    ("public.many.flag random", "many_part", "predicate"),
    ("public.parts.name random", "parts_note", "predicate"),
    ("public.rooms.during fixed('[1,9)')", "rooms_during_excl", "operators"),
    ("public.loose.mail random", "loose_mail", "NOT VALID"),
    ("public.person.spied random", "spied_here", "is not asked"),
    ("public.person.likes random", "liked", "is not asked"),
    ("public.person.doc random", "viewed", "is not asked"),
    ("public.person.spied_too random", "spied_check", "spied", "is not asked"),
    ("public.person.spied_too fixed(x)", "spied_check", "domain public.spied", "is not asked"),
    ("public.person.pair fixed('(x,1)')", "domain public.spied", "not checked"),
    ("public.person.mood fixed('so so')", "not_sad", "is not asked"),
    ("public.whole.a random", "whole", "is not asked"),
]

# Of these nothing is said, and they come back.
QUIET = [
    "public.many.mail email; public.many.letter null; public.many.code null; public.many.tenant random",
    "public.two.void null; public.two.id random; public.one.name fixed(x); public.one.mood fixed(glad)",
    "public.parent.mail redacted; public.child.mail redacted",
    "public.child.mail null; public.parent.mail email",
    "public.child.area null; public.child.nr null; public.child.up null",
    "public.child.up fixed(7); public.parent.name first-name",
    "public.child.mail fixed(Abc.1@secret.example)",
    "public.payment.iban null; public.account.iban random",
    "public.person.born fixed(1950-01-01); public.person.level fixed(high); public.person.mail email",
    "public.person.short fixed(a@b); public.person.high fixed(1000); public.person.code fixed(x-1999)",
    "public.person.late fixed(2020-01-01); public.future.born random-date; public.base.name fixed(nn)",
    "public.person.worse fixed('so so'); public.person.secret random; public.indexed.code fixed(12)",
    "public.payment.day fixed(1999-12-31)",
]


@pytest.fixture(scope="module")
def source(server):
    database = server.create("rules and constraints")
    database.sql(SCHEMA)
    yield database
    database.drop()


def asked(database, store, rules, **variables):
    """What `check` says of the rules: its exit code, state and sentence."""
    result = tool.run("check", REPLICA_FROM=database.url(), REPLICA_TO=store.url, REPLICA_TRANSFORM=rules,
                      REPLICA_LOG_FORMAT="json", **variables)
    answer = {one["check"]: one for one in json.loads(result.out)["checks"]}["rules"]
    return result.code, answer["state"], answer["text"]


def refuses(database, store, rules, *phrases, **variables):
    """`check` and `dump` refuse the rules with the same words; nothing is in the store."""
    code, state, text = asked(database, store, rules, **variables)
    assert (code, state) == (tool.CONFIGURATION, "failed"), text
    for phrase in phrases:
        assert phrase in text, "%r is not said in: %s" % (phrase, text)
    tool.refused(tool.run("dump", REPLICA_FROM=database.url(), REPLICA_TO=store.url, REPLICA_TRANSFORM=rules,
                          **variables), tool.CONFIGURATION, "REPLICA_TRANSFORM line 1", *phrases[:1])
    assert store.files() == []


def attack(capsys, what, cases, attempt):
    failures = []
    for case in cases:
        try:
            attempt(case)
        except AssertionError as error:
            failures.append("%s: %s" % (case, error))
    with capsys.disabled():
        print("\n%s: %d cases, %d failed" % (what, len(cases), len(failures)))
    assert failures == [], "\n\n".join(failures)


@pytest.mark.parametrize("what, cases", [("unique constraints", UNIQUE), ("foreign keys", KEYS), ("checks", CHECKS)])
def test_what_must_fail_is_refused(source, store, capsys, what, cases):
    attack(capsys, what, cases, lambda case: refuses(source, store, *case))


def test_what_may_fail_is_a_warning(source, store, capsys):
    def attempt(case):
        rules, *phrases = case
        code, state, text = asked(source, store, rules)
        assert (code, state) == (0, "warning"), text
        for phrase in phrases:
            assert phrase in text, "%r is not said in: %s" % (phrase, text)

    attack(capsys, "warnings", WARNED, attempt)


def test_a_dump_warns_as_check_does(source, store):
    result = tool.dump(source, store, REPLICA_TRANSFORM="public.two.name first-name")
    assert "two_name_key may not hold" in result.err and "warning" in result.err


def test_what_holds_is_left_alone_and_comes_back(source, store, databases, server, capsys):
    def attempt(rules):
        code, state, text = asked(source, store, rules)
        assert (code, state) == (0, "ok"), text
        assert "warning" not in tool.dump(source, store, REPLICA_TRANSFORM=rules).err
        target = databases(server)
        tool.restore(store, target)

    attack(capsys, "rules that hold", QUIET, attempt)


def test_no_code_of_users_runs_at_the_source(source, store):
    """Neither by a CHECK of a table or a domain, nor by an operator, nor by a function that runs a query."""
    before = len(source.server.log)
    for rules in [case[0] for case in WARNED if case[0].startswith("public.person")]:
        asked(source, store, rules)
        tool.dump(source, store, REPLICA_TRANSFORM=rules)
    assert "the spy ran" not in source.server.log[before:]
    source.sql("SELECT spy('x')")
    assert "the spy ran" in source.server.log[before:]


def test_no_original_is_sent_back(source, store):
    """The source logs its statements: what we send holds results and places only."""
    before = len(source.server.log)
    rules = "public.person.code fixed(x-1999); public.person.mail email; public.person.high fixed(1000); " \
            "public.person.secret random; public.many.name random"
    code, state, text = asked(source, store, rules)
    assert (code, state) == (0, "ok") and "took a hundred results" in text
    said = source.server.log[before:]
    assert "@example.com" in said  # it logs, and results are in it
    for original in ("TOPSECRET", "@secret.example", "x-195", "name 17"):
        assert original not in said


def test_left_out_tables_and_rows_do_not_count(source, store, target):
    rules = "public.parent.mail email"
    refuses(source, store, rules, "child_mail")
    for skip in ({"REPLICA_SKIP_TABLES": "child"}, {"REPLICA_SKIP_DATA": "child"}):
        code, state, text = asked(source, store, rules, **skip)
        assert code == 0, text
    tool.dump(source, store, REPLICA_TRANSFORM=rules, REPLICA_SKIP_DATA="child")
    tool.restore(store, target)
    assert target.sql("SELECT count(*) FROM parent WHERE mail LIKE '%secret%'") == "0"


def test_a_copy_is_asked_as_well(source, target):
    tool.refused(tool.run("copy", REPLICA_FROM=source.url(), REPLICA_TO=target.url(),
                          REPLICA_TRANSFORM="public.parent.mail email"), tool.CONFIGURATION, "child_mail")
    assert target.sql("SELECT count(*) FROM pg_class WHERE oid >= 16384") == "0"


def test_the_oldest_server(server13, databases, store, capsys):
    database = databases(server13)
    database.sql(SCHEMA)
    before = len(server13.log)
    attack(capsys, "all, on 13", UNIQUE + KEYS + CHECKS, lambda case: refuses(database, store, *case))
    for rules, *phrases in WARNED:
        code, state, text = asked(database, store, rules)
        assert (code, state) == (0, "warning") and phrases[0] in text, text
    for rules in QUIET:
        code, state, text = asked(database, store, rules)
        assert (code, state) == (0, "ok"), text
    assert "the spy ran" not in server13.log[before:]


NEW = """
CREATE TABLE nnd (id integer PRIMARY KEY, a text UNIQUE NULLS NOT DISTINCT, b text);
INSERT INTO nnd VALUES (1, 'x', 'x'), (2, 'y', 'y');
CREATE TABLE par (mail text PRIMARY KEY);
CREATE TABLE chi (mail text, CONSTRAINT chi_mail FOREIGN KEY (mail) REFERENCES par NOT ENFORCED,
    level integer CONSTRAINT low CHECK (level < 3) NOT ENFORCED, v integer GENERATED ALWAYS AS (level + 1) VIRTUAL,
    CONSTRAINT v_low CHECK (v < 4));
INSERT INTO par VALUES ('a@secret.example'), ('b@secret.example');
INSERT INTO chi SELECT 'a@secret.example', 1 FROM generate_series(1, 3);
CREATE TABLE booking (room int4range, during int4range, UNIQUE (room, during WITHOUT OVERLAPS));
INSERT INTO booking VALUES ('[1,1]', '[1,2)'), ('[2,2]', '[1,2)');
"""


def test_the_newest_server(server18, databases, store, capsys):
    database = databases(server18)
    database.sql(SCHEMA + NEW)
    before = len(server18.log)
    attack(capsys, "all, on 18", UNIQUE + KEYS + CHECKS, lambda case: refuses(database, store, *case))
    refuses(database, store, "public.nnd.a null", "nnd_a_key")
    refuses(database, store, "public.chi.level fixed(3)", "v_low", "3 of 3 results")
    for rules, *phrases in WARNED + [("public.par.mail email", "chi_mail", "not enforced"),
                                     ("public.booking.room fixed('[3,3]')", "booking_room_during_key")]:
        code, state, text = asked(database, store, rules)
        assert (code, state) == (0, "warning") and phrases[0] in text, text
    for rules in QUIET + ["public.nnd.b null", "public.chi.level fixed(2)"]:
        code, state, text = asked(database, store, rules)
        assert (code, state) == (0, "ok"), text
    assert "the spy ran" not in server18.log[before:]
