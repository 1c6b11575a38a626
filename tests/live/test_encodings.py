"""Promise: a database in any server encoding keeps its bytes."""

import pytest

import compare
import tool


def made(databases, server, encoding, client, table):
    """A database in an encoding, with a table whose bytes psql sends as they are."""
    source = databases(server, None, encoding=encoding, lc_collate="C", lc_ctype="C")
    source.sql("SET client_encoding = '%s';\n%s" % (client, table))
    return source


CASES = [
    (
        "LATIN1",
        "UTF8",
        "CREATE TABLE \"tâble\" (\"ñame\" text); INSERT INTO \"tâble\" VALUES ('café'), ('ÿþ'), (E'a\\tb\\\\')",
    ),
    (
        "EUC_JP",
        "UTF8",
        "CREATE TABLE \"表\" (t text); INSERT INTO \"表\" VALUES ('日本語'), ('表\\表'), ('ｶﾅ')",
    ),
    ("WIN1251", "UTF8", "CREATE TABLE t (t text); INSERT INTO t VALUES ('Привет'), ('ё')"),
    # In SQL_ASCII no byte above 127 has a meaning; these are no UTF-8.
    (
        "SQL_ASCII",
        "SQL_ASCII",
        "CREATE TABLE t (t text); INSERT INTO t VALUES (E'\\xff\\xfe'), (E'\\xc3'), (E'\\xe9t\\xe9'), (E'caf\\xc3\\xa9')",
    ),
]


@pytest.mark.parametrize("encoding, client, table", CASES, ids=[case[0] for case in CASES])
def test_bytes_are_kept(server, databases, store, encoding, client, table):
    source = made(databases, server, encoding, client, table)
    target = databases(server, None, encoding=encoding, lc_collate="C", lc_ctype="C")
    tool.dump(source, store)
    tool.restore(store, target)
    compare.assert_same(source, target)
    assert store.manifest()["encoding"] == encoding


def test_a_destination_in_another_encoding_gets_the_same_characters(
    server, databases, store, target
):
    source = made(databases, server, *CASES[0])
    tool.dump(source, store)
    tool.restore(store, target)
    assert (
        target.sql('SELECT string_agg("ñame", \',\' ORDER BY "ñame") FROM "tâble"')
        == "a\tb\\,café,ÿþ"
    )


def test_bytes_that_the_destination_can_not_hold_are_an_error(server, databases, store, target):
    source = made(databases, server, *CASES[3])
    tool.dump(source, store)
    result = tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url())
    tool.refused(result, tool.TARGET, "encoding")


def test_a_rule_works_in_another_encoding(server, databases, store):
    source = made(databases, server, *CASES[0])
    target = databases(server, None, encoding="LATIN1", lc_collate="C", lc_ctype="C")
    tool.dump(source, store, REPLICA_TRANSFORM='public."tâble"."ñame" random')
    tool.restore(store, target)
    query = "SET client_encoding = 'UTF8';\nSELECT \"ñame\" FROM \"tâble\""
    before, after = (set(database.sql(query).splitlines()) for database in (source, target))
    assert len(before) == len(after) == 3 and not before & after


# Three characters of EUC_JP, EUC_KR and EUC_CN that would be two of UTF-8, and one and a half of each are cut in the
# midst; two of EUC_TW; and what any byte is in LATIN1 and WIN1251.
LOOK_LIKE_UTF8 = {
    "EUC_JP": b"\xe3\xa1\xa2\xe3\xa1\xa2",
    "EUC_KR": b"\xe3\xa1\xa2\xe3\xa1\xa2",
    "EUC_CN": b"\xe3\xa1\xa2\xe3\xa1\xa2",
    "EUC_TW": b"\xe3\xa1\xa2\xe3\xa1\xa2",
    "LATIN1": b"\xe3\xa1\xa2\xe3\xa1\xa2",
    "WIN1251": b"\xe3\xa1\xa2\xe3\xa1\xa2",
}
TEXT_RULES = ["random", "keep-first-char", "redacted", "first-name", "email", "email(domain=keep)", "phone-number"]


@pytest.mark.parametrize("encoding", LOOK_LIKE_UTF8)
def test_masks_are_whole_characters(server, databases, store, encoding):
    """Bytes that happen to be UTF-8 are other characters in another encoding: none is cut, and none stays."""
    source = databases(server, None, encoding=encoding, lc_collate="C", lc_ctype="C")
    target = databases(server, None, encoding=encoding, lc_collate="C", lc_ctype="C")
    original = LOOK_LIKE_UTF8[encoding]
    value = "convert_from('\\x%s'::bytea, '%s')" % (original.hex(), encoding)
    names = ["c%d" % number for number in range(len(TEXT_RULES))]
    source.sql(
        "CREATE TABLE t (%s); INSERT INTO t SELECT %s FROM (VALUES (%s), (%s || 'a'), ('a' || %s)) AS v(v)"
        % (", ".join(name + " varchar(8)" for name in names), ", ".join("v" for _ in names), value, value, value)
    )
    rules = "\n".join("public.t.%s %s" % rule for rule in zip(names, TEXT_RULES))
    tool.dump(source, store, REPLICA_TRANSFORM=rules, REPLICA_COMPRESS="none")
    tool.restore(store, target)
    assert target.sql("SELECT count(*) FROM t WHERE %s" % " AND ".join(name + " IS NOT NULL" for name in names)) == "3"
    for _, path in store.volumes():
        with open(path, "rb") as file:
            assert original[:2] not in file.read()
