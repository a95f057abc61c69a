"""
The folder of the original server: ``FULL``, ``INC``, ``DIFF``, with ``NAME.tar.gz`` and its side-car ``NAME.tar.json``.

The side-car holds profile, type, MD5 and the time of the upload, in local time without a zone. An archive without one
belongs to the profile that the operator names, and has the time of its file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from attrs import evolve, frozen

from ...domain.errors.client import FolderUnusable
from ...domain.errors.settings import InvalidSetting
from ...domain.identity.archive_id import BackupType
from ...domain.ports.foreign import ForeignArchive
from ...domain.ports.store import Block

_BLOCK_BYTES = 1 << 20


@frozen
class LegacyFolder:
    """
    `ForeignStore` over such a folder.

    *zone* is the time zone in which the original server ran, None for this machine's. *profile* is for archives
    without a side-car.
    """

    path: Path
    zone: tzinfo | None = None
    profile: str = "default"

    def archives(self) -> Iterator[ForeignArchive]:
        """
        Every ``.tar.gz`` of the three type folders, by type and name.

        Raises:
            InvalidSetting: the folder has none of the three.
            FolderUnusable: one of them cannot be listed.
        """
        folders = [(type, self.path / type.value) for type in BackupType if (self.path / type.value).is_dir()]
        if not folders:
            raise InvalidSetting("DIR", "has none of the folders FULL, INC and DIFF; name the remote_backups folder")
        for type, folder in folders:
            for file in _listed(folder):
                if file.name.endswith(".tar.gz") and file.is_file():
                    yield self._describe(type, file)

    def _describe(self, type: BackupType, file: Path) -> ForeignArchive:
        label = f"{type.value}/{file.name}"
        modified = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        found = ForeignArchive(
            label=label,
            profile=self.profile,
            type=type.value,
            name=file.name,
            md5=None,
            received_at=modified,
            open=lambda: _opened(file),
        )
        sidecar = file.with_name(file.name.removesuffix(".gz") + ".json")
        if not sidecar.is_file():
            return found
        try:
            members = json.loads(sidecar.read_bytes())
            return ForeignArchive(
                label=label,
                profile=str(members.get("profile") or self.profile),
                type=str(members.get("type") or type.value),
                name=file.name,
                md5=str(members["md5"]).lower() if members.get("md5") else None,
                received_at=self._moment(members.get("uploaded_at") or members.get("modified"), modified),
                open=found.open,
            )
        except OSError as error:
            return evolve(found, problem=f"its side-car {sidecar} cannot be read: {error.strerror}")
        except (ValueError, TypeError, AttributeError) as error:
            return evolve(found, problem=f"its side-car cannot be read: {error}")

    def _moment(self, text: str | None, otherwise: datetime) -> datetime:
        if text is None:
            return otherwise
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and self.zone is not None:
            moment = moment.replace(tzinfo=self.zone)
        return moment.astimezone(UTC)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise FolderUnusable(str(folder), error.strerror or str(error)) from error


@contextmanager
def _opened(file: Path) -> Iterator[Iterable[Block]]:
    """The blocks of *file*. Raises FolderUnusable, here and while they are read."""
    try:
        stream = file.open("rb", buffering=0)
    except OSError as error:
        raise FolderUnusable(str(file), error.strerror or str(error)) from error

    def read() -> Block:
        try:
            return stream.read(_BLOCK_BYTES)
        except OSError as error:
            raise FolderUnusable(str(file), error.strerror or str(error)) from error

    with stream:
        yield iter(read, b"")
