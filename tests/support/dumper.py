"""
A machine that backs up one directory with GNU tar's --listed-incremental to a server.

The expected result of a restore is the directory itself, as it was when each archive was made.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
from attrs import define, field, frozen

from tests.support.histories import History, tar
from tests.support.tar_oracle import look_at

Seen = dict[bytes, tuple[str, bytes]]


@frozen
class Dump:
    """An archive that was made but perhaps not sent. *before* and *after* are digests of the snapshot file."""

    type: str
    name: str
    content: bytes
    before: str | None
    after: str
    snapshot: bytes
    live: Seen


@define
class Dumper:
    """A machine with one directory, ``root``, that it backs up to a profile."""

    client: httpx2.Client
    profile: str
    history: History
    _count: int = field(default=0, init=False)

    @property
    def root(self) -> Path:
        return self.history.root

    @property
    def url(self) -> str:
        return f"/api/v1/profiles/{self.profile}"

    def archive(self, dump: Dump) -> str:
        return f"{self.url}/archives/{dump.type}/{quote(dump.name)}"

    def dump(self, type: str, name: str | None = None, *, posix: bool = False, on_top_of: Dump | None = None) -> Dump:
        """Make an archive; a FULL without a snapshot file, others from that of *on_top_of* or of the last dump."""
        self._count += 1
        snapshot = self.history.place / "snar"
        if type == "FULL":
            snapshot.unlink(missing_ok=True)
        elif on_top_of is not None:
            snapshot.write_bytes(on_top_of.snapshot)
        before = digest(snapshot.read_bytes()) if snapshot.exists() else None
        name = name or f"{type.lower()}_2026-11-{self._count:02d}_02-00-00.tar.gz"
        content = self.history.dump("dump.tar", snapshot, posix=posix).read_bytes()
        after = snapshot.read_bytes()
        return Dump(
            type,
            name,
            gzip.compress(content, 1),
            before,
            digest(after),
            after,
            {b"root": ("directory", b"")} | self.live(),
        )

    def put(self, dump: Dump, *, proven: bool = True, **headers: str) -> httpx2.Response:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if proven:
            said |= {"Tarkeep-Snapshot-After": dump.after}
            said |= {"Tarkeep-Snapshot-Before": dump.before} if dump.before else {}
        return self.client.put(self.archive(dump), content=dump.content, headers=said)

    def back_up(self, type: str, name: str | None = None, **options: Any) -> Dump:
        """Make an archive and send it with the digests that prove its chain."""
        dump = self.dump(type, name, **options)
        assert self.put(dump).status_code == 201
        return dump

    def get(self, what: str, **query: str) -> Any:
        answer = self.client.get(f"{self.url}/{what}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def points(self) -> dict[str, Any]:
        """The points by the names of their archives."""
        return {point["name"]: point for point in self.get("points")["points"]}

    def restored(self, what: str = "restore.tar", **query: str) -> Seen:
        """The tree that tar extracts from a restored tar."""
        answer = self.client.get(f"{self.url}/{what}", params=query)
        assert answer.status_code == 200, answer.text
        return extracted(answer.content, self.history.place / "restored")

    def live(self) -> Seen:
        return {b"root/" + path: what for path, what in look_at(self.root).items()}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def extracted(content: bytes, into: Path) -> Seen:
    into.mkdir()
    try:
        archive = into.with_suffix(".tar")
        archive.write_bytes(content)
        tar(into, "--extract", f"--file={archive}")
        return look_at(into)
    finally:
        shutil.rmtree(into)


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def named(dump: Dump) -> dict[str, str]:
    return {"type": dump.type, "name": dump.name}


def settled(machine: Dumper) -> Dumper:
    root = machine.root
    (root / "letters").mkdir()
    (root / "letters" / "one.txt").write_text("Dear Sir\n")
    (root / "report.txt").write_text("draft\n")
    (root / "gone.txt").write_text("not for long\n")
    (root / os.fsdecode(b"odd\\ \xff.txt")).write_text("odd\n")
    return machine


def change(machine: Dumper) -> None:
    """A file changed, one deleted, one new, and a directory renamed."""
    root = machine.root
    (root / "report.txt").write_text("final\n")
    (root / "gone.txt").unlink()
    (root / "letters").rename(root / "post")
    (root / "post" / "two.txt").write_text("Dear Madam\n")
