"""Answers made of bytes: whole, a range, or only the headers; and content that is made while it is sent."""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ....domain.archives.archive import ArchiveState, BackupArchive
from ....domain.errors.archives import ArchiveCorrupt, SnapshotNotFound
from ....domain.ports.store import ArchiveReader
from ....domain.scrubbing.unread import LastChecked
from ....domain.tarkeep_error import TarkeepError
from ....domain.text.times import rfc3339
from ...logs import Log
from .conditional import Representation, http_date, is_not_modified, requested_range
from .ways_out import in_full

CUT = "tarkeep.cut"
"""In the scope of a request: a function that closes its connection at once, if the answer cannot be completed."""

log = Log("tarkeep.http")

ReadBytes = Callable[[BackupArchive, int, int | None], ArchiveReader]
AT_ONCE_BYTES = 512 << 10  # read per switch of threads, which takes as long as reading some 100 KiB
QUICK_SECONDS = 0.1
GATHERED_BYTES = 64 << 10

Source = AbstractContextManager[Iterable[bytes]]
"""Blocks of bytes; leaving the context releases their source."""


async def archive_response(
    request: Request,
    archive: BackupArchive,
    read: ReadBytes,
    executor: Executor,
    checked: LastChecked | None = None,
    *,
    attachment: bool,
) -> Response:
    """
    Evaluate conditions and range of *request*, open the bytes of *archive*, and answer; say when they were *checked*.

    Raises:
        Problem: 412 or 416.
        ArchiveCorrupt: the archive is known to be damaged.
    """
    if archive.state is ArchiveState.DAMAGED:  # before any condition: the content is not available
        fault = None if checked is None else checked.fault
        raise ArchiveCorrupt(archive.id, None if fault is None else fault.value)
    headers = {"Repr-Digest": repr_digest(archive.digests.sha256)}
    if checked is not None and checked.verified_at is not None:
        headers["Tarkeep-Verified-At"] = rfc3339(checked.verified_at)
    if attachment:
        headers["Content-Disposition"] = attached(archive.id.name)

    def opened(start: int, stop: int) -> ArchiveReader:
        return read(archive, start, stop)

    what = Representation(f'"{archive.digests.sha256}"', archive.received_at, archive.size_bytes)
    return await selected_response(request, what, opened, executor, headers, "application/gzip")


async def selected_response(
    request: Request,
    what: Representation,
    opened: Callable[[int, int], Source],
    executor: Executor,
    headers: Mapping[str, str],
    media_type: str,
) -> Response:
    """
    Evaluate conditions and range of *request*, call *opened* for the range in a thread, and add *headers* to the
    answer.

    Raises:
        Problem: 412 or 416.
        Any error that *opened* raises.
    """
    all_headers = {
        "ETag": what.tag,
        "Last-Modified": http_date(what.modified_at),
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
    }
    if is_not_modified(request.headers, what):
        return Response(status_code=304, headers=all_headers)
    all_headers |= headers
    status, start, stop = 200, 0, what.size_bytes
    wanted = requested_range(request.headers, what) if request.method == "GET" else None
    if wanted is not None:
        status, (start, stop) = 206, wanted
        all_headers["Content-Range"] = f"bytes {start}-{stop - 1}/{what.size_bytes}"
    all_headers["Content-Length"] = str(stop - start)
    source = await asyncio.get_running_loop().run_in_executor(executor, opened, start, stop)
    if request.method == "HEAD":
        with source:
            return Response(status_code=status, headers=all_headers, media_type=media_type)
    return StreamedResponse(source, executor, media_type, status, all_headers)


def attached(name: str) -> str:
    """The value of ``Content-Disposition`` for a file to be saved as *name*."""
    if name.isascii():
        return f'attachment; filename="{name}"'  # the rules for names allow neither quote nor backslash
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


def repr_digest(sha256: str) -> str:
    """The value of ``Repr-Digest`` (RFC 9530) for a digest in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


class StreamedResponse(Response):
    """
    Sends the blocks of a source, each fetched in a thread, and stops when the client disconnects.

    The first block is fetched before the head is sent, so that an early error gets an answer of its own. A later error
    closes the connection, so that the partial content does not look like a complete answer.
    """

    def __init__(
        self,
        source: Source,
        executor: Executor,
        media_type: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._source = source
        self._executor = executor
        self.status_code = status
        self.media_type = media_type
        self.background = None
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_disconnect(receive))
        try:
            with self._source as opened:
                blocks = iter(opened)
                first = await asyncio.get_running_loop().run_in_executor(self._executor, _taken, blocks, 0)
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                try:
                    await self._send_blocks(first, blocks, send, gone)
                except Exception as error:
                    if CUT not in scope:
                        raise
                    _tell(error, scope)
                    scope[CUT]()
                else:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()

    async def _send_blocks(
        self, taken: deque[bytes], blocks: Iterator[bytes], send: Send, gone: asyncio.Task[None]
    ) -> None:
        """
        Send *taken*, then *blocks*, without fetching one before the client has taken those before it.

        A fast client is given several blocks per switch of threads, a slow one only one at a time.
        """
        loop = asyncio.get_running_loop()
        while taken and not gone.done():
            while taken:
                await send({"type": "http.response.body", "body": taken.popleft(), "more_body": True})
            asked = loop.time()
            # uvicorn waits for room before a send, not after it, so an empty send makes it wait
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            count_bytes = AT_ONCE_BYTES if loop.time() - asked < QUICK_SECONDS else 0
            taken = await loop.run_in_executor(self._executor, _taken, blocks, count_bytes)


def _tell(error: Exception, scope: Scope) -> None:
    """Log the error that broke an answer off, unless it was logged where it was found."""
    id = scope.get("tarkeep.request_id")
    if isinstance(error, ArchiveCorrupt | SnapshotNotFound):
        return
    if isinstance(error, TarkeepError):
        log.error("broken off", request_id=id, reason=in_full(error))
    else:
        log.error("bug", request_id=id, error=error)


def gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """*pieces*, with short ones joined; so an error in the first long piece is found before any is sent."""
    held: list[bytes] = []
    held_bytes = 0
    for piece in pieces:
        held.append(piece)
        held_bytes += len(piece)
        if held_bytes >= GATHERED_BYTES:
            yield b"".join(held)
            held.clear()
            held_bytes = 0
    if held:
        yield b"".join(held)


def _taken(blocks: Iterator[bytes], count_bytes: int) -> deque[bytes]:
    """The next of *blocks*, and more as long as the total exceeds *count_bytes* by less than a block."""
    taken: deque[bytes] = deque()
    for block in blocks:
        taken.append(block)
        count_bytes -= len(block)
        if count_bytes <= 0:
            break
    return taken


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
