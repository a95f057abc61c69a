"""Answering with the bytes of an archive: whole, a range, or nothing but the headers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from concurrent.futures import Executor
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...domain.archives import BackupArchive
from ...domain.ports import ArchiveReader
from .conditional import entity_tag, http_date, is_not_modified, requested_range

ReadBytes = Callable[[BackupArchive, int, int | None], ArchiveReader]


async def archive_response(
    request: Request, archive: BackupArchive, read: ReadBytes, executor: Executor, *, attachment: bool
) -> Response:
    """
    Evaluate conditions and range of *request*, open the bytes, and answer.

    Raises:
        Problem: 412 or 416.
        ArchiveCorrupt: the bytes are known not to be what they were.
    """
    headers = {
        "ETag": entity_tag(archive),
        "Last-Modified": http_date(archive.received_at),
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
    }
    if is_not_modified(request.headers, archive):
        return Response(status_code=304, headers=headers)
    headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(archive.digests.sha256)).decode()}:"
    if attachment:
        headers["Content-Disposition"] = _attachment(archive.id.name)
    status, start, stop = 200, 0, archive.size_bytes
    wanted = requested_range(request.headers, archive) if request.method == "GET" else None
    if wanted is not None:
        status, (start, stop) = 206, wanted
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{archive.size_bytes}"
    headers["Content-Length"] = str(stop - start)
    # a whole archive is read to whatever its end is, so that a changed length is noticed
    to = stop if wanted is not None else None
    reader = await asyncio.get_running_loop().run_in_executor(executor, read, archive, start, to)
    if request.method == "HEAD":
        with reader:
            return Response(status_code=status, headers=headers, media_type="application/gzip")
    return _BytesResponse(reader, executor, status, headers)


def _attachment(name: str) -> str:
    if name.isascii():
        return f'attachment; filename="{name}"'  # the rules for names leave neither quote nor backslash
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


class _BytesResponse(Response):
    """Sends the blocks of a reader, each fetched in a thread, and stops reading when the client has gone."""

    media_type = "application/gzip"

    def __init__(self, reader: ArchiveReader, executor: Executor, status: int, headers: dict[str, str]) -> None:
        self._reader = reader
        self._executor = executor
        self.status_code = status
        self.background = None
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_disconnect(receive))
        loop = asyncio.get_running_loop()
        try:
            with self._reader:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                blocks = iter(self._reader)
                while not gone.done():
                    block = await loop.run_in_executor(self._executor, next, blocks, None)
                    if block is None:
                        break
                    await send({"type": "http.response.body", "body": block, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
