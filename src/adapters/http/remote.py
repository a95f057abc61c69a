"""
A Tarkeep server over HTTP, by urllib3, which keeps connections and is safe for several threads.

Nothing is tried again here. Whatever goes wrong on the line becomes `ServerUnreachable`; whatever the server says, in
its own words, one of the other errors.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from attrs import define, field, frozen

from ...domain.archives.archive import BackupArchive, Lineage
from ...domain.archives.inventory import InventoryEntry, SyncReport
from ...domain.archives.totals import Totals
from ...domain.client.address import ServerAddress
from ...domain.client.ports.remote import NO_LINEAGE, ServerFacts, UploadProgress
from ...domain.errors.archives import ArchiveNotFound
from ...domain.errors.client import (
    CertificateNotTrusted,
    NotRestorable,
    ParentMoved,
    Refused,
    ServerUnreachable,
    Unauthorized,
)
from ...domain.errors.settings import InvalidSetting
from ...domain.errors.uploads import OffsetMismatch, UploadGone, UploadNotFound
from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.identity.digests import DeclaredDigests
from ...domain.identity.invalid import InvalidDigest, InvalidName
from ...domain.tarkeep_error import TarkeepError
from ...domain.text.lack_counts import Counts
from .answers import by_type, cause_of, noted, point_text, read_archive, read_report, reason_of
from .proxy_page import said_by_proxy
from .spoken_scheme import says_https, wrong_scheme
from .told import NotUnderstood, Pages, Told, label, whole_number

CONNECT_SECONDS = 20.0
SILENCE_SECONDS = 300.0

PROXY = "proxy"  # the code of a refusal by whoever stands between
_TUS = {"Tus-Resumable": "1.0.0"}
_PAGE = 1000
WAIT_DIGITS = 10  # nobody waits for longer
_BLOCK_BYTES = 1 << 20


def trusted(certificates: str | None, fingerprint: str | None) -> dict[str, Any]:
    """
    What a connection to a server is made with, that is trusted by *certificates* in PEM, or by its *fingerprint*.

    By a fingerprint no name and nobody's signature is looked at: it is this certificate or none.

    Raises:
        InvalidSetting: there is no certificate among them.
    """
    if fingerprint is not None:
        return {"assert_fingerprint": fingerprint, "cert_reqs": "CERT_NONE"}
    if certificates is None:
        return {}
    try:
        return {"ssl_context": ssl.create_default_context(cadata=certificates)}
    except (ssl.SSLError, ValueError):
        raise InvalidSetting("cacert", "the file holds no certificates in PEM") from None


@define(eq=False)
class HttpRemote:
    """
    `RemoteStore` at *url*; *connections* is how many threads will use it at once, *trust* what `trusted` gives.

    A login in the address (``https://NAME:PASSWORD@HOST``) is for the proxy before the server, and goes into requests
    where no token does. No address that is given out holds it. Neither goes anywhere but to the server at *url*.

    Raises:
        InvalidSetting: *url* can be no address.
    """

    url: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    connections: int = 4
    trust: Mapping[str, Any] = field(factory=dict, repr=False)
    _server: ServerAddress = field(init=False)
    _has_answered: bool = field(default=False, init=False)
    _authorization: dict[str, str] = field(init=False, repr=False)
    _pool: urllib3.PoolManager = field(init=False)

    @_server.default
    def _parsed(self) -> ServerAddress:
        return ServerAddress.parse(self.url)

    @_authorization.default
    def _authorized(self) -> dict[str, str]:
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self._server.login is not None:
            return {"Authorization": f"Basic {base64.b64encode(self._server.login).decode()}"}
        return {}

    @_pool.default
    def _connected(self) -> urllib3.PoolManager:
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=SILENCE_SECONDS)
        return urllib3.PoolManager(
            maxsize=self.connections, timeout=timeout, retries=False, blocksize=_BLOCK_BYTES, **self.trust
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

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
        answer = self.asked("POST", f"/api/v1/verify{query}", headers, "\n".join(lines).encode())
        with self.understood(answer):
            return read_report(answer.object("types"))

    def archives(self, *, profile: str | None = None, type: BackupType | None = None) -> Iterator[BackupArchive]:
        query = {"limit": str(_PAGE)}
        if profile:
            query["profile"] = profile
        if type:
            query["type"] = type.value
        pages = Pages()
        while True:
            page = self.asked("GET", f"/api/v1/archives?{urlencode(query)}")
            with self.understood(page):
                archives = [read_archive(told) for told in page.objects("archives")]
                cursor = pages.next_cursor(page, len(archives))
            yield from archives
            if cursor is None:
                return
            query["cursor"] = cursor

    def totals(self) -> list[Totals]:
        told = self.asked("GET", "/api/v1/profiles")
        with self.understood(told):
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
        told = self.asked("PUT", archive_path(id), headers, blocks)
        with self.understood(told):
            return read_archive(told)

    def facts(self, profile: str) -> ServerFacts | None:
        try:
            told = self.asked("GET", f"/api/v1?{urlencode({'profile': profile})}")
        except Refused as error:
            if error.status == 404:
                return None
            raise
        with self.understood(told):
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
        answer = self.request("POST", "/api/v1/uploads", {**_TUS, **size, "Upload-Metadata": about})
        with self.understood(answer):
            # whatever host and path the answer gives it, by a proxy's mistake or on purpose, it is at this server
            return f"{self.shown_url}/api/v1/uploads/{quote(answer.headers['Location'].rpartition('/')[2], safe='')}"

    def upload_progress(self, upload: str) -> UploadProgress:
        return self._progress(self.asked("GET", upload))

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
            "Prefer": "return=representation",  # so that the answer says all: another may be refused meanwhile
        }
        if count_bytes is not None:
            headers["Content-Length"] = str(count_bytes)
        if total_bytes is not None:
            headers["Upload-Length"] = str(total_bytes)
        answer = self.request("PATCH", upload, headers, blocks)
        if answer.status == 200:
            return self._progress(self._told(answer))
        if "Tarkeep-Archive" in answer.headers:
            return self.upload_progress(upload)
        with self.understood(answer):
            return UploadProgress(whole_number(answer.headers["Upload-Offset"]))

    def drop_upload(self, upload: str) -> None:
        self.request("DELETE", upload, _TUS)

    def read(self, archive: BackupArchive, start: int = 0) -> _Download:
        # the entity tag of an archive is its SHA-256
        headers = {"If-Match": f'"{archive.digests.sha256}"'}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            answer = self.request("GET", archive_path(archive.id), headers, preload=False)
        except Refused as error:
            if error.status in (404, 412):
                raise ArchiveNotFound(str(archive.id)) from error
            raise
        begins = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", "")) if answer.status == 206 else None
        return _Download(self, int(begins[1]) if begins else 0, answer)

    def suspect(self, archive: BackupArchive) -> None:
        self.request("POST", archive_path(archive.id) + "/suspect", {})

    def stream(self, target: str) -> _Download:
        """What is at *target*, from its beginning, in blocks."""
        return _Download(self, 0, self.request("GET", target, {}, preload=False))

    # -- requests ------------------------------------------------------------------------------------------------

    def asked(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | Iterable[bytes] = b""
    ) -> Told:
        """The JSON object that answers a request."""
        return self._told(self.request(method, target, headers or {}, body))

    def _told(self, answer: urllib3.BaseHTTPResponse) -> Told:
        with self.understood(answer):
            return Told.read(answer.data, answer.url or "")

    def _progress(self, told: Told) -> UploadProgress:
        with self.understood(told):
            stored = told.object_or_none("archive")
            return UploadProgress(told.count("offset"), read_archive(stored) if stored is not None else None)

    @contextmanager
    def understood(self, answer: Told | urllib3.BaseHTTPResponse) -> Iterator[None]:
        """Raises Refused where *answer* is read inside and is not what a Tarkeep server says."""
        try:
            yield
        except NotUnderstood as error:
            raise self._odd(answer, str(error)) from error
        except (KeyError, ValueError, ArithmeticError, InvalidName, InvalidDigest) as error:
            raise self._odd(answer, "holds something that cannot be") from error

    def _odd(self, answer: Told | urllib3.BaseHTTPResponse, why: str) -> Refused:
        place = urlsplit(answer.url or "").path
        detail = f"the answer to {place} is not what it should be: it {why}; is {self.shown_url} a Tarkeep server?"
        return Refused(200, "", detail)

    def _not_understood(self, status: int) -> Refused:
        return Refused(status, "", f"unexpected answer {status}; is {self.shown_url} a Tarkeep server?")

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] = b"",
        *,
        preload: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        """A good answer, of which with *preload* everything was read. *target* is a path, or a whole address."""
        url = target if target.startswith(("http://", "https://")) else self.shown_url + target
        authorization = self._authorization if url.startswith(self.shown_url + "/") else {}
        try:
            answer = self._pool.request(
                method,
                url,
                headers={**headers, **authorization},
                body=body or None,
                preload_content=preload,
                redirect=False,
            )
            if answer.status >= 400 and not preload:
                answer.read(cache_content=True)
        except urllib3.exceptions.HTTPError as error:
            raise self._no_answer(error) from error
        self._has_answered = True
        if answer.status >= 300:
            raise self._refusal(answer, target)
        return answer

    @property
    def shown_url(self) -> str:
        """The address without a login."""
        return self._server.url

    def _no_answer(self, error: urllib3.exceptions.HTTPError) -> TarkeepError:
        cause = cause_of(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateNotTrusted(self.shown_url, reason_of(error))
        if "Fingerprints did not match" in str(error):  # by which alone urllib3 tells it from others
            return CertificateNotTrusted(self.shown_url, "its fingerprint is another than the one given")
        if not self._has_answered:
            wrong = wrong_scheme(self._server, cause)
            if wrong is not None:
                return InvalidSetting("server", wrong)
        is_unreachable = isinstance(
            error, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
        )
        return ServerUnreachable(
            self.shown_url, reason_of(error), is_unreachable=is_unreachable and not self._has_answered
        )

    def _refusal(self, answer: urllib3.BaseHTTPResponse, target: str) -> TarkeepError:
        try:
            told = Told.read(answer.data)
            code, detail = told.text("code"), told.text("detail")
        except NotUnderstood:
            told = Told({})
            code, detail = "", str(self._not_understood(answer.status))
            wrong = says_https(self._server) if (self._server.scheme, answer.status) == ("http", 400) else None
            if wrong is not None:
                return InvalidSetting("server", wrong)
            of_proxy = said_by_proxy(answer.status, answer.headers.get("Server"), self.shown_url)
            if of_proxy is not None:
                code, detail = ("" if answer.status == 401 else PROXY), of_proxy
            if answer.status < 400 and "Location" in answer.headers:
                detail = f"{self.shown_url} points to {answer.headers['Location']}; use the address that it points to"
        with self.understood(answer):
            return self._named(answer, target, code, detail, told)

    def _named(self, answer: urllib3.BaseHTTPResponse, target: str, code: str, detail: str, told: Told) -> TarkeepError:
        after = answer.headers.get("Retry-After", "")
        is_upload = "/api/v1/uploads/" in target
        match answer.status, code:
            case (401 | 403, "" | "unauthorized" | "insufficient-scope"):
                return Unauthorized(self.shown_url, detail)
            case (404, "not-found") if is_upload:
                return UploadNotFound(target.rpartition("/")[2])
            case (410, "gone"):
                return UploadGone(target.rpartition("/")[2], detail)
            case (409, "offset-mismatch"):
                return OffsetMismatch(target.rpartition("/")[2], told.count("upload_offset"), -1)
            case (409, "parent-mismatch"):
                return ParentMoved(detail, label(told.object("expected")) if told.has("expected") else None)
            case (409, "not-restorable"):
                at = told.text("at") if told.has("at") else "then"
                return NotRestorable(
                    at=label(told.object("point")) if told.has("point") else at,
                    obstacles=told.sentences("obstacles") if told.has("obstacles") else (),
                    nearest=tuple(map(point_text, told.objects("nearest"))) if told.has("nearest") else (),
                    lacks=Counts(told.count("gaps"), told.count("uncertain") if told.has("uncertain") else 0)
                    if told.has("gaps")
                    else None,
                )
        is_number = after.isascii() and after.isdigit() and len(after) < WAIT_DIGITS
        return Refused(answer.status, code, detail, float(after) if is_number else None)


@frozen(eq=False)
class _Download:
    _remote: HttpRemote
    start_bytes: int
    _answer: urllib3.BaseHTTPResponse

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._answer.stream(_BLOCK_BYTES)
        except urllib3.exceptions.HTTPError as error:
            raise ServerUnreachable(self._remote.shown_url, reason_of(error)) from error

    def __enter__(self) -> _Download:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answer.close()


def archive_path(id: ArchiveId) -> str:
    """Where the server has *id*."""
    return f"/api/v1/profiles/{quote(id.profile)}/archives/{id.type.value}/{quote(id.name, safe='')}"
