"""``tarkeep doctor store``: does a store do what archives need?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ....domain.text.counted import counted
from ...settings.server import StorageSettings
from ..terminal.exits import FAILED, OK
from ..terminal.output import Output
from .serve import Unused

if TYPE_CHECKING:
    from ....domain.usecases.keeping.validate_store import Verdict


def store(
    url: str | None = None,
    /,
    *,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Test whether a store does what archives need, and show for each promise whether it is kept.

    The tests write some 20 MB into a folder of their own, tarkeep-validate-*, which is removed at the end; nothing else
    is touched, and a server may be running. Of a store in a bucket the object store is tried first, as at each start of
    a server. Exit codes: 0 every promise is kept; 1 a promise is broken, or nothing can be written there; 2 no store
    can be there.

    Parameters
    ----------
    url
        Where archives are, or will be, such as file:///srv/backups or s3://BUCKET/PREFIX. Default: --store, else
        --data.
    json
        Print all promises as one JSON object, when the last one was tried.
    """
    from ...wiring.commands.scratch_store import scratch_store

    settings = storage or StorageSettings()
    url = url or settings.store or f"file://{settings.data.absolute()}"
    with scratch_store(url, settings) as validate:
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
