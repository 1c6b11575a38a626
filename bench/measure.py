#!/usr/bin/env python3
"""measure.py POSTMASTER NAME OUTPUT PROGRAM ARG... ['|' PROGRAM ARG...]...

Runs a pipeline, its last standard output to the file OUTPUT, and prints one line of JSON:

    wall    seconds from before the first start to after the last end
    user, system
            CPU seconds of all its processes and their children, from wait4()
    server  CPU seconds of the backends that served it and have ended: what the process POSTMASTER
            has of its children, in ticks of 10 ms
    rss     peak bytes resident: the largest sum over the living processes of their VmHWM,
            looked at every 20 ms and therefore blind to a peak shorter than that.  ru_maxrss is
            not used, as it begins with what its starter, this interpreter, had at its exec.

Exits 1 when any process fails."""

import json
import os
import subprocess
import sys
import threading
import time

LOOK_SECONDS = 0.02
REAP_SECONDS = 0.2  # a backend ends a little after its client


def family(pid):
    """A process and all below it, as far as they still live."""
    yield pid
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as children:
                for child in children.read().split():
                    yield from family(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass


def resident(pid):
    """VmHWM in bytes; 0 for what has ended, as a zombie has no memory."""
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def children_cpu(pid):
    """CPU seconds of the children that a process has waited for."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


class Watch(threading.Thread):
    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.ended, self.peak = pids, threading.Event(), 0
        self.start()

    def run(self):
        while not self.ended.wait(LOOK_SECONDS):
            living = {pid for root in self.pids for pid in family(root)}
            self.peak = max(self.peak, sum(map(resident, living)))


def start(commands, output):
    """The processes of a pipeline, each reading what the one before writes."""
    processes, source = [], subprocess.DEVNULL
    for number, command in enumerate(commands):
        last = number == len(commands) - 1
        process = subprocess.Popen(command, stdin=source, stdout=output if last else subprocess.PIPE)
        if source != subprocess.DEVNULL:
            source.close()
        source = process.stdout
        processes.append(process)
    return processes


def main():
    postmaster, name, path, *words = sys.argv[1:]
    commands = [[]]
    for word in words:
        if word == "|":
            commands.append([])
        else:
            commands[-1].append(word)

    served = children_cpu(postmaster)
    with open(path, "wb") as output:
        begin = time.monotonic()
        processes = start(commands, output)
        watch = Watch([process.pid for process in processes])
        user = system = 0
        failed = []
        for process in processes:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            user, system = user + usage.ru_utime, system + usage.ru_stime
            if process.returncode != 0:
                failed.append(f"{process.args[0]} ends with {process.returncode}")
        wall = time.monotonic() - begin
    watch.ended.set()
    watch.join()
    if failed:
        sys.exit(f"{name}: {', '.join(failed)}")
    time.sleep(REAP_SECONDS)
    print(json.dumps({"name": name, "wall": wall, "user": user, "system": system,
                      "server": children_cpu(postmaster) - served, "rss": watch.peak}))


main()
