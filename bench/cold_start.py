#!/usr/bin/env python3
"""cold_start.py [RUNS] PROGRAM ARG...

How long a start takes: from before PROGRAM is spawned to the first byte that it sends to its source, a socket on loopback.
Prints the median, the least and the most of RUNS (20) in milliseconds, on one line.

PROGRAM gets REPLICA_FROM, which names the socket, and REPLICA_TO; it is killed as soon as the byte is there.  So it
is replica, or something that runs it with these two variables and the network of this machine:

    bench/cold_start.py build/replica dump
    bench/cold_start.py 10 podman run --rm --network host -e REPLICA_FROM -e REPLICA_TO replica:0.1.0 dump"""

import os
import select
import socket
import statistics
import subprocess
import sys
import time

RUNS = 20
SECONDS_MAX = 30


def first_byte(command, more=None):
    """Seconds until the first byte; the program is gone when it returns."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        source = "postgres://nobody@127.0.0.1:%d/nothing?sslmode=disable" % listener.getsockname()[1]
        variables = {"REPLICA_FROM": source, "REPLICA_TO": "file:///nowhere", **(more or {})}
        listener.settimeout(SECONDS_MAX)
        begin = time.monotonic()
        process = subprocess.Popen(
            command,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            line, _ = listener.accept()
            with line:
                ready, _, _ = select.select([line], [], [], SECONDS_MAX)
                took = time.monotonic() - begin
                if not ready or line.recv(1) == b"":
                    raise RuntimeError("%s connected, but sent nothing" % command[0])
                return took
        finally:
            process.terminate()
            try:
                process.wait(SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def measure(command, runs=RUNS, more=None):
    """Seconds of each run, sorted; one run before them is thrown away."""
    first_byte(command, more)
    return sorted(first_byte(command, more) for _ in range(runs))


def sentence(seconds):
    return "median %.1f ms, %.1f to %.1f, of %d starts" % (
        statistics.median(seconds) * 1e3,
        seconds[0] * 1e3,
        seconds[-1] * 1e3,
        len(seconds),
    )


def main(arguments):
    runs = RUNS
    if arguments and arguments[0].isdigit():
        runs = int(arguments.pop(0))
    if not arguments:
        sys.exit(__doc__)
    print(sentence(measure(arguments, runs)))


if __name__ == "__main__":
    main(sys.argv[1:])
