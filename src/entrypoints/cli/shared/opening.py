"""How client commands begin: the client for the settings, the profile, the digests of the local archives."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ....domain.client.ports.local_archives import LocalArchive, LocalContents
from ....domain.client.ports.remote import ServerFacts
from ....domain.client.push.push_archive import digest_of
from ....domain.client.retrying import Notice
from ....domain.errors.client import FolderUnusable, LocalFileChanged
from ....domain.errors.settings import UsageError
from ....domain.identity.naming import check_profile
from ...settings.client import SMALL_AT_ONCE, ClientSettings, memory_file, where_to_set
from ..terminal.hints import in_full
from ..terminal.output import Output
from .needed_scopes import check_scopes
from .transfers import concurrently

if TYPE_CHECKING:
    from ...wiring.client import Client


@contextmanager
def opening(settings: ClientSettings) -> Iterator[Client]:
    """
    The client for *settings*, closed at the end of the context.

    Raises:
        InvalidSetting: the token cannot be read.
    """
    from ...wiring.client import open_client

    with open_client(
        settings.server,
        settings.token(),
        settings.backup_dir,
        memory_file(),
        jobs=settings.jobs or SMALL_AT_ONCE,
        retries=settings.retries,
        wait=settings.wait,
        cacert=settings.cacert,
        fingerprint=settings.fingerprint,
    ) as client:
        yield client


def facts_of_server(client: Client, output: Output, command: str, profile: str) -> ServerFacts | None:
    """
    The server's description of itself; None if it is too old to give one.

    Raises:
        Unauthorized: the token lacks a scope that *command* needs for *profile*.
    """
    facts = client.retrying(lambda: client.remote.facts(profile), on_retry=retry_notice(output))
    if facts is not None:
        check_scopes(client.remote.shown_url, command, profile, facts.scopes)
    return facts


def retry_notice(output: Output) -> Notice:
    """A notice that reports each retry of a request."""
    return lambda error, pause: output.message(f"{error}; again in {pause:.0f} s")


def optional_profile(given: str | None, settings: ClientSettings) -> str | None:
    """
    The profile for a command: the one *given*, else that of the settings, else None.

    Raises:
        UsageError: the argument looks like an archive, not a profile.
        InvalidName: it is not a valid profile name.
    """
    profile = given or settings.profile or None
    if profile is None:
        return None
    if profile.endswith(".tar.gz") or "/" in profile:
        raise UsageError(profile, "this looks like an archive; put the name of a profile before it")
    return check_profile(profile)


def required_profile(given: str | None, settings: ClientSettings) -> str:
    """`optional_profile` for a command that needs a profile; UsageError if none is known."""
    profile = optional_profile(given, settings)
    if profile is None:
        raise UsageError("which profile", f"name one, or set TARKEEP_PROFILE, or profile = ... in {where_to_set()}")
    return profile


def tell_unusable(output: Output, contents: LocalContents) -> None:
    """Report each entry of the backup folder that could not be read, by name."""
    for error in contents.unusable:
        output.error(str(error))
        if output.as_json:
            output.result("", path=error.path, status="unusable", error=str(error))


def local_digests(
    client: Client, output: Output, archives: Sequence[LocalArchive], *, again: bool = False
) -> dict[LocalArchive, str | None]:
    """
    The SHA-256 of each archive in lower-case hex; None if it cannot be read. *again* ignores remembered digests.

    Several archives are read at once. An unreadable archive is reported, as is one whose bytes differ from those
    remembered.
    """
    digests = {archive: client.memory.get(archive) for archive in archives}
    to_read = [archive for archive in archives if again or digests[archive] is None]
    if again:
        client.memory.forget(to_read)
    with output.bars(sum(archive.size_bytes for archive in to_read)) as bars:

        def read(archive: LocalArchive) -> tuple[LocalArchive, str | None]:
            def tell(position: int, moved_bytes: int) -> None:
                bars.at(archive.label, position, moved_bytes, archive.size_bytes)

            try:
                return archive, digest_of(archive, client.files, client.memory, client.hasher, tell)
            except (LocalFileChanged, FolderUnusable) as error:
                output.error(in_full(error))
                return archive, None
            finally:
                bars.done(archive.label, archive.size_bytes)

        for archive, sha256 in concurrently(read, to_read, os.cpu_count() or 1):
            if sha256 is not None and digests[archive] not in (None, sha256):
                output.error(f"{archive.path} has other bytes than before, with the same size and time")
            digests[archive] = sha256
    return digests
