"""Promise: `check` finds what would end a dump or a restore, at both ends and in the store, and moves no data:
one line for each question, the exit code of the first failure, and nothing left behind."""

import hashlib
import json
import os
import shutil
import signal
import socket

import pytest

import proxy
import sample
import secure_ends
import servers
import tool
from secure_ends import secure_server


def check(**variables):
    """Run it with JSON; returns the result and the answers by question."""
    result = tool.run("check", REPLICA_LOG_FORMAT="json", **variables)
    assert servers.PASSWORD not in result.out + result.err
    report = json.loads(result.out)
    answers = {answer["check"]: answer for answer in report["checks"]}
    assert report["ok"] == (result.code == 0)
    assert report["ok"] == all(a["state"] in ("ok", "warning") for a in answers.values())
    return result, answers


def failed(variables, code, question, *phrases):
    """Exactly this question fails, and says this; the exit code is its own."""
    result, answers = check(**variables)
    assert result.code == code, result.err
    assert [name for name in answers if answers[name]["state"] == "failed"] == [question]
    for phrase in phrases:
        assert phrase in answers[question]["text"]
    return answers


def states(answers):
    return {name: answer["state"] for name, answer in answers.items()}


DUMP = ["settings", "store", "source", "snapshot", "tables", "rules", "memory", "schema"]
RESTORE = ["dump", "volumes", "destination", "rights", "empty", "memory"]
RESTORE += ["statements", "permissions", "extensions"]


# All is well --------------------------------------------------------------------------------------------


def test_before_a_dump(small, store):
    written = "SELECT pg_snapshot_xmax(pg_current_snapshot())"  # one more for each transaction that wrote
    before = small.sql(written)
    result, answers = check(REPLICA_FROM=small.url(), REPLICA_TO=store.url)
    assert result.code == 0, result.err
    assert list(answers) == DUMP and set(states(answers).values()) == {"ok"}
    assert small.name in answers["source"]["text"]
    assert "PostgreSQL %d" % small.server.version in answers["source"]["text"]
    assert store.files() == [] and os.listdir(store.path) in ([], [".lock"])
    assert before == small.sql(written)


def test_before_a_restore(small_store, target):
    before = small_store.files()
    result, answers = check(REPLICA_FROM=small_store.url, REPLICA_TO=target.url())
    assert result.code == 0, result.err
    assert list(answers) == RESTORE and set(states(answers).values()) == {"ok"}
    manifest = small_store.manifest()
    assert manifest["name"] in answers["dump"]["text"]
    objects = 3 + sum(len(table["volumes"]) for table in manifest["tables"])
    assert answers["volumes"]["text"].startswith("%d objects" % objects)
    assert small_store.files() == before
    assert target.sql("SELECT count(*) FROM pg_class WHERE oid >= 16384") == "0"


def test_the_report_for_people(small, store):
    result = tool.succeed(tool.run("check", REPLICA_FROM=small.url(), REPLICA_TO=store.url))
    lines = result.out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", name] for name in DUMP]
    assert len({line.index(line.split(None, 2)[2]) for line in lines}) == 1, result.out


def test_one_end_alone(small, small_store, target):
    for variables, questions in (
        ({"REPLICA_FROM": small.url()}, [name for name in DUMP if name != "store"]),
        ({"REPLICA_TO": small_store.url}, ["store", "memory"]),
        ({"REPLICA_FROM": small_store.url}, ["dump", "volumes", "memory"]),
        ({"REPLICA_TO": target.url()}, ["destination", "rights", "empty", "memory"]),
    ):
        result, answers = check(**variables)
        assert result.code == 0 and list(answers) == questions


def test_inside_the_pod_of_a_dump(small, store):
    """The container says what it is for; an argument asks whether it could."""
    tool.succeed(
        tool.run(
            "check", REPLICA_COMMAND="dump", REPLICA_FROM=small.url(), REPLICA_TO=store.url
        )
    )


def test_neither_end():
    result = tool.refused(tool.run("check"), tool.CONFIGURATION, "nothing to check")
    assert result.out == ""


def test_rules_are_counted(shop, store):
    rules = "public.customers.email email\npublic.customers.last_name random"
    result, answers = check(
        REPLICA_FROM=shop.url(), REPLICA_TO=store.url, REPLICA_TRANSFORM=rules
    )
    assert result.code == 0, result.err
    assert answers["rules"]["text"].startswith("2 rules change 2 columns of 1 table; no rule reaches into large objects")
    assert answers["rules"]["state"] == "warning"
    result, answers = check(
        REPLICA_FROM=shop.url(), REPLICA_TO=store.url, REPLICA_TRANSFORM=rules, REPLICA_LARGE_OBJECTS="no"
    )
    assert answers["rules"]["text"] == "2 rules change 2 columns of 1 table; constraints that took a hundred results: 2"
    assert answers["rules"]["state"] == "ok"


def test_s3_and_tls(secure_server, s3_store, s3_pki, databases):
    """The report says how the databases are reached; in the bucket nothing is left."""
    store = s3_store("aws")
    source, target = sample.load_small(secure_server, "small to check"), databases(secure_server)
    source_url = secure_ends.strict_url(source, s3_pki.cert)
    target_url = secure_ends.strict_url(target, s3_pki.cert)
    result, answers = check(REPLICA_FROM=source_url, REPLICA_TO=store.url, **store.settings)
    assert result.code == 0, result.err
    assert answers["source"]["text"].endswith(", TLSv1.2")
    assert store.files() == [] and store.claims() == []

    dumped = tool.run(REPLICA_FROM=source_url, REPLICA_TO=store.url, **store.settings)
    tool.succeed(dumped)
    assert "memory: " + answers["memory"]["text"] in dumped.err
    before = store.files()
    result, answers = check(REPLICA_FROM=store.url, REPLICA_TO=target_url, **store.settings)
    assert result.code == 0, result.err
    assert list(answers) == RESTORE
    assert answers["destination"]["text"].endswith(", TLSv1.2")
    assert store.files() == before and store.claims() == [] and store.world.violations == []


def test_an_s3_store_that_lets_nobody_in(small, s3_store):
    store = s3_store("aws", settings={"AWS_SECRET_ACCESS_KEY": "wrong" * 8})
    answers = failed(
        {"REPLICA_FROM": small.url(), "REPLICA_TO": store.url, **store.settings},
        tool.STORE,
        "store",
        "SignatureDoesNotMatch",
    )
    assert "wrongwrong" not in answers["store"]["text"]
    assert answers["schema"]["state"] == "ok"


# What would end a dump ----------------------------------------------------------------------------------


def test_nobody_listens(small, store):
    with proxy.nobody() as port:
        answers = failed(
            {"REPLICA_FROM": small.url(port=port), "REPLICA_TO": store.url},
            tool.SOURCE,
            "source",
            str(port),
        )
    assert states(answers) == {
        "memory": "ok",
        "settings": "ok",
        "store": "ok",
        "source": "failed",
        "snapshot": "skipped",
        "tables": "skipped",
        "rules": "skipped",
        "schema": "skipped",
    }


def test_a_wrong_password(small, store):
    failed(
        {"REPLICA_FROM": small.url(password="wrong"), "REPLICA_TO": store.url},
        tool.SOURCE,
        "source",
        "password authentication failed",
    )


@pytest.fixture(scope="module")
def looker(server):
    """A user who owns nothing, not even the right to create."""
    server.sql("CREATE ROLE looker LOGIN PASSWORD 'looks'")
    return "looker"


def test_every_table_that_may_not_be_read_is_named(server, databases, store, looker):
    source = databases(server)
    source.sql(
        """CREATE TABLE open (a integer); CREATE TABLE "Closed one" (a integer); CREATE TABLE closed2 (a integer);
        GRANT SELECT ON open TO looker"""
    )
    url = source.url(looker, "looks")
    answers = failed(
        {"REPLICA_FROM": url, "REPLICA_TO": store.url},
        tool.SOURCE,
        "tables",
        '"Closed one"',
        "closed2",
    )
    assert answers["rules"]["text"] == "needs tables"
    result, _ = check(REPLICA_FROM=url, REPLICA_TO=store.url, REPLICA_TABLES="public.open")
    assert result.code == 0, result.err


def test_a_schema_that_only_pg_dump_stumbles_over(server, databases, store, looker):
    """The table may be read, but what its default calls lies where the role may not look."""
    source = databases(server)
    source.sql(
        """CREATE SEQUENCE hidden; CREATE TABLE open (a integer DEFAULT nextval('hidden'));
        GRANT SELECT ON open TO looker"""
    )
    url = source.url(looker, "looks")
    checked = tool.run("check", REPLICA_FROM=url, REPLICA_TO=store.url)
    dumped = tool.run("dump", REPLICA_FROM=url, REPLICA_TO=store.url)
    assert (checked.code == 0) == (dumped.code == 0), checked.err + dumped.err


def test_a_rule_that_matches_nothing(small, store):
    failed(
        {
            "REPLICA_FROM": small.url(),
            "REPLICA_TO": store.url,
            "REPLICA_TRANSFORM": "public.no_such_table.a random",
        },
        tool.CONFIGURATION,
        "rules",
        "no_such_table",
    )


def test_a_rule_that_can_not_be_read(small, store):
    """All that does not hang on it is asked all the same."""
    answers = failed(
        {
            "REPLICA_FROM": small.url(),
            "REPLICA_TO": store.url,
            "REPLICA_TRANSFORM": "a.b.c no-such-transformer\nnonsense",
        },
        tool.CONFIGURATION,
        "settings",
        "no-such-transformer",
        "nonsense",
    )
    assert states(answers)["source"] == "ok" and states(answers)["tables"] == "skipped"


def test_too_little_memory(small, store):
    failed(
        {"REPLICA_FROM": small.url(), "REPLICA_TO": store.url, "REPLICA_MEMORY": "1MiB"},
        tool.CONFIGURATION,
        "memory",
        "REPLICA_MEMORY",
    )


def test_a_store_that_can_not_be_written(small, room):
    path = os.path.join(room, "not for nobody")
    os.mkdir(path, 0o755)
    process = tool.start(
        "check",
        wrapper=tool.as_nobody(),
        REPLICA_FROM=small.url(),
        REPLICA_TO="file://" + path.replace(" ", "%20"),
    )
    out, err = process.communicate(timeout=60)
    shutil.rmtree(path)
    assert process.returncode == tool.STORE, out + err
    assert b"FAIL  store" in out and b"ok    schema" in out


def test_the_exit_code_is_that_of_the_first_failure(small):
    result, answers = check(
        REPLICA_FROM=small.url(password="wrong"), REPLICA_TO="file:///dev/null/nowhere"
    )
    assert [n for n in answers if answers[n]["state"] == "failed"] == ["store", "source"]
    assert result.code == tool.STORE
    assert "2 of 8 checks failed; first store: " in result.err


# What would end a restore -------------------------------------------------------------------------------


def restore_ends(store, database, **more):
    return dict(REPLICA_FROM=store.url, REPLICA_TO=database.url(), **more)


def test_rules_at_a_restore(small_store, target):
    """They would not hold, so it is a mistake to name them; check says what restore would say."""
    variables = restore_ends(small_store, target, REPLICA_TRANSFORM="public.a.b random")
    result = tool.refused(
        tool.run("check", **variables), tool.CONFIGURATION, "REPLICA_TRANSFORM is set"
    )
    assert result.out == ""
    tool.refused(tool.run("restore", **variables), tool.CONFIGURATION, "REPLICA_TRANSFORM is set")


def test_no_dump(store, target):
    failed(restore_ends(store, target), tool.STORE, "dump", "no")


def test_a_volume_is_missing(small_store, target):
    path = small_store.volumes()[0][1]
    os.remove(path)
    failed(
        restore_ends(small_store, target),
        tool.INTEGRITY,
        "volumes",
        os.path.basename(path),
        "missing",
    )


def test_a_further_piece_of_the_data_is_missing(server, databases, store, target):
    """Large objects go on in data-2.sql, data-3.sql, …: each of them is looked for and counted."""
    source = databases(server)
    source.sql("SELECT lo_from_bytea(n, decode(repeat(md5(n::text), 9000), 'hex')) FROM generate_series(1, 2) AS n")
    tool.dump(source, store, REPLICA_VOLUME_SIZE="64KiB", REPLICA_COMPRESS="none")
    pieces = [piece["name"] for piece in store.manifest()["more_data"]]
    _, answers = check(**restore_ends(store, target))
    assert "%d objects" % (3 + len(pieces)) in answers["volumes"]["text"]
    os.remove(os.path.join(store.dump_path(), pieces[-1]))
    failed(restore_ends(store, target), tool.INTEGRITY, "volumes", pieces[-1], "missing")


def test_a_volume_is_cut_off(small_store, target):
    path = small_store.volumes()[-1][1]
    os.truncate(path, os.path.getsize(path) - 1)
    failed(
        restore_ends(small_store, target),
        tool.INTEGRITY,
        "volumes",
        os.path.basename(path),
        "the manifest says",
    )


def test_a_destination_that_is_not_empty(small_store, target):
    target.sql("CREATE TABLE precious (a integer)")
    failed(restore_ends(small_store, target), tool.TARGET, "empty", "precious", "REPLICA_CLEAN")
    result, answers = check(**restore_ends(small_store, target, REPLICA_CLEAN="yes"))
    assert result.code == 0 and answers["empty"]["state"] == "warning"
    assert target.sql("SELECT count(*) FROM precious") == "0", "it must not be emptied by a check"


def test_a_role_that_may_not_create(small_store, target, looker):
    target.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    failed(
        {"REPLICA_FROM": small_store.url, "REPLICA_TO": target.url(looker, "looks")},
        tool.TARGET,
        "rights",
        "looker",
        "CREATE",
    )


def test_an_extension_that_the_server_lacks(server, databases, store, target):
    """The dump's SQL is what is read, so a dump of another server is played by another name in it."""
    source = databases(server)
    source.sql('CREATE EXTENSION pg_trgm; CREATE EXTENSION "uuid-ossp"')
    tool.dump(source, store, REPLICA_COMPRESS="none")
    _, answers = check(**restore_ends(store, target))
    assert answers["extensions"]["text"].startswith("2 in the dump")

    name, manifest = list(store.manifests().items())[-1]
    path = store.file(name + "/" + manifest["pre_data"]["name"])
    with open(path, "r+b") as file:
        text = file.read().replace(b'"uuid-ossp"', b'"uuid-0ss""')
        file.seek(0)
        file.write(text)
    rewrite_digest(store, name, manifest, path)
    failed(restore_ends(store, target), tool.TARGET, "extensions", 'uuid-0ss"', "lacks")


def rewrite_digest(store, name, manifest, path):
    with open(path, "rb") as file:
        manifest["pre_data"]["sha256"] = hashlib.sha256(file.read()).hexdigest()
    with open(store.file(name + "/manifest.json"), "w") as file:
        json.dump(manifest, file)


def test_an_older_destination_is_a_warning(server18, server13, databases, store):
    source, older = databases(server18), databases(server13)
    source.sql("CREATE TABLE a (b integer)")
    tool.dump(source, store)
    result, answers = check(**restore_ends(store, older))
    assert result.code == 0 and answers["destination"]["state"] == "warning"
    assert "PostgreSQL 18" in answers["destination"]["text"]


def test_a_dump_that_is_spoilt_ends_the_report_with_its_failure(small_store, target):
    """The last questions walk bytes, and its failure must not keep the report from being written."""
    name, manifest = list(small_store.manifests().items())[-1]
    path = small_store.file(name + "/" + manifest["pre_data"]["name"])
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    failed(restore_ends(small_store, target), tool.INTEGRITY, "statements")


# Manners ------------------------------------------------------------------------------------------------


def test_a_signal_ends_it(small, store):
    """The source never answers; the signal comes once it has been asked."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        process = tool.start(
            "check", REPLICA_FROM=small.url(port=silent.getsockname()[1]), REPLICA_TO=store.url
        )
        line, _ = silent.accept()
        with line:
            line.recv(1)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert out == b"" and store.files() == []
