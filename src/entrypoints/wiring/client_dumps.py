"""The other half of the client's composition root: making dumps, restoring them, and looking into them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from attrs import frozen

from ...adapters.filesystem.durable_file import replace_file
from ...adapters.gnu_tar.content import file_in, files_in
from ...adapters.gnu_tar.gzip_members import GzipMembers
from ...adapters.gnu_tar.programs import GnuTar
from ...adapters.http.chains import HttpChains
from ...adapters.local.live_folder import LiveFolder
from ...adapters.local.local_tree import LocalFolderTree
from ...adapters.local.spool_folder import SpoolFolder
from ...adapters.local.work_folder import NoDigests, WorkFolder
from ...domain.client.backup.back_up import BackUp, FetchSnapshot, PlanDump
from ...domain.client.backup.check_dump import CheckDump, StoredFile
from ...domain.client.backup.through_spool import BackUpThroughFile
from ...domain.client.backup.verdict import AskVerdict
from ...domain.client.ports.chains import RemoteChains
from ...domain.client.ports.dumping import NO_LIMITS, Dumper, Limits, Making
from ...domain.client.ports.extracting import Extractor
from ...domain.client.ports.live_tree import LiveTree
from ...domain.client.ports.local_tree import LocalTree
from ...domain.client.pull.pull_archive import PullArchive
from ...domain.client.push.push_stream import PushStream
from ...domain.client.restore.restore import ExtractPlan, PlanRestoring, RestorePath
from ...domain.client.restore.resuming import Work
from .client import Client


@frozen
class Dumping:
    """The use cases and the program of one backup; *through* is set if the dump goes through a file."""

    dumper: Dumper
    limits: Limits
    plan: PlanDump
    judge: AskVerdict
    back_up: BackUp | BackUpThroughFile
    through: BackUpThroughFile | None
    live: LiveTree
    check: CheckDump


def chains(client: Client) -> RemoteChains:
    """The chains on the server of *client*."""
    return HttpChains(client.connection)


def content(known: RemoteChains, profile: str, at: str, path: bytes) -> Iterator[bytes]:
    """The bytes of the file at *path*, in blocks."""
    with known.restored(profile, at, path) as download:
        yield from file_in(download, path)


@contextmanager
def dumping(
    client: Client,
    profile: str,
    *,
    tar: str,
    compress_jobs: int,
    level: int,
    spool: Path | None,
    strict: bool = False,
    limits: Limits = NO_LIMITS,
) -> Iterator[Dumping]:
    """Backups of *profile* to the server of *client* by the program *tar*; a *spool* is held until the context ends."""
    known = HttpChains(client.connection)
    making = Making(GnuTar(tar), GzipMembers(level, compress_jobs), strict, limits)
    live = LiveFolder(GnuTar(tar))
    check = CheckDump(known, live, partial(_files_of, known), random.sample)
    fetch = FetchSnapshot(known, client.hasher, client.retrying)
    judge = AskVerdict(known, making.dumper, client.retrying)
    plan = PlanDump(known, fetch, client.retrying, making.dumper, judge)
    if spool is None:
        push = PushStream(client.remote, client.hasher, client.retrying)
        direct = BackUp(known, making, push, client.retrying)
        yield Dumping(making.dumper, limits, plan, judge, direct, None, live, check)
        return
    with SpoolFolder(spool, profile) as folder:
        through = BackUpThroughFile(known, making, folder, client.push, client.hasher, client.retrying)
        yield Dumping(making.dumper, limits, plan, judge, through, through, live, check)


def _files_of(known: RemoteChains, profile: str, at: str, path: bytes) -> Iterator[StoredFile]:
    with known.restored(profile, at, path, allow_gaps=True) as download:
        yield from files_in(download)


@frozen
class Restoring:
    """
    The use cases and adapters of one restore. *free_bytes* tells how much fits on the disk of a path that need not
    exist; *keep_list* replaces any file of its name.

    *pull* downloads archives into the folder that *open_work* opens, which is private to this restore.
    """

    chains: RemoteChains
    plan: PlanRestoring
    open_work: Callable[[], Work]
    pull: Callable[[Work], PullArchive]
    extractor: Extractor
    extract: ExtractPlan
    part: RestorePath
    tree: LocalTree
    free_bytes: Callable[[Path], int]
    keep_list: Callable[[Path, bytes], None]


def restoring(client: Client, into: Path, work: Path, *, tar: str) -> Restoring:
    """Restores from the server of *client* into a folder, by way of archives downloaded into *work*."""
    from ...adapters.gnu_tar.members import TarMembers  # imports isal, which only this part of the client needs

    known = HttpChains(client.connection)
    extractor, members = GnuTar(tar), TarMembers()

    def pull(landing: Work) -> PullArchive:
        # Cached digests are not enough: the bytes in the folder will be extracted.
        return PullArchive(client.remote, landing, landing, NoDigests(), client.hasher, client.retrying)

    return Restoring(
        chains=known,
        plan=PlanRestoring(known, client.remote, client.retrying),
        open_work=lambda: WorkFolder(work),
        pull=pull,
        extractor=extractor,
        extract=ExtractPlan(members, extractor, client.hasher),
        part=RestorePath(known, members, extractor),
        tree=LocalFolderTree(into),
        free_bytes=_free_bytes,
        keep_list=replace_file,
    )


def _free_bytes(path: Path) -> int:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    found = os.statvfs(there)
    return found.f_bavail * found.f_frsize
