"""A folder for restore drills, and the GNU tar of this machine, kept inside it by a sandbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from attrs import define, field

from ...domain.client.ports.drilling import TrialChain
from ...domain.drills.manifest import ManifestLine
from ...domain.errors.client import DrillBlind, DrillStopped, FolderUnusable, SandboxUnusable, TarUnusable
from ..gnu_tar.sandbox import BWRAP, NOBODY, NONE, UNSHARE, Sandbox, ended
from .drilled_tree import DrilledTree

_KEPT_MESSAGES = 50
_READ, _MARK = b"tarkeep drill ", b"the byte that is changed is this one: 0"
_NO_ROOM = ("No space left on device", "Disk quota exceeded", "Cannot allocate memory", "File too large")
_SHELL_KILLED = 128
_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.environ.get("PATH", "/usr/bin:/bin")}


@define(eq=False)
class SandboxedRoom:
    """`DrillRoom` in a new folder within *within*, kept by *wanted*, or by what works if that is ``auto``."""

    within: Path
    wanted: str = "auto"
    sandbox: str = field(default="", init=False)
    tar: str = field(default="", init=False)
    _place: Path = field(default=Path(), init=False)
    _sandbox: Sandbox | None = field(default=None, init=False)

    @contextmanager
    def opened(self) -> Iterator[None]:
        self.tar = _version()
        try:
            self.within.mkdir(parents=True, exist_ok=True)
            self._place = Path(tempfile.mkdtemp(prefix="tarkeep-drill-", dir=self.within))
        except OSError as error:
            raise FolderUnusable(str(self.within), error.strerror or str(error)) from error
        try:
            for name in ("tree", "root"):
                (self._place / name).mkdir(mode=0o700)
            if os.geteuid() == 0 and self.wanted != NONE:
                for path in (self._place, self._place / "tree", self._place / "root"):
                    os.chown(path, NOBODY, NOBODY)
            self._sandbox = self._chosen()
            self.sandbox = self._sandbox.name
            yield
        finally:
            with suppress(FolderUnusable):
                self._tree.clear()
            shutil.rmtree(self._place, ignore_errors=True)

    @property
    def _tree(self) -> DrilledTree:
        return DrilledTree(self._place / "tree")

    def _chosen(self) -> Sandbox:
        tried = []
        for name in (BWRAP, UNSHARE) if self.wanted == "auto" else (self.wanted,):
            sandbox = Sandbox(name, self._place / "tree", self._place / "root")
            objection = sandbox.objection()
            if not objection:
                return sandbox
            tried.append(objection)
        raise SandboxUnusable(tuple(tried))

    def trial(self) -> TrialChain:
        with tempfile.TemporaryDirectory(prefix="trial-", dir=self._place) as made:
            top = Path(made) / "t"
            (top / "folder").mkdir(parents=True)
            (top / "folder" / "kept").write_bytes(_READ)
            (top / "folder" / "gone").write_bytes(b"removed before the second archive\n")
            (top / "link").symlink_to("folder/kept")
            os.link(top / "folder" / "kept", top / "same")
            full = _dumped(Path(made))
            (top / "folder" / "gone").unlink()
            (top / "changed").write_bytes(_MARK)
            (top / "changed").chmod(0o640)
            inc = _dumped(Path(made))
            lines = tuple(DrilledTree(top).lines())
        if inc.count(_MARK) != 1:
            raise DrillBlind("its tar does not archive what it is given")
        return TrialChain(full, inc, inc.replace(_MARK, _MARK[:-1] + b"1"), b"changed", lines)

    def extract(self, blocks: Iterable[bytes], *, incremental: bool, seconds: float) -> tuple[str, ...]:
        assert self._sandbox is not None
        if seconds <= 0:
            raise DrillStopped("there was no time left to restore all of it")
        command = [
            *("tar", "--extract", "--preserve-permissions", "--no-same-owner", "--delay-directory-restore"),
            *(["--listed-incremental=/dev/null"] if incremental else []),
            "--file=-",
        ]
        status, said, was_late = self._run(command, blocks, seconds)
        if was_late:
            raise DrillStopped(f"tar was stopped after {seconds:.0f} s, which is all the time that a drill has")
        if any(trouble in line for line in said for trouble in _NO_ROOM):
            raise DrillStopped(f"this machine has no room to restore it: {said[0]}")
        if status < 0 or status >= _SHELL_KILLED:
            raise DrillStopped(f"tar was killed: {said[0] if said else f'it ended with {status}'}")
        return said

    def _run(
        self, command: Sequence[str], blocks: Iterable[bytes], seconds: float
    ) -> tuple[int, tuple[str, ...], bool]:
        assert self._sandbox is not None
        try:
            program = self._sandbox.started(command, seconds)
        except OSError as error:
            raise SandboxUnusable((f"{self.sandbox} cannot be started: {error.strerror or error}",)) from error
        late = threading.Event()

        def stop() -> None:
            late.set()
            ended(program)

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            assert program.stdin is not None
            assert program.stdout is not None
            assert program.stderr is not None
            readers = [_Said(pipe) for pipe in (program.stderr, program.stdout)]
            _feed(program, blocks, late)
            said = readers[0].wait()
            return program.wait(), said, late.is_set()
        finally:
            timer.cancel()
            ended(program)

    def lines(self) -> Iterator[ManifestLine]:
        return self._tree.lines()

    def clear(self) -> None:
        self._tree.clear()


def _feed(program: subprocess.Popen[bytes], blocks: Iterable[bytes], late: threading.Event) -> None:
    """
    Give *blocks* to *program*, until it is too *late*.

    All of them are read, since their end may say that they are whole.
    """
    is_read = True
    for block in blocks:
        if late.is_set():
            break
        if is_read:
            try:
                assert program.stdin is not None
                program.stdin.write(block)
            except (BrokenPipeError, ValueError):  # it ended, or was ended
                is_read = False
    with suppress(BrokenPipeError, ValueError):
        assert program.stdin is not None
        program.stdin.close()


class _Said:
    """The first lines that a program writes to a pipe, read in a thread of its own."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines: deque[str] = deque()
        self._thread = threading.Thread(target=self._read, args=(stream,), name="tar messages", daemon=True)
        self._thread.start()

    def wait(self) -> tuple[str, ...]:
        self._thread.join()
        return tuple(self._lines)

    def _read(self, stream: IO[bytes]) -> None:
        with suppress(ValueError, OSError):
            for line in stream:
                if len(self._lines) < _KEPT_MESSAGES:
                    self._lines.append(line.decode(errors="backslashreplace").rstrip("\n").removeprefix("tar: "))


def _version() -> str:
    found = shutil.which("tar")
    if found is None:
        raise TarUnusable("tar", "not there")
    ran = subprocess.run([found, "--version"], capture_output=True, text=True, env=_ENVIRONMENT, check=False)
    first = ran.stdout.partition("\n")[0]
    if "GNU tar" not in first:
        raise TarUnusable("tar", first.strip() or "something that does not know --version")
    return first.strip()


def _dumped(folder: Path) -> bytes:
    command = ["tar", "--create", "--format=posix", "--file=-", f"--listed-incremental={folder / 'snapshot'}"]
    ran = subprocess.run(
        [*command, f"--directory={folder / 't'}", "."], capture_output=True, env=_ENVIRONMENT, check=False
    )
    if ran.returncode:
        raise DrillBlind(f"its tar fails: {ran.stderr.decode(errors='backslashreplace').strip()}")
    return ran.stdout
