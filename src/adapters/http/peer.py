"""
`Peer` over HTTP: another server that archives are copied from, whatever it answers.

Nothing is read without a limit: an answer has at most so many bytes, and must come at some speed, so that neither a
page without end nor one that trickles keeps this server from its other work. Answers are taken as they are sent:
whatever says that it is compressed is not an answer of a Tarkeep server.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import TracebackType
from urllib.parse import urlencode

import urllib3
from attrs import define, frozen

from ...domain.archives.archive import BackupArchive, Lineage
from ...domain.errors.archives import ArchiveNotFound
from ...domain.errors.client import ServerUnreachable
from ...domain.identity.archive_id import BackupType
from ...domain.identity.invalid import InvalidName
from ...domain.identity.naming import check_profile
from ...domain.ports.upkeep.peers import Peer, PeerAddress, PeerPage
from ...domain.tarkeep_error import TarkeepError
from .abandoning import Within, without_limit
from .answers import read_archive, reason_of
from .connection import BLOCK_BYTES, HttpConnection, trusted
from .refusal import HttpRefusal
from .remote import archive_path
from .told import NotUnderstood, Told

MOST_ANSWER_BYTES = 64 << 20
"""A page of 1,000 archives with as many notes as they may have is shorter; so are the sums of 100,000 profiles."""

SILENCE_SECONDS = 30.0
PATIENCE_SECONDS = 60.0
SLOWEST_RATE = 1 << 10
"""The fewest bytes per second, over `PATIENCE_SECONDS`, that must arrive."""

_PAGE = 1000


@frozen
class HttpPeer:
    """`Peer` at the other end of *connection*."""

    connection: HttpConnection
    within: Within = without_limit

    @property
    def shown_url(self) -> str:
        return self.connection.shown_url

    def profiles(self) -> list[str]:
        told = self._asked("/api/v1/profiles")
        with self.connection.understood(told):
            names = [profile.text("profile") for profile in told.objects("profiles")]
        return sorted({name for name in names if _is_profile(name)})

    def page(self, profile: str, cursor: str | None = None) -> PeerPage:
        query = {"profile": profile, "limit": str(_PAGE)} | ({} if cursor is None else {"cursor": cursor})
        told = self._asked(f"/api/v1/archives?{urlencode(query)}")
        with self.connection.understood(told):
            entries = told.objects("archives")
            following = told.text("next_cursor") if told.has("next_cursor") else None
        archives, problems = [], []
        for entry in entries:
            try:
                archive = _described(entry)
            except (NotUnderstood, TarkeepError, KeyError, ValueError, ArithmeticError) as error:
                problems.append(f"one of its entries describes no archive: {str(error)[:200]}")
                continue
            if archive.id.profile == profile:
                archives.append(archive)
            else:
                problems.append(f"one of its entries is of the profile {archive.id.profile}")
        return PeerPage(tuple(archives), following, tuple(problems))

    def read(self, archive: BackupArchive, start: int = 0) -> HttpPeerBytes:
        # the entity tag of an archive is its SHA-256: these bytes or none
        headers = {"If-Match": f'"{archive.digests.sha256}"'} | ({"Range": f"bytes={start}-"} if start else {})
        try:
            answer = self._request(archive_path(archive.id), headers)
        except HttpRefusal as error:
            if error.status in (404, 412):
                raise ArchiveNotFound(str(archive.id)) from error
            raise
        begins = (
            re.match(r"bytes (\d{1,18})-", answer.headers.get("Content-Range", "")) if answer.status == 206 else None
        )
        begins_at = int(begins[1]) if begins else 0
        if begins_at not in (0, start):
            answer.close()
            detail = f"{self.shown_url} gives byte {begins_at} where byte {start} was asked for"
            raise HttpRefusal("", detail, status=answer.status)
        return HttpPeerBytes(self.connection, begins_at, answer, self.within)

    def snapshot(self, archive: BackupArchive) -> HttpPeerBytes:
        answer = self._request(archive_path(archive.id) + "/snapshot", {})
        return HttpPeerBytes(self.connection, 0, answer, self.within)

    def _asked(self, target: str) -> Told:
        answer = self._request(target, {})
        content = bytearray()
        with HttpPeerBytes(self.connection, 0, answer, self.within) as arriving:
            for block in arriving:
                content += block
                if len(content) > MOST_ANSWER_BYTES:
                    detail = f"the answer to {target.partition('?')[0]} has more than {MOST_ANSWER_BYTES} bytes"
                    raise HttpRefusal("", detail, status=answer.status)
        with self.connection.understood(answer):
            return Told.read(bytes(content), target)

    def _request(self, target: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        asked = {**headers, "Accept-Encoding": "identity"}
        with self.within(PATIENCE_SECONDS):
            return self.connection.request("GET", target, asked, preload=False, silence_seconds=SILENCE_SECONDS)


@define(eq=False)
class HttpPeerBytes:
    """`PeerBytes` of an answer."""

    _at: HttpConnection
    start_bytes: int
    _answer: urllib3.BaseHTTPResponse
    _within: Within = without_limit

    def __iter__(self) -> Iterator[bytes]:
        waited, came = (
            0.0,
            0,
        )  # only while this waits: what the taker of the blocks needs is not held against the sender
        while True:
            began = time.monotonic()
            try:
                with self._within(PATIENCE_SECONDS):
                    block = self._answer.read1(BLOCK_BYTES, decode_content=False)
            except urllib3.exceptions.HTTPError as error:
                raise ServerUnreachable(self._at.shown_url, reason_of(error)) from error
            if not block:
                return
            waited, came = waited + time.monotonic() - began, came + len(block)
            if waited > PATIENCE_SECONDS:
                if came < SLOWEST_RATE * waited:
                    raise ServerUnreachable(self._at.shown_url, f"only {came} bytes came in {waited:.0f} s")
                waited, came = 0.0, 0
            yield block

    def __enter__(self) -> HttpPeerBytes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answer.close()


@contextmanager
def opened_peer(address: PeerAddress) -> Iterator[Peer]:
    """The server at *address*, as `OpenPeer` says."""
    trust = trusted(address.cacert, address.fingerprint)
    with closing(HttpConnection(address.url, address.token, 1, trust)) as connection, connection.watching() as within:
        yield HttpPeer(connection, within)


def _is_profile(name: str) -> bool:
    try:
        return bool(check_profile(name))
    except InvalidName:
        return False


def _described(told: Told) -> BackupArchive:
    """The archive in *told* with what a copy of it needs; an older server does not tell all of that."""
    archive = read_archive(told)
    parent = told.object("parent") if told.has("parent") else None
    lineage = Lineage(
        None if parent is None else (BackupType(parent.text("type")), parent.text("name")),
        told.text("snapshot_before") if told.has("snapshot_before") else None,
        told.text("snapshot_after") if told.has("snapshot_after") else None,
    )
    return BackupArchive(
        archive.id,
        archive.size_bytes,
        archive.digests,
        archive.received_at,
        archive.taken_at,
        archive.contents,
        archive.state,
        lineage,
        told.has("snapshot") and told.flag("snapshot") and lineage.snapshot_after is not None,
        told.texts("notes") if told.has("notes") else (),
    )
