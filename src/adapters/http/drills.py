"""The restore drills of a Tarkeep server, over HTTP."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO
from urllib.parse import quote, urlencode

from attrs import frozen

from ...domain.client.ports.drilling import DrillVerdict, DueDrill, RestoredAs
from ...domain.client.ports.remote import Download
from ...domain.drills.drill import DrilledArchive, DrillWay
from ...domain.drills.manifest import ManifestLine, written
from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.text.paths import path_bytes, whole
from .chains import HttpChains, not_there
from .connection import HttpConnection, HttpDownload
from .remote import archive_path
from .told import Told

_DRILLS = "/api/v1/drills"
_JUDGED_SECONDS = 6 * 3600.0
"""How long the server may take to read its archives and judge."""

_BLOCK_BYTES = 1 << 20


@frozen
class HttpDrills:
    """`RemoteDrills` of the server at the other end of *connection*."""

    connection: HttpConnection

    def due(self, profile: str | None = None) -> DueDrill | None:
        query = f"?{urlencode({'profile': profile})}" if profile else ""
        with not_there():
            told = self.connection.asked("GET", f"{_DRILLS}/due{query}")
        with self.connection.understood(told):
            drill = told.object_or_none("drill")
            return None if drill is None else _due(drill)

    def archive(self, archive: DrilledArchive) -> Download:
        headers = {"If-Match": f'"{archive.sha256}"'}
        answer = self.connection.request("GET", archive_path(archive.id), headers, preload=False)
        return HttpDownload(self.connection, 0, answer)

    def merged(self, drill: DueDrill, folder: bytes = b"") -> Download:
        return HttpChains(self.connection).restored(drill.point.profile, drill.point.label, folder)

    def report(self, drill: DueDrill, restored: RestoredAs, lines: Iterable[ManifestLine]) -> DrillVerdict:
        with tempfile.TemporaryFile() as file:
            count = 0
            for line in lines:
                file.write(written(line))
                count += 1
            head = {
                "names": count,
                "seconds": restored.seconds,
                "tar": restored.tar,
                "sandbox": restored.sandbox,
                "said": [whole(line) for line in restored.said],
                "error": whole(restored.error),
            }
            body = _body(json.dumps(head).encode() + b"\n", file)
            target = f"{_DRILLS}/{quote(drill.id, safe='')}/report"
            headers = {"Content-Type": "application/x-ndjson"}
            with not_there():
                answer = self.connection.request("POST", target, headers, body, silence_seconds=_JUDGED_SECONDS)
            told = self.connection.told(answer)
        with self.connection.understood(told):
            return _verdict(told)

    def recent(self, profile: str | None = None, limit: int = 100) -> list[DrillVerdict]:
        query = {"limit": str(limit)} | ({"profile": profile} if profile else {})
        told = self.connection.asked("GET", f"{_DRILLS}?{urlencode(query)}")
        with self.connection.understood(told):
            return [_verdict(one) for one in told.objects("drills")]


def _body(head: bytes, file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    yield head
    while block := file.read(_BLOCK_BYTES):
        yield block


def _id(profile: str, told: Told) -> ArchiveId:
    return ArchiveId(profile, BackupType(told.text("type")), told.text("name"))


def _due(told: Told) -> DueDrill:
    profile = told.text("profile")
    return DueDrill(
        told.text("id"),
        _id(profile, told.object("point")),
        DrillWay(told.text("way")),
        tuple(
            DrilledArchive(_id(profile, one), one.text("sha256"), one.count("size"), one.flag("incremental"))
            for one in told.objects("archives")
        ),
        told.count("minutes"),
        told.flag("exact"),
        tuple(map(path_bytes, told.texts("folders"))),
        told.number("share"),
    )


def _verdict(told: Told) -> DrillVerdict:
    return DrillVerdict(
        told.text("kind"),
        _id(told.text("profile"), told.object("point")),
        told.text("way"),
        told.text("outcome"),
        told.text("started_at"),
        told.length("archives"),
        told.number("share"),
        told.count("expected"),
        told.count("names"),
        told.count("bytes"),
        told.number("seconds"),
        told.count("different"),
        tuple((path_bytes(one.text("path")), one.text("detail")) for one in told.objects("differences")),
        told.texts("not_compared"),
        told.text_or_none("error") or "",
    )
