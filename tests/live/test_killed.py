"""Promise: kill -9 at any moment leaves no half dump that looks whole, and nothing that stops the next run."""

import json
import signal
import time

import pytest

import compare
import tool

MOMENTS = 20


def kill_at(seconds, command, **variables):
    """Run and kill it so many seconds later.  Returns whether it was still running."""
    process = tool.start(command, **variables)
    time.sleep(seconds)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return alive


def least(runs):
    """The shortest of some runs, in seconds: one that a stall made longer would put the moments after the end."""
    return min(run.seconds for run in runs)


def complete(store):
    """Dumps that `list` calls complete; they must be exactly those with a manifest."""
    earlier = set(store.complete())
    names = [each["name"] for each in tool.listed(store)["dumps"] if each["state"] == "complete"]
    assert earlier <= set(names) <= set(store.complete())  # a gateway may finish what a killed client sent
    return names


def dump_killed_at(source, store, moments):
    seconds = least(tool.dump(source, store) for _ in range(3))
    killed = 0
    for n in range(moments):
        before = complete(store)
        alive = kill_at(
            seconds * (n + 0.5) / moments, "dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url
        )
        killed += alive
        after = complete(store)
        assert after[: len(before)] == before and len(after) <= len(before) + 1
    assert killed >= moments // 2
    tool.dump(source, store)


def restore_killed_at(source, store, target, moments, *compared):
    """Each run starts on what the killed one before it has left.  compared: options for compare.assert_same."""
    tool.dump(source, store)
    seconds = least(tool.restore(store, target, REPLICA_CLEAN="yes") for _ in range(3))
    killed = 0
    for n in range(moments):
        killed += kill_at(
            seconds * (n + 0.5) / moments,
            "restore",
            REPLICA_FROM=store.url,
            REPLICA_TO=target.url(),
            REPLICA_CLEAN="yes",
        )
    assert killed >= moments // 2
    target.sessions_end()
    tool.restore(store, target, REPLICA_CLEAN="yes")
    compare.assert_same(source, target, *compared)


def test_a_dump_killed_at_twenty_moments(small, store, target):
    dump_killed_at(small, store, MOMENTS)
    tool.restore(store, target)
    compare.assert_same(small, target)


def test_a_restore_killed_at_twenty_moments(small, store, target):
    restore_killed_at(small, store, target, MOMENTS)


@pytest.mark.long
def test_a_dump_of_the_whole_sample_killed_at_a_hundred_moments(shop, store):
    dump_killed_at(shop, store, 100)


@pytest.mark.long
def test_a_restore_of_the_whole_sample_killed_at_a_hundred_moments(shop, store, target):
    restore_killed_at(shop, store, target, 100, "-O", "-x")


def test_two_dumps_at_once_into_one_store(small, store, target):
    processes = [
        tool.start("dump", REPLICA_FROM=small.url(), REPLICA_TO=store.url) for _ in range(4)
    ]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert len(complete(store)) == 4
    index = json.loads(store.read("index.json"))
    assert len(index["dumps"]) == 4
