"""The chains of a Tarkeep server, over HTTP: restore points, plans, trees, and tar's snapshot files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from attrs import frozen

from ...domain.client.ports.chains import (
    Base,
    LackingName,
    PointDetail,
    RemoteTreeEntry,
    RemoteVersion,
    RestorePlan,
    RestoreStep,
    StoredPoint,
    Tell,
    Warn,
)
from ...domain.client.ports.remote import Download
from ...domain.errors.client import RemoteNotFound
from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.text.lack_counts import Counts
from ...domain.text.paths import path_bytes, path_text
from .connection import HttpConnection
from .refusal import HttpRefusal
from .remote import archive_path
from .told import NotUnderstood, Pages, Told

_PAGE = 1000
_TIME = re.compile(r"(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)


@frozen
class HttpChains:
    """`RemoteChains` of the server at the other end of *connection*."""

    connection: HttpConnection

    def points(self, profile: str) -> list[StoredPoint]:
        found: list[StoredPoint] = []
        asked, pages = {"limit": str(_PAGE)}, Pages()
        while True:
            told = self._asked(profile, "points", **asked)
            with self.connection.understood(told):
                points = [_point(profile, point) for point in told.objects("points")]
                cursor = pages.next_cursor(told, len(points))  # a server without pages has sent everything
            found += points
            if cursor is None:
                return found
            asked["cursor"] = cursor

    def detail(self, id: ArchiveId) -> PointDetail:
        told = self._asked(id.profile, f"points/{id.type.value}/{quote(id.name, safe='')}")
        with self.connection.understood(told):
            missing = told.object_or_none("not_archived") if told.has("not_archived") else None  # older servers: absent
            return PointDetail(
                id,
                told.text("fidelity"),
                told.sentences("obstacles"),
                tuple(
                    (doubt.text("code"), doubt.text("detail"))
                    for doubt in told.objects("doubts")
                    if not doubt.has("archive") or _id(id.profile, doubt.object("archive")) == id
                ),
                tuple(map(path_bytes, missing.texts("names"))) if missing is not None else (),
                missing.count("count") if missing is not None else None,
                told.count("gaps") if told.has("gaps") else 0,
            )

    def base(self, profile: str, type: BackupType) -> Base | None:
        try:
            told = self._asked(profile, "base", type=type.value, snapshot="true")
        except RemoteNotFound:
            return None
        with self.connection.understood(told):
            return Base(
                _id(profile, told.object("parent")),
                told.time("taken_at"),
                told.object("snapshot").text("sha256"),
                told.count("chain_length"),
            )

    def snapshot(self, id: ArchiveId) -> bytes:
        with not_there(), self.connection.stream(f"{archive_path(id)}/snapshot") as download:
            return b"".join(download)

    def put_snapshot(self, id: ArchiveId, snapshot: bytes) -> None:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(len(snapshot))}
        self.connection.request("PUT", f"{archive_path(id)}/snapshot", headers, snapshot)

    def plan(self, profile: str, at: str, *, path: bytes = b"", allow_gaps: bool = False) -> RestorePlan:
        told = self._asked(profile, "plan", at=at, steps="full", **_part(path, allow_gaps=allow_gaps))
        with self.connection.understood(told):
            steps = tuple(
                RestoreStep(_id(profile, step), step.count("size"), step.text("sha256"), step.flag("incremental"))
                for step in told.objects("steps")
            )
            if not steps:
                raise NotUnderstood("is a plan without steps")
            return RestorePlan(
                point=_id(profile, told.object("point")),
                taken_at=told.time("taken_at"),
                fidelity=told.text("fidelity"),
                evidence=told.text_or_none("evidence"),
                size_bytes=told.count("size"),
                steps=steps,
                warnings=told.texts("warnings"),
                is_sound=told.flag("sound") if told.has("sound") else True,
                lacks=_counts(told),
                unknown=told.texts("unknown") if told.has("unknown") else (),
            )

    def gaps(self, profile: str, at: str, path: bytes = b"") -> Iterator[LackingName]:
        for page in self._pages(profile, "gaps", {"at": at, **_part(path)}):
            with self.connection.understood(page):
                names = [
                    LackingName(
                        path_bytes(told.text("path")),
                        told.text("detail"),
                        told.flag("given"),
                        told.object_or_none("archive") is not None,
                    )
                    for told in page.objects("entries")
                ]
            yield from names

    def tree(
        self,
        profile: str,
        at: str,
        path: bytes = b"",
        *,
        recursive: bool = False,
        allow_gaps: bool = False,
        tell: Tell | None = None,
        warn: Warn | None = None,
    ) -> Iterator[RemoteTreeEntry]:
        query = {"at": at, "path": path_text(path)} | ({"recursive": "true"} if recursive else {})
        return self._entries(profile, "tree", path, query | _part(b"", allow_gaps=allow_gaps), tell, warn)

    def find(
        self,
        profile: str,
        at: str,
        name: str,
        *,
        allow_gaps: bool = False,
        tell: Tell | None = None,
        warn: Warn | None = None,
    ) -> Iterator[RemoteTreeEntry]:
        query = {"at": at, "name": name, **_part(b"", allow_gaps=allow_gaps)}
        return self._entries(profile, "find", b"", query, tell, warn)

    def history(self, profile: str, path: bytes) -> list[RemoteVersion]:
        told = self._asked(profile, "history", path=path_text(path))
        with self.connection.understood(told):
            return [_version(profile, version) for version in told.objects("versions")]

    def restored(self, profile: str, at: str, path: bytes, *, allow_gaps: bool = False) -> Download:
        query = urlencode({"at": at, "path": path_text(path), **_part(b"", allow_gaps=allow_gaps)})
        with not_there():
            return self.connection.stream(f"/api/v1/profiles/{quote(profile)}/restore.tar?{query}")

    def _asked(self, profile: str, what: str, **query: str) -> Told:
        target = f"/api/v1/profiles/{quote(profile)}/{what}"
        with not_there():
            return self.connection.asked("GET", f"{target}?{urlencode(query)}" if query else target)

    def _entries(
        self, profile: str, what: str, folder: bytes, query: Mapping[str, str], tell: Tell | None, warn: Warn | None
    ) -> Iterator[RemoteTreeEntry]:
        for page in self._pages(profile, what, query):
            with self.connection.understood(page):
                entries = [_entry(profile, folder, told) for told in page.objects("entries")]
                counts = _counts(page)
                passed_over = _passed_over(page)
            if tell is not None and counts:
                tell(counts)
                tell = None
            if warn is not None:
                for sentence in passed_over:
                    warn(sentence)
                warn = None
            yield from entries

    def _pages(self, profile: str, what: str, query: Mapping[str, str]) -> Iterator[Told]:
        asked, pages = {**query, "limit": str(_PAGE)}, Pages()
        while True:
            page = self._asked(profile, what, **asked)
            with self.connection.understood(page):
                cursor = pages.next_cursor(page, page.length("entries"))
            yield page
            if cursor is None:
                return
            asked["cursor"] = cursor


@contextmanager
def not_there() -> Iterator[None]:
    """Turn a server's answer that it has no such thing into an error of its own."""
    try:
        yield
    except HttpRefusal as error:
        if (error.status, error.code) == (404, "not-found"):
            raise RemoteNotFound(error.code, error.detail) from error
        raise


def _passed_over(told: Told) -> list[str]:
    """Sentences about the points that an answer passed over; empty for an older server."""
    if not told.has("passed_over"):
        return []
    found = ((one.object("archive"), one.text("reason")) for one in told.objects("passed_over"))
    return [f"{archive.text('type')}/{archive.text('name')} was passed over: {reason}" for archive, reason in found]


def _part(path: bytes, *, allow_gaps: bool = False) -> dict[str, str]:
    """The parameters that select *path* alone, and that accept gaps if *allow_gaps*."""
    return ({"path": path_text(path)} if path else {}) | ({"allow_gaps": "1"} if allow_gaps else {})


def _counts(told: Told) -> Counts:
    """The counts of missing names; an older server reports none or only some of them."""
    return Counts(
        told.count("gaps") if told.has("gaps") else 0, told.count("uncertain") if told.has("uncertain") else 0
    )


def _id(profile: str, told: Told) -> ArchiveId:
    return ArchiveId(profile, BackupType(told.text("type")), told.text("name"))


def _point(profile: str, told: Told) -> StoredPoint:
    link = told.object("link")
    parent = link.object_or_none("parent")
    return StoredPoint(
        id=_id(profile, told),
        size_bytes=told.count("size"),
        taken_at=told.time("taken_at"),
        received_at=told.time("received_at"),
        kind=told.text_or_none("kind"),
        state=told.text("state"),
        is_restorable=told.flag("restorable"),
        fidelity=told.text("fidelity"),
        evidence=told.text_or_none("evidence"),
        parent=_id(profile, parent) if parent is not None else None,
        link_evidence=link.text_or_none("evidence"),
        reason=link.text("reason"),
        length=told.count("length") if told.has("length") else told.length("path"),
        path_bytes=told.count("path_size"),
        has_snapshot=told.flag("has_snapshot"),
        obstacles=told.sentences("obstacles"),
        doubts=told.sentences("doubts"),
        notes=told.texts("notes") if told.has("notes") else (),
        is_sound=told.flag("sound") if told.has("sound") else True,
        gaps=told.count("gaps") if told.has("gaps") else 0,
        distrust=told.text("distrust") if told.has("distrust") else "",
        restore_minutes=told.number("restore_minutes") if told.has("restore_minutes") else None,
    )


def _entry(profile: str, folder: bytes, told: Told) -> RemoteTreeEntry:
    if told.has("path"):
        path = path_bytes(told.text("path"))
    else:
        name = path_bytes(told.text("name"))
        path = folder + b"/" + name if folder else name
    mtime, mode, archive = told.text_or_none("mtime"), told.text_or_none("mode"), told.object_or_none("archive")
    return RemoteTreeEntry(
        path=path,
        type=told.text("type"),
        size_bytes=told.count_or_none("size") or 0,
        mtime_ns=_nanoseconds(mtime) if mtime else None,
        mode=int(mode, 8) if mode else None,
        uid=told.integer_or_none("uid"),
        gid=told.integer_or_none("gid"),
        uname=told.text_or_none("uname") or "",
        gname=told.text_or_none("gname") or "",
        link=path_bytes(told.text_or_none("link") or ""),
        archive=_id(profile, archive) if archive is not None else None,
    )


def _version(profile: str, told: Told) -> RemoteVersion:
    other = next((told.text(name) for name in ("renamed_to", "renamed_from") if told.has(name)), None)
    return RemoteVersion(
        archive=_id(profile, told.object("archive")),
        taken_at=told.time("taken_at"),
        event=told.text("event"),
        type=told.text("type") if told.has("type") else None,
        size_bytes=told.count("size") if told.has("size") else None,
        mtime_ns=_nanoseconds(told.text("mtime")) if told.has("mtime") else None,
        other=path_bytes(other) if other else None,
    )


def _nanoseconds(text: str) -> int:
    """*text*, RFC 3339 with up to nine fractional digits, in nanoseconds since the epoch."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time")
    seconds = datetime.fromisoformat(match[1] + match[3])
    whole = (seconds - datetime(1970, 1, 1, tzinfo=UTC)) // _SECOND
    return whole * 1_000_000_000 + int((match[2] or "").ljust(9, "0"))


_SECOND = datetime(2000, 1, 1, 0, 0, 1) - datetime(2000, 1, 1)
