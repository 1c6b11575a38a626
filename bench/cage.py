"""A memory cgroup for one program: version 1 or 2 by the file system, or systemd-run where only that may.

    with cage(512 << 20) as box:
        subprocess.run(box.command(["replica", "dump"]))
        box.facts()     most bytes in use, the page cache among them; kills for want of memory
"""

import contextlib
import os
import shutil
import time

ROOT1, NAME = "/sys/fs/cgroup/memory", f"replica-bench-{os.getpid()}"
HALVES = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")


def write(path, text):
    with open(path, "w") as file:
        file.write(str(text))


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def number_after(text, word):
    return next((int(line.split()[1]) for line in text.splitlines() if line.split()[:1] == [word]), None)


class Folder:
    """A directory of cgroupfs, of either version."""

    def __init__(self, path, files):
        self.path, self.files = path, files

    def command(self, words):
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', os.path.join(self.path, "cgroup.procs"), *words]

    def facts(self):
        most, events = self.files
        peak = read(os.path.join(self.path, most)).strip()
        return {"most_bytes": int(peak) if peak else None,
                "killed": number_after(read(os.path.join(self.path, events)), "oom_kill")}


class Scope:
    """systemd's; what it saw is not read, as the scope ends with the program."""

    def __init__(self, size):
        self.size = size

    def command(self, words):
        return ["systemd-run", "--scope", "--quiet", "-p", f"MemoryMax={self.size}", "-p", "MemorySwapMax=0", *words]

    def facts(self):
        return {"most_bytes": None, "killed": None}


def remove(path):
    for _ in range(50):
        try:
            os.rmdir(path)
            return
        except OSError:
            time.sleep(0.1)


def version1(size):
    path = os.path.join(ROOT1, NAME)
    os.mkdir(path)
    write(os.path.join(path, "memory.limit_in_bytes"), size)
    return Folder(path, ("memory.max_usage_in_bytes", "memory.oom_control"))


def version2(root, size):
    if "memory" not in read(os.path.join(root, "cgroup.controllers")).split():
        raise OSError("no memory controller")
    with contextlib.suppress(OSError):
        write(os.path.join(root, "cgroup.subtree_control"), "+memory")
    path = os.path.join(root, NAME)
    os.mkdir(path)
    try:
        write(os.path.join(path, "memory.max"), size)
    except OSError:
        os.rmdir(path)
        raise
    with contextlib.suppress(OSError):
        write(os.path.join(path, "memory.swap.max"), 0)
    return Folder(path, ("memory.peak", "memory.events"))


@contextlib.contextmanager
def cage(size):
    """Gives None where the machine lets us make none."""
    box = None
    for make in (lambda: version1(size), *(lambda root=root: version2(root, size) for root in HALVES)):
        with contextlib.suppress(OSError):
            box = make()
            break
    if box is None and shutil.which("systemd-run") and os.path.isdir("/run/systemd/system"):
        box = Scope(size)
    try:
        yield box
    finally:
        if isinstance(box, Folder):
            remove(box.path)
