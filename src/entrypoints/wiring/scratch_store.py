"""Trials of a store where an operator wants to keep archives, in a place of their own there, which is removed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ...adapters.filesystem.archive_store import FilesystemArchiveStore
from ...adapters.process.clock_and_ids import RandomIds
from ...adapters.process.os_errors import translated
from ...domain.errors.settings import UsageError
from ...domain.usecases.keeping.validate_store import ValidateStore
from ..settings.files import expanded
from ..starting import starting

PREFIX = "tarkeep-validate-"


@contextmanager
def scratch_store(url: str) -> Iterator[ValidateStore]:
    """
    The trials of a store of the kind and at the place that *url* names, ``file:///PATH``.

    They work in a folder of their own in that directory, so that nothing of what is stored there is touched, and a
    server may be running; leaving the context removes it.

    Raises:
        UsageError: no store can be at *url*, or nothing is there.
        FolderUnusable: nothing can be written there.
    """
    scheme, _, rest = url.partition(":")
    if scheme != "file" or not rest.startswith("/"):
        raise UsageError(url, "this is not the URL of a store; use file:///PATH")
    folder = expanded("store", Path(rest.removeprefix("//")))
    if not folder.is_dir():
        raise UsageError(url, f"there is no directory {folder}; is its disk mounted?")
    with starting(folder, "store"), translated(writing=True):
        place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
    try:
        yield ValidateStore(lambda: closing(FilesystemArchiveStore.open(place / "store", ids=RandomIds())))
    finally:
        with starting(place, "store"), translated(writing=True):
            shutil.rmtree(place)
