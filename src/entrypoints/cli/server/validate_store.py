"""``tarkeep validate-store``: does a store keep the promises that archives need?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ....domain.text.counted import counted
from ....domain.text.paths import printable
from ...settings.server import ServerSettings, StorageSettings
from ..terminal.exits import FAILED, OK

if TYPE_CHECKING:
    from ....domain.usecases.keeping.validate_store import Verdict


def validate_store(
    url: str,
    /,
    *,
    storage: Annotated[StorageSettings | None, Parameter(show=False)] = None,  # noqa: ARG001
    _server: Annotated[ServerSettings | None, Parameter(show=False)] = None,
) -> int:
    """
    Test whether a store does what archives need, and show for each promise whether it is kept.

    The tests write some 10 MB into a folder of their own, tarkeep-validate-*, which is removed at the end; nothing else
    is touched, and a server may be running. Exit codes: 0 every promise is kept; 1 a promise is broken, or nothing can
    be written there; 2 no store can be there.

    Parameters
    ----------
    url
        Where archives will be stored, such as file:///srv/backups.
    """
    from ...wiring.scratch_store import scratch_store

    with scratch_store(url) as validate:
        return told(url, validate())


def told(url: str, verdicts: Iterable[Verdict]) -> int:
    """Print each of *verdicts* on the store at *url* as it arrives; return the exit code."""
    kept = tried = 0
    for verdict in verdicts:
        tried += 1
        kept += verdict.broken is None
        print(f"{'ok' if verdict.broken is None else 'failed':8}{verdict.sentence}", flush=True)
        if verdict.broken is not None:
            print(printable(f"{'':8}{verdict.broken}"), flush=True)
    print(printable(f"{url}: {kept} of {counted(tried, 'promise')} kept"))
    return OK if kept == tried else FAILED
