"""What most client commands begin with: a client made of the settings, and the digests of what lies here."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ...domain.client.ports import LocalArchive
from ...domain.client.push import digest_of
from ...domain.errors import FolderUnusable, LocalFileChanged, UploadInterrupted
from .client_settings import ClientSettings, memory_file
from .output import Bars, Output

if TYPE_CHECKING:
    from ..client_wiring import Client


def opening(settings: ClientSettings) -> AbstractContextManager[Client]:
    """
    The client of *settings*, closed at the end of the context.

    Raises:
        InvalidSetting: the token cannot be had.
    """
    from ..client_wiring import open_client

    return open_client(
        settings.server,
        settings.token(),
        settings.backup_dir,
        memory_file(),
        jobs=settings.jobs,
        retries=settings.retries,
    )


def local_digests(
    client: Client, output: Output, archives: Sequence[LocalArchive], *, again: bool = False
) -> dict[LocalArchive, str | None]:
    """
    The SHA-256 of each archive in lower-case hex, several read at once, with *again* whatever is remembered.

    None is that of one that cannot be read, which is told, as is one with other bytes than are remembered.
    """
    known = {archive: client.memory.get(archive) for archive in archives}
    to_read = [archive for archive in archives if again or known[archive] is None]
    if again:
        client.memory.forget(to_read)
    digests = dict(known)
    with output.bars() as bars:
        bars.begin(sum(archive.size_bytes for archive in to_read))
        for archive, sha256 in _read(client, output, bars, to_read).items():
            if sha256 is not None and known[archive] not in (None, sha256):
                output.error(f"{archive.path} has other bytes than before, with the same size and time")
            digests[archive] = sha256
    return digests


def _read(
    client: Client, output: Output, bars: Bars, archives: Sequence[LocalArchive]
) -> dict[LocalArchive, str | None]:
    stopped = threading.Event()

    def read(archive: LocalArchive) -> str | None:
        label = f"{archive.type.value}/{archive.name}"

        def tell(position: int) -> None:
            if stopped.is_set():
                raise UploadInterrupted(position)
            bars.at(label, position, archive.size_bytes)

        try:
            return digest_of(archive, client.files, client.memory, client.hasher, tell)
        except (LocalFileChanged, FolderUnusable) as error:
            output.error(str(error))
            return None
        finally:
            bars.done(label)

    with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as readers:
        reading = {readers.submit(read, archive): archive for archive in archives}
        try:
            return {reading[done]: done.result() for done in as_completed(reading)}
        except BaseException:
            stopped.set()
            readers.shutdown(cancel_futures=True)
            raise
