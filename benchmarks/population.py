"""
Data directories with many archives, made without sending any over HTTP.

Entered through the ports that the server uses, so that they equal the result of many uploads.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

from attrs import evolve

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.archives import sidecar
from tarkeep.domain.archives.archive import BackupArchive, Contents, Kind
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests

from .corpus import Archive

_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
_SOURCE = Path(__file__).parent.parent / "src"
_NAMES_OF_A_FILE = 50_000


def archive_rows(profiles: Mapping[str, int]) -> Iterator[BackupArchive]:
    """For each profile as many archives, one in ten a FULL, with digests made from the name."""
    for profile, count in profiles.items():
        for number in range(count):
            received = _BEGIN + timedelta(seconds=number)
            type = BackupType.INC if number % 10 else BackupType.FULL
            name = f"{type.value.lower()}_{received:%Y-%m-%d_%H-%M-%S}.tar.gz"
            yield BackupArchive(
                id=ArchiveId(profile, type, name),
                size_bytes=1_000_000 + number,
                digests=named_digests(profile, name),
                received_at=received,
                taken_at=received,
                contents=Contents(Kind.PLAIN, members=10, unpacked_bytes=2_000_000, newest_member=received),
            )


def named_digests(profile: str, name: str) -> Digests:
    """Digests that stand for the bytes of that archive."""
    text = f"{profile}/{name}".encode()
    return Digests(md5=hashlib.md5(text, usedforsecurity=False).hexdigest(), sha256=hashlib.sha256(text).hexdigest())


def catalog_only(work: Path, profiles: Mapping[str, int]) -> Path:
    """
    A data directory whose catalog lists archives without bytes: enough for code that only reads the catalog.

    Kept below *work* and made again only if the program that wrote it has changed.
    """
    folder = work / f"catalog-{sum(profiles.values())}-{_fingerprint(profiles)}"
    return _kept(folder, archive_rows(profiles))


def with_names(work: Path, profiles: Mapping[str, int]) -> Path:
    """
    The same for serving: the store has an empty file for each archive, so that none is missing.

    Kept like that of `catalog_only`.
    """
    folder = work / f"names-{sum(profiles.values())}-{_fingerprint(profiles)}"
    return _kept(folder, _named(folder, profiles))


def with_archives(work: Path, profiles: Mapping[str, int], content: Archive) -> Path:
    """
    A data directory with that many copies of *content*, each with its side-car and its entry.

    Kept like that of `catalog_only`: some file systems take minutes to remove so many files.
    """
    folder = work / f"store-{sum(profiles.values())}-{_fingerprint(profiles)}"
    return _kept(folder, _placed(folder, profiles, content))


def with_both(work: Path, named: Mapping[str, int], placed: Mapping[str, int], content: Archive) -> Path:
    """
    A data directory with profiles as of `with_names`, and others as of `with_archives`.

    Kept like that of `catalog_only`.
    """
    folder = work / f"both-{sum(named.values())}-{_fingerprint({**named, **placed})}"
    return _kept(folder, chain(_named(folder, named), _placed(folder, placed, content)))


def _named(folder: Path, profiles: Mapping[str, int]) -> Iterator[BackupArchive]:
    _make_folders(folder, profiles)
    # Names for one file, because making a million files takes some systems minutes; they allow so many.
    for number, archive in enumerate(archive_rows(profiles)):
        place = _place(folder, archive)
        if number % _NAMES_OF_A_FILE == 0:
            place.touch(mode=0o400)
            first = place
        else:
            place.hardlink_to(first)
        yield archive


def _make_folders(folder: Path, profiles: Mapping[str, int]) -> None:
    for profile in profiles:
        for type in BackupType:
            (folder / "archives" / profile / type.value).mkdir(parents=True)


def _place(folder: Path, archive: BackupArchive) -> Path:
    return folder / "archives" / archive.id.profile / archive.id.type.value / archive.id.name


def _placed(folder: Path, profiles: Mapping[str, int], content: Archive) -> Iterator[BackupArchive]:
    digests = Digests(md5=content.md5, sha256=content.sha256)
    block = content.path.read_bytes()
    _make_folders(folder, profiles)
    for row in archive_rows(profiles):
        archive = evolve(row, size_bytes=len(block), digests=digests)
        place = _place(folder, archive)
        place.write_bytes(block)
        place.chmod(0o400)
        place.with_name(place.name + ".json").write_bytes(sidecar.encode(archive))
        yield archive


def _kept(folder: Path, archives: Iterator[BackupArchive]) -> Path:
    done = folder.with_suffix(".complete")
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        enter(folder, archives)
        done.touch()
    return folder


def enter(folder: Path, archives: Iterator[BackupArchive]) -> None:
    """Make *folder* a data directory whose catalog lists *archives*."""
    FilesystemArchiveStore.open(folder, ids=RandomIds()).close()
    catalog = SqlCatalog.open(f"sqlite:///{folder / 'catalog.sqlite'}")
    try:
        catalog.replace(archives)
    finally:
        catalog.close()


def _fingerprint(profiles: Mapping[str, int]) -> str:
    digest = hashlib.sha256(repr(sorted(profiles.items())).encode())
    for path in (
        Path(__file__),
        _SOURCE / "domain" / "archives" / "sidecar.py",
        _SOURCE / "adapters" / "filesystem" / "data_directory.py",
        _SOURCE / "adapters" / "filesystem" / "archive_store.py",
        *sorted(_SOURCE.glob("adapters/sql/**/*.py")),
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
