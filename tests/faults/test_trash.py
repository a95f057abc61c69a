"""
Layers 1 and 2 for marks and the trash: the order of a process's calls, and SIGKILL at each of them.

The process is a child that opens a store and makes one call of it, and strace looks on.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tarkeep.domain.ports.store import StoredArchive, TrashedArchive
from tarkeep.domain.retention import marks
from tarkeep.domain.retention.marks import UNMARKED
from tests.contracts.archive_store import ID, get, put
from tests.contracts.archive_trash import HELD, LATER, NOTE, NOW, PURGED
from tests.support.store_doors import SOON, FilesystemDoor
from tests.support.strace import Call, calls, require_strace

pytestmark = pytest.mark.faults

STORED = StoredArchive(ID, 5, b"about", has_snapshot=True)
TRASHED = TrashedArchive(ID, 5, b"about", NOTE, has_snapshot=True)
PRESENT = marks.encode(UNMARKED)

CHILD = f"""
import os, sys
from datetime import datetime
from pathlib import Path
from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.contracts.archive_store import ID
from tests.contracts.archive_trash import HELD, LATER, NOTE, NOW, PURGED
from tarkeep.domain.retention import marks
store = FilesystemArchiveStore.open(Path(sys.argv[1]), ids=RandomIds())
calls = {{
    "mark": lambda: store.mark(ID, marks.encode(HELD), {PRESENT!r}),
    "trash": lambda: store.trash(ID, NOTE, NOW),
    "untrash": lambda: store.untrash(ID),
    "purge": lambda: store.purge(ID, PURGED, LATER),
    "forget": lambda: store.forget(ID),
}}
os.mkdir(sys.argv[1] + "/staging/begun")
calls[sys.argv[2]]()
os.mkdir(sys.argv[1] + "/staging/ended")
"""

WRITTEN = ["sync staged"]
ORDER = {
    "mark": [*WRITTEN, "rename archives marks", "sync archives"],
    "trash": [
        *("make trash", "make trash", "sync trash", "sync trash", *WRITTEN, "rename trash note"),
        *("link trash snapshot", "link trash marks", "link trash side-car", "link trash archive", "sync trash"),
        *("unlink archives archive", "unlink archives snapshot", "unlink archives marks", "unlink archives side-car"),
        "sync archives",
    ],
    "untrash": [
        *("sync archives", "sync archives"),  # its folders, once in a process
        *("link archives snapshot", "link archives marks", "link archives side-car", "link archives archive"),
        "sync archives",
        *("unlink trash archive", "unlink trash snapshot", "unlink trash marks", "unlink trash side-car"),
        *("unlink trash note", "sync trash"),
    ],
    "purge": [
        *(*WRITTEN, "rename trash note", "sync trash"),
        *("unlink trash archive", "unlink trash snapshot", "unlink trash marks", "unlink trash side-car"),
        "sync trash",
    ],
    "forget": ["unlink trash note", "sync trash"],
}
VERBS = {
    "fsync": "sync",
    "linkat": "link",
    "unlinkat": "unlink",
    "mkdirat": "make",
    "renameat": "rename",
    "renameat2": "rename",
}
KINDS = {".json": "side-car", ".snar": "snapshot", ".marks": "marks", ".gz": "archive"}
CHANGING = ("openat", "write", "fsync", "linkat", "unlinkat", "mkdirat", "renameat")
DONE: dict[str, tuple[list[StoredArchive], list[TrashedArchive]]] = {
    "mark": ([STORED], []),
    "trash": ([], [TRASHED]),
    "untrash": ([STORED], []),
    "purge": ([], [TrashedArchive(ID, None, None, PURGED)]),
    "forget": ([], []),
}


def prepare(data: Path, step: str) -> None:
    """A store in which *step* has something to do."""
    with closing(FilesystemDoor(data)) as door:
        put(door.store, ID, b"bytes", b"about")
        door.store.keep_snapshot(ID, [b"snapshot"])
        door.store.mark(ID, PRESENT, None)
        if step not in ("mark", "trash"):
            door.store.trash(ID, NOTE, NOW)
        if step == "forget":
            door.store.purge(ID, PURGED, LATER)


def take(door: FilesystemDoor, step: str) -> None:
    """Make *step* again, after it may have been made."""
    store = door.store
    match step:
        case "mark":
            if store.marks(ID) != marks.encode(HELD):
                store.mark(ID, marks.encode(HELD), PRESENT)
        case "trash":
            store.trash(ID, NOTE, NOW)
        case "untrash":
            if list(store.trashed()):
                store.untrash(ID)
        case "purge":
            store.purge(ID, PURGED, LATER)
        case "forget":
            store.forget(ID)


def traced(data: Path, step: str, log: Path, *options: str) -> list[Call]:
    """The calls of a child that makes *step*, from its beginning on, as far as it came."""
    command = ["strace", "-f", "-y", "-o", str(log), *options, sys.executable, "-c", CHILD, str(data), step]
    ran = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert ran.returncode == 0 or "SIGKILL" in log.read_text(), ran.stderr
    (data / "staging" / "begun").rmdir()
    if (data / "staging" / "ended").exists():
        (data / "staging" / "ended").rmdir()
    return calls(log)


def between(made: list[Call]) -> list[Call]:
    """The calls between the two that mark the beginning and the end of the step."""
    marked = [number for number, call in enumerate(made) if call.name == "mkdir" and "/staging/" in call.path]
    return made[marked[0] + 1 : marked[1]]


def said(call: Call, data: Path) -> str:
    path = Path(call.path).relative_to(data)
    area = "staged" if path.parts[0] == "staging" else path.parts[0]
    words = [VERBS[call.name], area]
    if len(path.parts) == 4:
        words.append("note" if path.name.endswith(".trashed.json") else KINDS[path.suffix])
    return " ".join(words)


@pytest.mark.parametrize("step", ORDER)
def test_nothing_old_goes_before_the_new_is_durable(tmp_path: Path, step: str) -> None:
    """The note and what lies beside an archive before the archive, all of it synced, and only then the old names."""
    require_strace(tmp_path)
    data, log = tmp_path / "data", tmp_path / "strace.log"
    prepare(data, step)
    made = traced(data, step, log, "--trace=" + ",".join((*VERBS, "mkdir")))

    assert [said(call, data) for call in between(made) if not call.has_failed] == ORDER[step]


@pytest.mark.parametrize("step", ORDER)
def test_killed_at_any_call_the_archive_is_whole_and_the_step_ends(tmp_path: Path, step: str) -> None:
    """In the store, in the trash or in both; the next process finishes the step, and nothing is left over."""
    require_strace(tmp_path)
    data, log = tmp_path / "data", tmp_path / "strace.log"
    prepare(data, step)
    made = traced(data, step, log, "--trace=" + ",".join((*CHANGING, "mkdir")))
    inside = between(made)
    kills = 0
    for number, call in enumerate(made):
        if call not in inside:
            continue
        which = sum(other.name == call.name for other in made[: number + 1])
        data = tmp_path / f"data-{number}"
        prepare(data, step)
        traced(data, step, log, f"--trace={call.name},mkdir", f"--inject={call.name}:signal=SIGKILL:when={which}")
        assert "killed by SIGKILL" in log.read_text(), call
        kills += 1
        with closing(FilesystemDoor(data)) as door:
            check_between(door, step)
            door.store.sweep(SOON)
            assert door.staging_is_empty()
            take(door, step)
            assert (list(door.store.scan()), list(door.store.trashed())) == DONE[step], call
    assert kills > 5


def check_between(door: FilesystemDoor, step: str) -> None:
    stored, trashed = list(door.store.scan()), list(door.store.trashed())
    assert stored in ([], [STORED])
    whole = [entry for entry in trashed if entry.size_bytes is not None]
    assert [(entry.size_bytes, entry.sidecar, entry.has_snapshot) for entry in whole] in ([], [(5, b"about", True)])
    if step in ("mark", "trash", "untrash"):
        assert stored or whole
        assert door.store.marks(ID) in (PRESENT, marks.encode(HELD))
        if not stored:
            door.store.untrash(ID)
            assert get(door.store, ID) == b"bytes"
            if step == "trash":
                door.store.trash(ID, NOTE, NOW)
    if step == "purge" and not whole:
        assert door.store.note(ID) == PURGED
