"""Promise: the image is one file, the same every time, and works with no right at all: as user 65532, its root only to be
read, without capabilities, in 512 MB and on one CPU, it dumps a TLS-only PostgreSQL to S3 and restores it.

Containers are run by Debian's podman with runc.  The image's size and how long it takes to start are printed."""

import collections
import contextlib
import gzip
import hashlib
import io
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time

import pytest

import compare
import sample
import secure_ends
import servers
import tool
from secure_ends import secure_server
from servers import ROOT

sys.path.insert(0, os.path.join(ROOT, "bench"))
import cold_start

CONTAINERFILE = os.path.join(ROOT, "container", "Containerfile")
USER = 65532
MIB = 1024 * 1024
SIZE_MAX = 4 * MIB
Archive = collections.namedtuple("Archive", "path index manifest config layer")

# What a careful cluster allows, and not more.  The limits of descriptors and processes are named because runc may not
# raise them where the tests themselves run in a container.
CAREFUL = [
    *["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"],
    *["--memory", "512m", "--cpus", "1", "--network", "host"],
    *["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"],
]


def version():
    with open(os.path.join(ROOT, "Makefile")) as file:
        return re.search(r"^VERSION := (\S+)", file.read(), re.M).group(1)


def make_archive(path, binary=None):
    done = subprocess.run(
        [os.path.join(ROOT, "container", "image.sh"), binary or tool.SOURCE_BINARY, platform.machine()]
        + [version(), path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_archive(path):
    """Follow the archive from index.json to the layer; every blob is what its descriptor says."""
    with tarfile.open(path) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}

    def blob(descriptor):
        algorithm, _, digest = descriptor["digest"].partition(":")
        data = files.pop("blobs/sha256/" + digest)
        assert algorithm == "sha256" and hashlib.sha256(data).hexdigest() == digest
        assert len(data) == descriptor["size"]
        return data

    assert json.loads(files.pop("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads(files.pop("index.json"))
    manifest = json.loads(blob(index["manifests"][0]))
    config = json.loads(blob(manifest["config"]))
    layer = blob(manifest["layers"][0])
    assert len(index["manifests"]) == len(manifest["layers"]) == 1
    assert files == {}, "blobs that nothing names"
    return Archive(path, index, manifest, config, layer)


@pytest.fixture(scope="module")
def archive(room):
    path = os.path.join(room, "image.oci.tar")
    make_archive(path)
    return read_archive(path)


# The archive --------------------------------------------------------------------------------------------


def test_the_image_is_one_file(archive, capsys):
    with tarfile.open(fileobj=io.BytesIO(archive.layer)) as tar:
        members = list(tar)
        content = tar.extractfile("replica").read()
    assert [(m.name, m.mode, m.uid, m.gid, m.mtime) for m in members] == [
        ("replica", 0o755, 0, 0, 0)
    ]
    with open(tool.SOURCE_BINARY, "rb") as file:
        assert content == file.read()
    size = os.path.getsize(archive.path)
    assert size < SIZE_MAX
    with capsys.disabled():
        print(
            "\nimage: %d bytes as an OCI archive, %d pulled, %d unpacked"
            % (size, len(archive.layer), len(content))
        )


def test_the_configuration(archive):
    config = archive.config["config"]
    assert config["User"] == "%d:%d" % (USER, USER)
    assert config["Entrypoint"] == ["/replica"] and "Cmd" not in config and "Env" not in config
    assert config["Labels"]["org.opencontainers.image.version"] == version()
    assert archive.config["os"] == "linux"
    assert archive.config["architecture"] == {"x86_64": "amd64", "aarch64": "arm64"}[
        platform.machine()
    ]
    plain = hashlib.sha256(gzip.decompress(archive.layer)).hexdigest()
    assert archive.config["rootfs"]["diff_ids"] == ["sha256:" + plain]


def test_twice_the_same_image(archive, room):
    again = os.path.join(room, "again.oci.tar")
    make_archive(again)
    with open(archive.path, "rb") as one, open(again, "rb") as two:
        assert one.read() == two.read()

    other = os.path.join(room, "other")
    shutil.copy(tool.SOURCE_BINARY, other)
    with open(other, "ab") as file:
        file.write(b"\0")
    make_archive(again, other)
    assert read_archive(again).index["manifests"][0] != archive.index["manifests"][0]


def test_the_archive_does_not_depend_on_who_makes_it(archive, room):
    """Another umask, another owner and time of the file."""
    other, again = os.path.join(room, "other2"), os.path.join(room, "again2.oci.tar")
    shutil.copy(tool.SOURCE_BINARY, other)
    os.chmod(other, 0o700)
    os.utime(other, (10**9, 10**9))
    before = os.umask(0o077)
    try:
        make_archive(again, other)
    finally:
        os.umask(before)
    with open(archive.path, "rb") as one, open(again, "rb") as two:
        assert one.read() == two.read()


# The Containerfile --------------------------------------------------------------------------------------


def stages(text):
    """[(words of FROM, [(instruction, arguments)])], comments gone and continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
    text = re.sub(r"\\\n", " ", text)
    found = []
    for line in filter(str.strip, text.splitlines()):
        word, _, rest = line.strip().partition(" ")
        assert word in "FROM WORKDIR COPY RUN ARG LABEL USER ENTRYPOINT".split(), line
        if word == "FROM":
            found.append((rest.split(), []))
        else:
            found[-1][1].append((word, rest.strip()))
    return found


def test_the_containerfile():
    with open(CONTAINERFILE) as file:
        build, final = stages(file.read())
    assert re.fullmatch(r"docker\.io/library/debian:\d+-slim AS build", " ".join(build[0]))
    assert [words for words in build[1] if words[0] == "RUN"] == [("RUN", "./build.sh")]
    assert final[0] == ["scratch"], "nothing but the one file"
    words = [instruction for instruction, _ in final[1]]
    assert "RUN" not in words and words.count("COPY") == 1
    assert ("COPY", "--from=build /source/build/replica /replica") in final[1]
    assert ("USER", "%d:%d" % (USER, USER)) in final[1]
    assert json.loads(dict(final[1])["ENTRYPOINT"]) == ["/replica"]
    assert dict(final[1])["ARG"] == "VERSION=" + version()


def test_what_the_build_needs_is_in_its_context():
    """.dockerignore leaves out nothing that git tracks and build.sh reads."""
    with open(os.path.join(ROOT, ".dockerignore")) as file:
        left_out = {line.strip() for line in file if line.strip() and not line.startswith("#")}
    assert not left_out & {"src", "vendor", "Makefile", "build.sh", "container"}
    assert {".git", "build"} <= left_out


# Containers ---------------------------------------------------------------------------------------------


class Podman:
    def __init__(self, folder):
        self.words = ["podman", "--root", os.path.join(folder, "root")]
        self.words += ["--runroot", os.path.join(folder, "run"), "--storage-driver", "vfs"]
        self.words += ["--runtime", "runc", "--cgroup-manager", "cgroupfs"]
        self.image = "replica:" + version()

    def do(self, *arguments, check=True):
        done = subprocess.run(self.words + list(arguments), capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, done.stderr
        return done

    def command(self, arguments, variables=(), options=(), limits=CAREFUL):
        """Values come out of podman's own environment, so that no secret stands in an argument."""
        names = [word for name in variables for word in ("-e", name)]
        return self.words + ["run", "--rm", *limits, *names, *options, self.image, *arguments]

    def run(self, *arguments, options=(), limits=CAREFUL, **variables):
        begin = time.monotonic()
        done = subprocess.run(
            self.command(arguments, variables, options, limits),
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return tool.Result(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)


def needs_mounted_root():
    """podman and buildah mount / anew before they unpack a layer."""
    with open("/proc/self/mountinfo") as mounts:
        if not any(line.split()[4] == "/" for line in mounts):
            pytest.skip("containers need a / that is a mount point; here it is none (a chroot)")


@pytest.fixture(scope="module")
def podman(room, archive):
    missing = [name for name in ("podman", "runc") if shutil.which(name) is None]
    if missing:
        pytest.skip("containers are run by podman and runc; missing: " + ", ".join(missing))
    if os.getuid() != 0:
        pytest.skip("podman may limit memory here only as root")
    needs_mounted_root()
    it = Podman(os.path.join(room, "podman"))
    it.do("load", "--input", archive.path)
    tried = it.run("version")
    if tried.code != 0 and "cgroup" in tried.err:
        pytest.skip("no container can be limited here: " + tried.err[-300:])
    assert tried.code == 0, tried.err
    yield it
    it.do("rmi", "--all", "--force", check=False)


def test_the_image_has_no_shell(podman):
    for program in ("/bin/sh", "sh", "/bin/ls"):
        found = podman.do("run", "--rm", *CAREFUL, "--entrypoint", program, podman.image, check=False)
        assert found.returncode == 127, found.stderr
    assert "replica  " + version() in tool.succeed(podman.run("version")).out


def test_the_limits_of_the_container_are_seen(podman):
    """What REPLICA_MEMORY and REPLICA_JOBS become follows from the cgroup, whose limit is therefore in force."""

    def seen(*limits):
        out = tool.succeed(podman.run("env", limits=[*CAREFUL, *limits])).out
        return dict(re.findall(r"^REPLICA_(MEMORY|JOBS) +(\S+)", out, re.M))

    assert seen() == {"MEMORY": "256MiB", "JOBS": "1"}
    assert seen("--memory", "128m") == {"MEMORY": "64MiB", "JOBS": "1"}


@contextlib.contextmanager
def at_work(podman, name, **more):
    """A dump in a container whose source never answers; yields its process on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        variables = {
            "REPLICA_FROM": "postgres://a@127.0.0.1:%d/b?sslmode=disable" % silent.getsockname()[1],
            "REPLICA_TO": "file:///nowhere",
            **more,
        }
        process = subprocess.Popen(
            podman.command(["dump"], variables, ["--name", name]),
            env={**os.environ, **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            line, _ = silent.accept()
            with line:
                line.recv(1)
                pid = podman.do("inspect", "--format", "{{.State.Pid}}", name).stdout.strip()
                yield process, pid
        finally:
            podman.do("kill", name, check=False)
            process.wait(30)


def status_of(pid):
    with open("/proc/%s/status" % pid) as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def test_it_has_no_right_at_all(podman):
    with at_work(podman, "rights") as (_, pid):
        status = status_of(pid)
        with open("/proc/%s/mountinfo" % pid) as file:
            root = [line.split() for line in file if line.split()[4] == "/"][0]
        with open("/proc/%s/cgroup" % pid) as file:
            groups = file.read()
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(USER)}
    assert {int(status["Cap" + kind], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert "ro" in root[5].split(",")
    assert "libpod" in groups


def test_as_the_first_process_it_hears_a_signal(podman):
    with at_work(podman, "signalled") as (process, _):
        podman.do("kill", "--signal", "TERM", "signalled")
        code = process.wait(30)
        said = process.stderr.read().decode()
    assert code == 128 + signal.SIGTERM, said


def test_the_exit_code_is_replica_s(podman):
    assert podman.run("dump").code == tool.CONFIGURATION
    assert podman.run(REPLICA_FROM="stdout:", REPLICA_TO="nonsense").code == tool.CONFIGURATION


@pytest.fixture(scope="module")
def secure_small(secure_server):
    return sample.load_small(secure_server, "small in a container")


def s3_options(s3_pki):
    """The authority's file is all that the container sees of this machine."""
    return ["--volume", s3_pki.cert + ":/run/ca.pem:ro"]


def test_tls_postgresql_to_s3_and_back(podman, secure_server, secure_small, s3_store, s3_pki, databases):
    store, target = s3_store("aws"), databases(secure_server)
    options = s3_options(s3_pki)
    settings = {name: value for name, value in store.settings.items() if value}
    settings.update(AWS_CA_BUNDLE="/run/ca.pem", REPLICA_VOLUME_SIZE="64KiB")
    since = len(secure_server.log)
    source_url = secure_ends.strict_url(secure_small, "/run/ca.pem")
    target_url = secure_ends.strict_url(target, "/run/ca.pem")

    ways = {"REPLICA_FROM": source_url, "REPLICA_TO": store.url}
    tool.succeed(podman.run("check", options=options, **ways, **settings))
    dumped = tool.succeed(podman.run(options=options, **ways, **settings))
    ways = {"REPLICA_FROM": store.url, "REPLICA_TO": target_url}
    tool.succeed(podman.run("check", options=options, **ways, **settings))
    restored = tool.succeed(podman.run(options=options, **ways, **settings))

    assert secure_ends.logged_in_by_tls(secure_server, since) >= 8
    compare.assert_same(secure_small, target)
    assert store.world.violations == [] and store.world.uploads == {} and store.claims() == []
    for result in (dumped, restored):
        assert "warning" not in result.err
        assert servers.PASSWORD not in result.out + result.err
        assert store.settings["AWS_SECRET_ACCESS_KEY"] not in result.out + result.err


def test_a_directory_as_store(podman, server, small, room, databases):
    """A volume that belongs to the user, secrets as files that only he may read."""
    folder, secret = os.path.join(room, "volume"), os.path.join(room, "password")
    os.mkdir(folder, 0o700)
    os.chown(folder, USER, USER)
    with open(secret, "w", opener=lambda path, flags: os.open(path, flags, 0o400)) as file:
        file.write(servers.PASSWORD + "\n")
    os.chown(secret, USER, USER)
    options = ["--volume", folder + ":/store", "--volume", secret + ":/run/secrets/password:ro"]
    settings = {"PGPASSWORD_FILE": "/run/secrets/password"}
    target = databases(server)
    for ways in (
        {"REPLICA_FROM": small.url(password=None), "REPLICA_TO": "file:///store"},
        {"REPLICA_FROM": "file:///store", "REPLICA_TO": target.url(password=None)},
    ):
        tool.succeed(podman.run(options=options, **ways, **settings))
    compare.assert_same(small, target)
    assert {os.stat(os.path.join(folder, name)).st_uid for name in os.listdir(folder)} == {USER}


def test_how_long_a_start_takes(podman, capsys):
    alone = cold_start.measure([tool.binary, "dump"])
    command = podman.command(["dump"], ["REPLICA_FROM", "REPLICA_TO"])
    contained = cold_start.measure(command, runs=3)
    with capsys.disabled():
        print("\ncold start, exec to the first byte on the wire: " + cold_start.sentence(alone))
        print("the same with podman and runc around it:        " + cold_start.sentence(contained))
    assert len(alone) == cold_start.RUNS


# buildah ------------------------------------------------------------------------------------------------


def test_buildah_builds_the_same_from_the_containerfile(room, archive):
    """Its last stage as it stands; in place of the first, whose base lies in a registry, the file it would have built."""
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed")
    if os.getuid() != 0:
        pytest.skip("buildah is run as root here")
    needs_mounted_root()
    folder = os.path.join(room, "buildah")
    os.mkdir(folder)
    shutil.copy(tool.SOURCE_BINARY, os.path.join(folder, "replica"))
    with open(CONTAINERFILE) as file:
        last = file.read().partition("FROM scratch\n")[2]
    path = os.path.join(folder, "Containerfile")
    with open(path, "w") as file:
        file.write("FROM scratch AS build\nCOPY replica /source/build/replica\n\nFROM scratch\n" + last)
    storage = ["--root", folder + "/root", "--runroot", folder + "/run", "--storage-driver", "vfs"]
    done = subprocess.run(
        ["buildah", *storage, "build", "--isolation", "chroot", "--timestamp", "0", "--tag", "built"]
        + ["--file", path, folder],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    target = os.path.join(folder, "built.oci.tar")
    subprocess.run(
        ["buildah", *storage, "push", "--quiet", "built", "oci-archive:" + target],
        check=True,
        capture_output=True,
        timeout=120,
    )
    built = read_archive(target)
    labels = built.config["config"]["Labels"]
    ours = {name: labels[name] for name in labels if name.startswith("org.opencontainers")}
    expected = archive.config["config"]
    assert ours == expected["Labels"]
    for name in ("User", "Entrypoint"):
        assert built.config["config"][name] == expected[name]
    with tarfile.open(fileobj=io.BytesIO(built.layer)) as tar:
        assert [(m.name, m.mode & 0o7777, m.uid) for m in tar] == [("replica", 0o755, 0)]
        with open(tool.SOURCE_BINARY, "rb") as file:
            assert tar.extractfile("replica").read() == file.read()
