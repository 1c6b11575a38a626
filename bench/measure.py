"""Runs a pipeline and says what it took.

    wall    seconds from before the first start to after the last end
    user, system
            CPU seconds of all its processes and their children, from wait4()
    server  CPU seconds of the servers that served it: of their processes that live, and of those that have
            ended since, in ticks of 10 ms
    rss     peak bytes resident: the largest sum over the living processes of their VmHWM, looked at every
            20 ms and therefore blind to a peak shorter than that.  ru_maxrss is not used, as it begins
            with what its starter, this interpreter, had at its exec.
    series  seconds and the sum of VmRSS at that time, at most SERIES_MAX pairs
"""

import os
import subprocess
import threading
import time

from settings import Failure

LOOK_SECONDS = 0.02
REAP_SECONDS = 0.2  # a backend ends a little after its client
SERIES_MAX = 160


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
    """VmHWM and VmRSS in bytes; nothing for what has ended, as a zombie has no memory."""
    peak = now = 0
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    peak = int(line.split()[1]) * 1024
                elif line.startswith("VmRSS:"):
                    now = int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return peak, now


def cpu_seconds(pid, reaped):
    """CPU seconds of a process, or with reaped of the children that it has waited for, too."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    ticks = int(fields[11]) + int(fields[12])
    if reaped:
        ticks += int(fields[13]) + int(fields[14])
    return ticks / os.sysconf("SC_CLK_TCK")


def server_seconds(postmasters):
    return sum(cpu_seconds(pid, pid == postmaster) for postmaster in postmasters for pid in family(postmaster))


class Watch(threading.Thread):
    """Looks at the memory of processes until it is told that they have ended."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.ended, self.peak, self.series = pids, threading.Event(), 0, []
        self.begin = time.monotonic()
        self.start()

    def run(self):
        while not self.ended.wait(LOOK_SECONDS):
            living = {pid for root in self.pids for pid in family(root)}
            sizes = [resident(pid) for pid in living]
            self.peak = max(self.peak, sum(peak for peak, _ in sizes))
            self.series.append((time.monotonic() - self.begin, sum(now for _, now in sizes)))


def thin(series):
    """At most SERIES_MAX points, each with the most of those it stands for."""
    step = max(1, -(-len(series) // SERIES_MAX))
    groups = [series[first:first + step] for first in range(0, len(series), step)]
    return [(round(group[0][0], 3), max(size for _, size in group)) for group in groups]


def start(commands, output, log, environment):
    """The processes of a pipeline, each reading what the one before writes."""
    processes, source = [], subprocess.DEVNULL
    for number, command in enumerate(commands):
        last = number == len(commands) - 1
        process = subprocess.Popen(command, stdin=source, stdout=output if last else subprocess.PIPE,
                                   stderr=log, env=environment)
        if source != subprocess.DEVNULL:
            source.close()
        source = process.stdout
        processes.append(process)
    return processes


def complain(commands, failed, log):
    with open(log, errors="replace") as file:
        tail = " / ".join(file.read().strip().splitlines()[-4:])
    raise Failure(f"{', '.join(failed)}: {tail[-600:]}" if tail else ", ".join(failed))


def measure(commands, environment, output, log, cpus, postmasters):
    """One run, its processes on the CPUs named.  Raises Failure when any process fails."""
    pinned = ["taskset", "-c", ",".join(map(str, cpus))]
    served = server_seconds(postmasters)
    with open(output, "wb") as sink, open(log, "wb") as errors:
        begin = time.monotonic()
        processes = start([pinned + command for command in commands], sink, errors, {**os.environ, **environment})
        watch = Watch([process.pid for process in processes])
        user = system = 0
        failed = []
        for process in processes:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            user, system = user + usage.ru_utime, system + usage.ru_stime
            if process.returncode != 0:
                failed.append(f"{os.path.basename(process.args[len(pinned)])} ends with {process.returncode}")
        wall = time.monotonic() - begin
    watch.ended.set()
    watch.join()
    if failed:
        complain(commands, failed, log)
    time.sleep(REAP_SECONDS)
    return {"wall": wall, "user": user, "system": system, "server": server_seconds(postmasters) - served,
            "rss": watch.peak, "series": thin(watch.series)}
