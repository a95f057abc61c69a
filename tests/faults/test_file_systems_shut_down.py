"""
Layer 4. Real file systems that are shut down under load: ext4 and XFS on a loop device.

The ioctl that the authors of both use for tests stops a file system at once. Data that is not in its log by then is
lost, as after a power cut; mounting it again replays the log.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random

import httpx2
import pytest

from tests.faults.changes import POLICY, WORDS, Asked, authorized, ready
from tests.faults.forked import forked_server
from tests.faults.load import Told, lost
from tests.faults.share import drawn
from tests.support.require import require

pytestmark = pytest.mark.faults

TIMES = drawn(20)
PATIENCE_SECONDS = 60.0
IMAGE_BYTES = 320 << 20  # a little above the minimum of mkfs.xfs; a sparse file
GOING_DOWN = 0x8004587D  # XFS_IOC_GOINGDOWN, EXT4_IOC_SHUTDOWN
WITH_LOG, WITHOUT_LOG = 1, 2  # the log in memory is written, or not even that


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_what_was_acknowledged_is_there_after_every_shutdown(tmp_path: Path, kind: str) -> None:
    """
    Byte for byte; all others are whole or absent, nothing is left in staging, and all are accepted again.

    Meanwhile others are pruned, brought back, held and purged: each is whole in one place, or gone.
    """
    image = made_image(tmp_path, kind)
    data = tmp_path / "mounted" / "data"
    log, rules = tmp_path / "server.log", tmp_path / "rules.toml"
    rules.write_text(POLICY)
    told, asked = Told(), Asked()
    with mounted(image, data.parent), forked_server(data, log), httpx2.Client() as client:
        token = authorized(client, data).headers["Authorization"]
    for seed in range(TIMES):
        random = Random(seed)
        how = random.choice((WITH_LOG, WITHOUT_LOG))
        last = random.randrange(1, 8)
        taken = count(1)

        def shut_down(root: Path, taken: Iterator[int] = taken, last: int = last, how: int = how) -> None:
            if next(taken) == last:
                descriptor = os.open(root, os.O_RDONLY)
                # ext4 has reported success for a sync that ran while it went down, although nothing of it remained
                told.is_over.set()
                fcntl.ioctl(descriptor, GOING_DOWN, struct.pack("I", how))
                os.close(descriptor)

        with (
            mounted(image, data.parent),
            forked_server(data, log, "--profiles", str(rules), token=token) as server,
            server.client() as client,
        ):
            told.check(client, data, random)
            asked.check(client, data, few=2)
            with ThreadPoolExecutor(1) as others:
                if seed % 2:
                    waiting = [ready(client, WORDS[seed // 2 % len(WORDS)])]
                    others.submit(asked.change_until_it_fails, client, random, waiting, told.is_over)
                told.send_until_it_fails(server, seed, lambda: shut_down(data.parent))
    with (
        mounted(image, data.parent),
        forked_server(data, log, "--profiles", str(rules), token=token) as server,
        server.client() as client,
    ):
        told.check(client, data, Random(kind))
        assert lost(client, told.acknowledged) == []
        asked.check(client, data, few=len(asked.made) + 1)
    assert len(told.acknowledged) > TIMES
    assert {change.word for change in asked.made} == set(WORDS)


def made_image(folder: Path, kind: str) -> Path:
    """A file with a new file system of this *kind*."""
    tools = os.geteuid() == 0 and shutil.which(f"mkfs.{kind}") and shutil.which("mount") and Path("/dev/loop-control")
    require("root", os.geteuid() == 0, "run as root, where file systems may be mounted")
    require("loop", bool(tools), f"install e2fsprogs and xfsprogs, for mkfs.{kind}")
    image = folder / kind
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    subprocess.run([f"mkfs.{kind}", "-q", image], check=True, timeout=PATIENCE_SECONDS)
    return image


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[None]:
    """The file system in *image* at *place*; unmounted at the end, even if a file is still open."""
    place.mkdir(exist_ok=True)
    tried = subprocess.run(
        ["mount", "-o", "loop", image, place], capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    require("loop", tried.returncode == 0, f"run where loop devices may be mounted: {tried.stderr.strip()}")
    try:
        yield
    finally:
        if subprocess.run(["umount", place], check=False, capture_output=True, timeout=PATIENCE_SECONDS).returncode:
            subprocess.run(["umount", "-l", place], check=False, timeout=PATIENCE_SECONDS)
