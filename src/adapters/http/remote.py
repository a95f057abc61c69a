"""`RemoteStore` over HTTP: the client's requests about archives, and its uploads."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from urllib.parse import quote, urlencode

from attrs import frozen

from ...domain.archives.archive import BackupArchive, Lineage
from ...domain.archives.inventory import InventoryEntry, SyncReport
from ...domain.archives.totals import Totals
from ...domain.client.ports.remote import NO_LINEAGE, ServerFacts, UploadProgress
from ...domain.errors.archives import ArchiveNotFound
from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.identity.digests import DeclaredDigests
from ...domain.scrubbing.unread import LastChecked
from .answers import by_type, noted, read_archive, read_check, read_report
from .connection import HttpConnection, HttpDownload
from .refusal import HttpRefusal
from .told import Pages, Told, whole_number

_TUS = {"Tus-Resumable": "1.0.0"}
_PAGE = 1000


@frozen
class HttpRemote:
    """`RemoteStore` of the server at the other end of *connection*."""

    connection: HttpConnection

    @property
    def shown_url(self) -> str:
        return self.connection.shown_url

    def verify(self, profile: str | None, entries: Iterable[InventoryEntry]) -> SyncReport:
        lines = (
            json.dumps(
                {"type": entry.type.value, "name": entry.name, "size": entry.size_bytes, "md5": entry.md5}
                | {"sha256": entry.sha256}
            )
            for entry in entries
        )
        query = "?" + urlencode({"profile": profile}) if profile else ""
        headers = {"Content-Type": "application/x-ndjson"}
        answer = self.connection.asked("POST", f"/api/v1/verify{query}", headers, "\n".join(lines).encode())
        with self.connection.understood(answer):
            return read_report(answer.object("types"))

    def archives(self, *, profile: str | None = None, type: BackupType | None = None) -> Iterator[BackupArchive]:
        return (archive for archive, _ in self.checked_archives(profile=profile, type=type))

    def checked_archives(
        self, *, profile: str | None = None, type: BackupType | None = None
    ) -> Iterator[tuple[BackupArchive, LastChecked]]:
        query = {"limit": str(_PAGE)}
        if profile:
            query["profile"] = profile
        if type:
            query["type"] = type.value
        pages = Pages()
        while True:
            page = self.connection.asked("GET", f"/api/v1/archives?{urlencode(query)}")
            with self.connection.understood(page):
                archives = [(read_archive(told), read_check(told)) for told in page.objects("archives")]
                cursor = pages.next_cursor(page, len(archives))
            yield from archives
            if cursor is None:
                return
            query["cursor"] = cursor

    def totals(self) -> list[Totals]:
        told = self.connection.asked("GET", "/api/v1/profiles")
        with self.connection.understood(told):
            return [
                Totals(profile.text("profile"), type, held.count("archives"), held.count("size"), held.time("newest"))
                for profile in told.objects("profiles")
                for type, held in by_type(profile.object("types"))
                if held.count("archives")
            ]

    def put(
        self,
        id: ArchiveId,
        blocks: Iterable[bytes],
        size_bytes: int | None,
        digests: DeclaredDigests,
        lineage: Lineage = NO_LINEAGE,
        taken_at: datetime | None = None,
        notes: tuple[str, ...] = (),
    ) -> BackupArchive:
        headers = noted(notes)
        headers |= {} if size_bytes is None else {"Content-Length": str(size_bytes)}
        if digests.sha256:
            headers["X-Checksum-Sha256"] = digests.sha256
        if lineage.parent is not None:
            type, name = lineage.parent
            headers["Tarkeep-Parent"] = f"{type.value}/{quote(name, safe='')}"
        if lineage.snapshot_before:
            headers["Tarkeep-Snapshot-Before"] = lineage.snapshot_before
        if lineage.snapshot_after:
            headers["Tarkeep-Snapshot-After"] = lineage.snapshot_after
        if taken_at is not None:
            headers["Tarkeep-Taken-At"] = taken_at.isoformat()
        told = self.connection.asked("PUT", archive_path(id), headers, blocks)
        with self.connection.understood(told):
            return read_archive(told)

    def facts(self, profile: str) -> ServerFacts | None:
        try:
            told = self.connection.asked("GET", f"/api/v1?{urlencode({'profile': profile})}")
        except HttpRefusal as error:
            if error.status == 404:
                return None
            raise
        with self.connection.understood(told):
            return ServerFacts(
                told.count_or_none("max_upload_bytes"),
                told.count_or_none("max_unpacked_bytes"),
                frozenset(told.texts("scopes")),
            )

    def create_upload(
        self,
        id: ArchiveId,
        size_bytes: int | None,
        digests: DeclaredDigests,
        lineage: Lineage = NO_LINEAGE,
        taken_at: datetime | None = None,
    ) -> str:
        described = {"filename": id.name, "profile": id.profile, "type": id.type.value}
        if digests.sha256:
            described["sha256"] = digests.sha256
        if lineage.parent is not None:
            described["parent"] = f"{lineage.parent[0].value}/{lineage.parent[1]}"
        if lineage.snapshot_before:
            described["snapshot_before"] = lineage.snapshot_before
        if lineage.snapshot_after:
            described["snapshot_after"] = lineage.snapshot_after
        if taken_at is not None:
            described["taken_at"] = taken_at.isoformat()
        about = ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in described.items())
        size = {"Upload-Defer-Length": "1"} if size_bytes is None else {"Upload-Length": str(size_bytes)}
        answer = self.connection.request("POST", "/api/v1/uploads", {**_TUS, **size, "Upload-Metadata": about})
        with self.connection.understood(answer):
            # use this server whatever host and path the answer names, by a proxy's mistake or on purpose
            upload = answer.headers["Location"].rpartition("/")[2]
            return f"{self.connection.shown_url}/api/v1/uploads/{quote(upload, safe='')}"

    def upload_progress(self, upload: str) -> UploadProgress:
        return self._progress(self.connection.asked("GET", upload))

    def append(
        self,
        upload: str,
        offset_bytes: int,
        blocks: Iterable[bytes],
        count_bytes: int | None,
        total_bytes: int | None = None,
        notes: tuple[str, ...] = (),
    ) -> UploadProgress:
        headers = {
            **_TUS,
            **noted(notes),
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset_bytes),
            "Prefer": "return=representation",  # so that the answer is complete: a second request may be refused
        }
        if count_bytes is not None:
            headers["Content-Length"] = str(count_bytes)
        if total_bytes is not None:
            headers["Upload-Length"] = str(total_bytes)
        answer = self.connection.request("PATCH", upload, headers, blocks)
        if answer.status == 200:
            return self._progress(self.connection.told(answer))
        if "Tarkeep-Archive" in answer.headers:
            return self.upload_progress(upload)
        with self.connection.understood(answer):
            return UploadProgress(whole_number(answer.headers["Upload-Offset"]))

    def drop_upload(self, upload: str) -> None:
        self.connection.request("DELETE", upload, _TUS)

    def read(self, archive: BackupArchive, start: int = 0) -> HttpDownload:
        # the entity tag of an archive is its SHA-256
        headers = {"If-Match": f'"{archive.digests.sha256}"'}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            answer = self.connection.request("GET", archive_path(archive.id), headers, preload=False)
        except HttpRefusal as error:
            if error.status in (404, 412):
                raise ArchiveNotFound(str(archive.id)) from error
            raise
        begins = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", "")) if answer.status == 206 else None
        return HttpDownload(self.connection, int(begins[1]) if begins else 0, answer)

    def suspect(self, archive: BackupArchive) -> None:
        self.connection.request("POST", archive_path(archive.id) + "/suspect", {})

    def _progress(self, told: Told) -> UploadProgress:
        with self.connection.understood(told):
            stored = told.object_or_none("archive")
            return UploadProgress(told.count("offset"), read_archive(stored) if stored is not None else None)


def archive_path(id: ArchiveId) -> str:
    """The path of *id* on the server."""
    return f"/api/v1/profiles/{quote(id.profile)}/archives/{id.type.value}/{quote(id.name, safe='')}"
