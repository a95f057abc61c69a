"""Trials of a store where an operator wants to keep archives, in a place of their own there, which is removed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from ....adapters.filesystem.archive_store import FilesystemArchiveStore
from ....adapters.process.clock_and_ids import RandomIds
from ....adapters.process.os_errors import translated
from ....domain.errors.settings import UsageError
from ....domain.usecases.keeping.validate_store import ValidateStore, Verdict
from ...settings.files import expanded
from ...settings.server import StorageSettings
from ...starting import starting
from ..buckets import bucket_address

if TYPE_CHECKING:
    from ....adapters.s3.bucket.client import BucketAddress  # its library is an extra, and slow to import

PREFIX = "tarkeep-validate-"
_KINDS = "use file:///PATH or s3://BUCKET/PREFIX"


@contextmanager
def scratch_store(url: str, settings: StorageSettings) -> Iterator[ValidateStore]:
    """
    The trials of a store of the kind and at the place that *url* names, ``file:///PATH`` or ``s3://BUCKET/PREFIX``.

    They work in a folder of their own there, so that nothing of what is stored is touched, and a server may be running;
    leaving the context removes it. *settings* say where an object store is.

    Raises:
        UsageError: no store can be at *url*, or nothing is there.
        FolderUnusable: nothing can be written there.
        BackendUnavailable: the object store cannot be used.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "s3":
        with _in_a_bucket(bucket_address(url, settings)) as validate:
            yield validate
        return
    if scheme != "file" or not rest.startswith("/"):
        raise UsageError(url, f"this is not the URL of a store; {_KINDS}")
    folder = expanded("store", Path(rest.removeprefix("//")))
    if not folder.is_dir():
        raise UsageError(url, f"there is no directory {folder}; is its disk mounted?")
    with _own_folder(folder) as place:
        yield ValidateStore(lambda: closing(FilesystemArchiveStore.open(place / "store", ids=RandomIds())))


@contextmanager
def _own_folder(folder: Path) -> Iterator[Path]:
    with starting(folder, "store"), translated(writing=True):
        place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
    try:
        yield place
    finally:
        with starting(place, "store"), translated(writing=True):
            shutil.rmtree(place)


@contextmanager
def _in_a_bucket(address: BucketAddress) -> Iterator[ValidateStore]:
    from ....adapters.s3.archive_store import S3ArchiveStore
    from ....adapters.s3.probing import Trial

    ids = RandomIds()
    prefix = "/".join(filter(None, (address.prefix, PREFIX + ids.new())))
    trial = Trial.of(evolve(address, prefix=prefix), ids)
    with ExitStack() as left:
        left.callback(lambda: trial.bucket.delete(*(one.key for one in list(trial.bucket.below("")))))
        place = left.enter_context(_own_folder(Path(tempfile.gettempdir())))
        yield ValidateStore(
            lambda: closing(S3ArchiveStore.over(trial.proven(), place / "store", ids=ids)),
            engine=lambda: (Verdict(one.sentence, one.broken) for one in trial.verdicts()),
        )
