"""What a Tarkeep server knows of chains, over HTTP: restore points, plans, trees, and tar's snapshot files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from attrs import frozen

from ..domain.archives import ArchiveId, BackupType
from ..domain.client.chain import Base, PointDetail, RestorePlan, RestoreStep, StoredPoint, TreeEntry, Version
from ..domain.client.ports import Download
from ..domain.errors import NotThere, Refused
from ..domain.path_text import path_bytes, path_text
from .http_remote import HttpRemote, archive_path, obstacle_text

_PAGE = 1000
_TIME = re.compile(r"(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)


@frozen
class HttpChains:
    """`Chains` of the server that *remote* talks to."""

    remote: HttpRemote

    def points(self, profile: str) -> list[StoredPoint]:
        found: list[StoredPoint] = []
        asked = {"limit": str(_PAGE)}
        while True:
            told = self._asked(profile, "points", **asked)
            with self.remote.understood():
                found += (_point(profile, point) for point in told["points"])
                cursor = told.get("next_cursor")  # a server that knows no pages has told all
            if cursor is None:
                return found
            asked["cursor"] = cursor

    def detail(self, id: ArchiveId) -> PointDetail:
        told = self._asked(id.profile, f"points/{id.type.value}/{quote(id.name, safe='')}")
        with self.remote.understood():
            missing = told.get("not_archived", {"count": 0, "names": []})  # that of an older server does not tell
            return PointDetail(
                id,
                told["fidelity"],
                tuple(map(obstacle_text, told["obstacles"])),
                tuple(
                    (doubt["code"], doubt["detail"])
                    for doubt in told["doubts"]
                    if not doubt.get("archive") or _id(id.profile, doubt["archive"]) == id
                ),
                tuple(map(path_bytes, missing["names"])),
                missing["count"],
            )

    def base(self, profile: str, type: BackupType) -> Base | None:
        try:
            told = self._asked(profile, "base", type=type.value, snapshot="true")
        except NotThere:
            return None
        with self.remote.understood():
            return Base(
                _id(profile, told["parent"]),
                _time(told["taken_at"]),
                told["snapshot"]["sha256"],
                told["chain_length"],
            )

    def snapshot(self, id: ArchiveId) -> bytes:
        with _not_there(), self.remote.stream(f"{archive_path(id)}/snapshot") as download:
            return b"".join(download)

    def put_snapshot(self, id: ArchiveId, snapshot: bytes) -> None:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(len(snapshot))}
        self.remote.request("PUT", f"{archive_path(id)}/snapshot", headers, snapshot)

    def plan(self, profile: str, at: str) -> RestorePlan:
        told = self._asked(profile, "plan", at=at, steps="full")
        with self.remote.understood():
            return RestorePlan(
                point=_id(profile, told["point"]),
                taken_at=_time(told["taken_at"]),
                fidelity=told["fidelity"],
                evidence=told["evidence"],
                size_bytes=told["size"],
                steps=tuple(
                    RestoreStep(_id(profile, step), step["size"], step["sha256"], step["incremental"])
                    for step in told["steps"]
                ),
                warnings=tuple(told["warnings"]),
                is_sound=told.get("sound", True),
            )

    def tree(self, profile: str, at: str, path: bytes = b"", *, recursive: bool = False) -> Iterator[TreeEntry]:
        query = {"at": at, "path": path_text(path)} | ({"recursive": "true"} if recursive else {})
        return self._entries(profile, "tree", path, query)

    def find(self, profile: str, at: str, name: str) -> Iterator[TreeEntry]:
        return self._entries(profile, "find", b"", {"at": at, "name": name})

    def history(self, profile: str, path: bytes) -> list[Version]:
        told = self._asked(profile, "history", path=path_text(path))
        with self.remote.understood():
            return [_version(profile, version) for version in told["versions"]]

    def restored(self, profile: str, at: str, path: bytes) -> Download:
        query = urlencode({"at": at, "path": path_text(path)})
        with _not_there():
            return self.remote.stream(f"/api/v1/profiles/{quote(profile)}/restore.tar?{query}")

    def _asked(self, profile: str, what: str, **query: str) -> dict[str, Any]:
        target = f"/api/v1/profiles/{quote(profile)}/{what}"
        with _not_there():
            return self.remote.asked("GET", f"{target}?{urlencode(query)}" if query else target)

    def _entries(self, profile: str, what: str, folder: bytes, query: Mapping[str, str]) -> Iterator[TreeEntry]:
        asked = {**query, "limit": str(_PAGE)}
        while True:
            page = self._asked(profile, what, **asked)
            with self.remote.understood():
                entries = [_entry(profile, folder, told) for told in page["entries"]]
                cursor = page["next_cursor"]
            yield from entries
            if cursor is None:
                return
            asked["cursor"] = cursor


@contextmanager
def _not_there() -> Iterator[None]:
    """What a server that has no such thing says is an error of its own."""
    try:
        yield
    except Refused as error:
        if (error.status, error.code) == (404, "not-found"):
            raise NotThere(error.status, error.code, error.detail) from error
        raise


def _id(profile: str, told: Mapping[str, Any]) -> ArchiveId:
    return ArchiveId(profile, BackupType(told["type"]), told["name"])


def _point(profile: str, told: Mapping[str, Any]) -> StoredPoint:
    link = told["link"]
    return StoredPoint(
        id=_id(profile, told),
        size_bytes=told["size"],
        taken_at=_time(told["taken_at"]),
        received_at=_time(told["received_at"]),
        kind=told["kind"],
        state=told["state"],
        is_restorable=told["restorable"],
        fidelity=told["fidelity"],
        evidence=told["evidence"],
        parent=_id(profile, link["parent"]) if link["parent"] else None,
        link_evidence=link["evidence"],
        reason=link["reason"],
        length=told["length"] if "length" in told else len(told["path"]),
        path_bytes=told["path_size"],
        has_snapshot=told["has_snapshot"],
        obstacles=tuple(map(obstacle_text, told["obstacles"])),
        doubts=tuple(map(obstacle_text, told["doubts"])),
        notes=tuple(map(str, told.get("notes", ()))),
    )


def _entry(profile: str, folder: bytes, told: Mapping[str, Any]) -> TreeEntry:
    if "path" in told:
        path = path_bytes(told["path"])
    else:
        name = path_bytes(told["name"])
        path = folder + b"/" + name if folder else name
    return TreeEntry(
        path=path,
        type=told["type"],
        size_bytes=told["size"] or 0,
        mtime_ns=_nanoseconds(told["mtime"]) if told["mtime"] else None,
        mode=int(told["mode"], 8) if told["mode"] else None,
        uid=told["uid"],
        gid=told["gid"],
        uname=told["uname"] or "",
        gname=told["gname"] or "",
        link=path_bytes(told["link"] or ""),
        archive=_id(profile, told["archive"]) if told["archive"] else None,
    )


def _version(profile: str, told: Mapping[str, Any]) -> Version:
    other = told.get("renamed_to") or told.get("renamed_from")
    mtime = told.get("mtime")
    return Version(
        archive=_id(profile, told["archive"]),
        taken_at=_time(told["taken_at"]),
        event=told["event"],
        type=told.get("type"),
        size_bytes=told.get("size"),
        mtime_ns=_nanoseconds(mtime) if mtime else None,
        other=path_bytes(other) if other else None,
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _nanoseconds(text: str) -> int:
    """*text*, RFC 3339 with up to nine digits behind the second, in nanoseconds since the epoch."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time")
    seconds = datetime.fromisoformat(match[1] + match[3])
    whole = (seconds - datetime(1970, 1, 1, tzinfo=UTC)) // _SECOND
    return whole * 1_000_000_000 + int((match[2] or "").ljust(9, "0"))


_SECOND = datetime(2000, 1, 1, 0, 0, 1) - datetime(2000, 1, 1)
