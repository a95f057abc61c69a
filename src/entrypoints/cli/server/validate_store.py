"""``tarkeep validate-store``: does a store keep the promises that archives need?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ....domain.text.counted import counted
from ...settings.server import ServerSettings, StorageSettings
from ..terminal.exits import FAILED, OK
from ..terminal.output import Output

if TYPE_CHECKING:
    from ....domain.usecases.keeping.validate_store import Verdict


def validate_store(
    url: str,
    /,
    *,
    json: bool = False,
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
    json
        Print all promises as one JSON object, when the last one was tried.
    """
    from ...wiring.scratch_store import scratch_store

    with scratch_store(url) as validate:
        return told(url, validate(), Output(json, quiet=False))


def told(url: str, verdicts: Iterable[Verdict], output: Output) -> int:
    """
    Print each of *verdicts* on the store at *url* as it arrives, for programs all of them at the end; return the exit
    code.
    """
    tried = []
    for verdict in verdicts:
        tried.append(verdict)
        if output.as_json:
            continue
        output.result(f"{'ok' if verdict.broken is None else 'failed':8}{verdict.sentence}")
        if verdict.broken is not None:
            output.result(f"{'':8}{verdict.broken}")
    kept = sum(verdict.broken is None for verdict in tried)
    output.result(
        f"{url}: {kept} of {counted(len(tried), 'promise')} kept",
        store=url,
        tried=len(tried),
        kept=kept,
        promises=[{"promise": one.sentence, "kept": one.broken is None, "error": one.broken} for one in tried],
    )
    return OK if kept == len(tried) else FAILED
