"""A lossy file system at a folder, for as long as a test needs it."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define

from tests.support.require import require

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0


@define
class LossyMount:
    """A mounted `Medium`, and its controls."""

    path: Path
    _process: subprocess.Popen[str]
    _log: Path

    def cut_after(self, changes: int) -> None:
        """Cut the power after so many more calls that change or sync something."""
        self._tell(do="cut", after=changes)

    @property
    def is_off(self) -> bool:
        return self._tell(do="ask")["off"]

    def restore(self, seed: int) -> None:
        """Restore power, with what *seed* lets survive; processes with open files must be dead."""
        self._tell(do="restore", seed=seed)

    def fail(self, call: str, pattern: str, which: int, code: int) -> None:
        """The *which*-th *call* on a path that *pattern* matches fails with the error *code*."""
        self._tell(do="fail", call=call, pattern=pattern, which=which, code=code)

    def has_fired(self) -> bool:
        """Whether that happened; from now on nothing fails."""
        return self._tell(do="clear")["fired"]

    def _tell(self, **command: object) -> dict[str, bool]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], PATIENCE_SECONDS)[0]:
            raise AssertionError(f"the file system did not answer {command}:\n{self._log.read_text()}")
        answer: dict[str, bool] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def lossy_mount(folder: Path) -> Iterator[LossyMount]:
    """A new, empty one in *folder*, which is created; unmounted at the end, whatever happens."""
    works = importlib.util.find_spec("mfusepy") is not None and os.access("/dev/fuse", os.W_OK)
    require("fuse", works and os.geteuid() == 0, "run as root with /dev/fuse, and install Debian's fuse3")
    folder.mkdir()
    log = folder.with_name(f"{folder.name}.log")
    command = [sys.executable, "-m", "tests.faults.lossy_fs", str(folder)]
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, text=True, cwd=ROOT
        )
    try:
        mount = LossyMount(folder, process, log)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not folder.is_mount():
            if process.poll() is not None:
                require("fuse", False, f"the file system ended: install Debian's fuse3 (libfuse3): {log.read_text()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing was mounted:\n{log.read_text()}")
        yield mount
    finally:
        subprocess.run(["umount", "-l", folder], check=False, capture_output=True, timeout=PATIENCE_SECONDS)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
