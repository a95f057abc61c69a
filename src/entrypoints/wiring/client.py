"""The client's composition root: settings become adapters. It imports nothing of the server."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from attrs import frozen

from ...adapters.http.connection import HttpConnection, trusted
from ...adapters.http.remote import HttpRemote
from ...adapters.local.archive_folder import LocalFolder, described
from ...adapters.local.landing_folder import LandingFolder
from ...adapters.local.memory_file import ClientMemory
from ...adapters.process.hashing import HashlibHasher
from ...domain.client.ports.local_archives import LocalArchive
from ...domain.client.pull.pull_archive import PullArchive
from ...domain.client.push.push_archive import PlanPush, PushArchive
from ...domain.client.retrying import Retrying
from ...domain.errors.settings import InvalidSetting, UsageError
from ...domain.identity.archive_id import BackupType
from ...domain.ports.inspection import Hasher
from ..settings.files import expanded, read_setting_text

UNREACHED_SECONDS = 5.0


@frozen
class Client:
    """The adapters and use cases of one command."""

    connection: HttpConnection
    remote: HttpRemote
    files: LocalFolder
    memory: ClientMemory
    hasher: Hasher
    plan: PlanPush
    push: PushArchive
    retrying: Retrying


@contextmanager
def open_client(
    server: str,
    token: str | None,
    backup_dir: Path,
    memory: Path | None,
    *,
    jobs: int = 1,
    retries: int = 8,
    wait: bool = True,
    cacert: Path | None = None,
    fingerprint: str | None = None,
) -> Iterator[Client]:
    """
    A client of *server*, closed at the end of the context. It keeps its memory between runs in *memory*, None for no
    file.

    With *wait*, a server that cannot be reached at all is retried as often as any other.

    Raises:
        InvalidSetting: *cacert* cannot be read, or *server* is not an address.
    """
    hasher = HashlibHasher()
    files = LocalFolder(backup_dir)
    unreached_seconds = None if wait else UNREACHED_SECONDS
    retrying = Retrying(retries, time.sleep, random.random, unreached_seconds=unreached_seconds, seconds=time.monotonic)
    connection = HttpConnection(server, token, jobs, trusted(_certificates(cacert), fingerprint))
    with closing(connection), closing(ClientMemory(memory)) as remembered:
        remote = HttpRemote(connection)
        yield Client(
            connection=connection,
            remote=remote,
            files=files,
            memory=remembered,
            hasher=hasher,
            plan=PlanPush(remote, files, remembered, hasher),
            push=PushArchive(remote, files, remembered, remembered.notes, hasher, retrying),
            retrying=retrying,
        )


def _certificates(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return read_setting_text("cacert", expanded("cacert", file))
    except FileNotFoundError as error:
        raise InvalidSetting("cacert", f"{file}: {error.strerror}") from error


def local_archive(file: Path, type: BackupType) -> LocalArchive:
    """
    The archive in *file*.

    Raises:
        UsageError: the file does not exist, or its status cannot be read.
    """
    try:
        return described(file, type)
    except OSError as error:
        raise UsageError(str(file), error.strerror or str(error)) from error


def pull_archive(client: Client, into: Path) -> PullArchive:
    """The use case over the folder *into*."""
    return PullArchive(
        client.remote, LandingFolder(into), LocalFolder(into), client.memory, client.hasher, client.retrying
    )


def unfinished_pulls(folder: Path) -> list[Path]:
    """The partly downloaded archives below *folder*."""
    return LandingFolder(folder).unfinished()
