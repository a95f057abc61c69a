"""
A user at a desk: runs tar by hand in a directory, sends the archives, and restores them in every way.

A point must give the same result in every way of restoring: by its plan, the tree, ``restore.tar``, the script and
``tarkeep restore``. `Desk.given_back` asserts that, so a test only states the expected result.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from attrs import define, field

from tests.support.machine import Machine
from tests.support.tar_oracle import look_at

Seen = dict[bytes, tuple[str, bytes]]

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
"""A prefix by which root runs a command as an ordinary user."""


@define
class Desk:
    """*place* is an empty folder; the directory to back up is ``live`` in it, where all commands run."""

    client: httpx2.Client
    machine: Machine
    profile: str
    place: Path
    _count: int = field(default=0, init=False)

    @property
    def live(self) -> Path:
        return self.place / "live"

    @property
    def url(self) -> str:
        return f"/api/v1/profiles/{self.profile}"

    def do(self, commands: str) -> None:
        """Run shell *commands*; afterwards the file system's clock has advanced, so that tar notices later changes."""
        self.live.mkdir(exist_ok=True)
        subprocess.run(["bash", "-euc", commands], cwd=self.live, check=True, capture_output=True)
        clock = self.place / "clock"
        clock.touch()
        now = clock.stat().st_mtime_ns
        while clock.stat().st_mtime_ns == now:
            time.sleep(0.001)
            clock.touch()

    def dump(
        self,
        type: str,
        *arguments: str,
        name: str | None = None,
        proven: bool = True,
        snapshot: str | None = "snapshot",
        prefix: tuple[str, ...] = (),
        may_fail: bool = False,
        compress: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """
        Send the output of tar with *arguments*; a FULL begins a new *snapshot* file, None makes a plain archive.

        *proven* sends the digests of that file. tar runs under *prefix*, and *may_fail* to read some files; without
        *compress*, its output is compressed afterwards.
        """
        name = name or self.next_name(type)
        archive, kept = self.place / name, self.place / (snapshot or "none")
        if type == "FULL":
            kept.unlink(missing_ok=True)
        said = dict(headers or {})
        if proven and kept.exists():
            said["Tarkeep-Snapshot-Before"] = digest(kept)
        options = [f"--listed-incremental={kept}"] if snapshot is not None else []
        command = [*prefix, "tar", "-czf" if compress else "-cf", str(archive), *options, *arguments]
        ran = subprocess.run(command, cwd=self.live, capture_output=True)
        assert may_fail or ran.returncode == 0, ran.stderr
        if proven and kept.exists():
            said["Tarkeep-Snapshot-After"] = digest(kept)
        self.do("true")
        content = archive.read_bytes() if compress else gzip.compress(archive.read_bytes())
        answer = self.put(type, content, name=name, headers=said)
        assert answer.status_code == 201, answer.text
        return answer

    def put(
        self, type: str, content: bytes, *, name: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """Send *content* from another source; the response may be a refusal."""
        name = name or self.next_name(type)
        return self.client.put(f"{self.url}/archives/{type}/{name}", content=content, headers=headers)

    def next_name(self, type: str) -> str:
        """A name with a different day each time."""
        self._count += 1
        return f"{type.lower()}_2026-01-{self._count:02d}_00-00-00.tar.gz"

    def get(self, what: str, **query: str) -> Any:
        answer = self.client.get(f"{self.url}/{what}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def seen(self, *without: str) -> Seen:
        """The present tree, except for the paths *without* and everything below them."""
        return {path: look for path, look in look_at(self.live).items() if not _is_below(path, without)}

    def points(self) -> dict[str, dict[str, Any]]:
        """The points, by type and name."""
        return {f"{point['type']}/{point['name']}": point for point in self.get("points")["points"]}

    def warnings(self, at: str = "latest") -> list[str]:
        """The warnings in the plan of a point."""
        found: list[str] = self.get("plan", at=at)["warnings"]
        return found

    def given_back(self, at: str = "latest") -> Seen | None:
        """The result of restoring, which must be the same in every way; None if every way refuses."""
        plan, tree, tar, script = (
            self.client.get(f"{self.url}/{what}", params={"at": at, **more})
            for what, more in (
                ("plan", {}),
                ("tree", {"recursive": "true"}),
                ("restore.tar", {}),
                ("plan", {"format": "sh"}),
            )
        )
        answers = {answer.status_code for answer in (plan, tree, tar, script)}
        assert len(answers) == 1, answers
        point = self.points()[_label(plan.json())] if plan.status_code == 200 else self.points().get(at)
        assert point is None or point["restorable"] is (plan.status_code == 200)
        if plan.status_code != 200:
            with self._into() as into:
                refused = self._run_client(at, into / "client")
            assert refused.returncode == 1, refused.stderr
            return None
        assert at == "latest" or _label(plan.json()) == at
        with self.restored(at) as ways:
            found = {way: look_at(place) for way, place in ways.items()}
        assert len({frozenset(one.items()) for one in found.values()}) == 1, found
        assert {entry["path"] for entry in tree.json()["entries"]} == {path.decode() for path in found["script"]}
        return found["script"]

    @contextmanager
    def restored(
        self, at: str = "latest", *, status: int = 0, merging: bool = False, as_nobody: bool = False
    ) -> Iterator[dict[str, Path]]:
        """
        The directories into which each way restores a point, by the names of the ways, for the duration of the context.

        The script and the client must exit with *status*; a client that exits with 0 has checked the restored tree. The
        client *merging* is one more way. All of them are run by root, or *as_nobody*.
        """
        script, tar = (
            self.client.get(f"{self.url}/{what}", params={"at": at, **more})
            for what, more in (("plan", {"format": "sh"}), ("restore.tar", {}))
        )
        prefix = NOBODY if as_nobody else ()
        with self._into() as into:
            ways = {way: into / way for way in ("script", "client", "merged")}
            (into / "restore.sh").write_bytes(script.content)
            ways["merged"].mkdir()
            if as_nobody:
                self._give_to_nobody(into, ways["merged"])
            command = [*prefix, "sh", str(into / "restore.sh"), str(ways["script"])]
            ran = subprocess.run(command, cwd=into, capture_output=True, env={**os.environ, "TMPDIR": str(into)})
            assert ran.returncode == status, ran.stderr
            restored = self._run_client(at, ways["client"], prefix=prefix)
            assert restored.returncode == status, restored.stdout + restored.stderr
            if merging:
                ways["client, merging"] = into / "client, merging"
                restored = self._run_client(at, ways["client, merging"], "--merged", prefix=prefix)
                assert restored.returncode == status, restored.stdout + restored.stderr
            extract = ["tar", "-xp", "--xattrs", "--xattrs-include=*", "--acls", "-C", str(ways["merged"]), "-f-"]
            subprocess.run([*prefix, *extract], input=tar.content, check=True, capture_output=True)
            yield ways

    def _give_to_nobody(self, *places: Path) -> None:
        """Make an ordinary user the owner of *places*."""
        for above in (self.place, *self.place.parents[:-2]):
            above.chmod(above.stat().st_mode | 0o111)
        for path in places:
            os.chown(path, 65534, 65534)

    def _run_client(
        self, at: str, into: Path, *options: str, prefix: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        restore = ("restore", self.profile, "--at", at, "--into", str(into), "--check", *options)
        return self.machine.run(*restore, prefix=prefix, environment={"TMPDIR": str(into.parent)})

    @contextmanager
    def _into(self) -> Iterator[Path]:
        into = self.place / "back"
        into.mkdir()
        try:
            yield into
        finally:
            shutil.rmtree(into)


def _label(plan: dict[str, Any]) -> str:
    last = plan["steps"][-1]
    return f"{last['type']}/{last['name']}"


def _is_below(path: bytes, places: tuple[str, ...]) -> bool:
    return any(path == at.encode() or path.startswith(at.encode() + b"/") for at in places)


def digest(file: Path) -> str:
    """The SHA-256 of *file*, as in headers."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
