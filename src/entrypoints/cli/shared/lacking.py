"""Reports of what a restore lacks: how many names, and the file with all of them if they are too many to print."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ....domain.client.ports.chains import LackingName, RestorePlan
from ....domain.text.counted import counted
from ....domain.text.lack_counts import Counts
from ....domain.text.paths import path_text
from ..terminal.output import Output

SHOWN_NAMES = 20
"""The number of names that a plan's warnings show as well."""


def beside(into: Path, work: Path) -> Path:
    """The path of the file with the names missing from the restore into *into*."""
    return into.with_name(f"{into.name}.tarkeep-gaps") if into.name else work.with_name(f"{work.name}-gaps")


def lacks_words(lacks: Counts, *, is_done: bool = False) -> str:
    """A sentence with the counts of *lacks*; without any count, that unlisted names may be missing."""
    told = []
    if lacks.lacking:
        could = "could not" if is_done else "cannot"
        told.append(f"{counted(lacks.lacking, 'name')} {could} be restored")
    if lacks.uncertain:
        told.append(f"{counted(lacks.uncertain, 'name')} may be out of date")
    if not told:
        told.append("names that cannot be listed may be missing")
    return f"{' and '.join(told)}; everything else {'was restored' if is_done else 'can be'}"


def tell_lacks(
    output: Output,
    plan: RestorePlan,
    names: Iterable[LackingName],
    file: Path,
    keep: Callable[[Path, bytes], None],
) -> None:
    """Report what the restore of *plan* lacks; *keep* writes all *names* to *file* if they are many."""
    found = list(names)
    if output.as_json:
        for name in found:
            status = "out-of-date" if name.is_given else "lacking"
            output.result("", status=status, path=path_text(name.path), reason=name.reason)
    words = lacks_words(plan.lacks, is_done=True)
    if len(found) > SHOWN_NAMES:
        keep(file, b"".join(f"{path_text(name.path)}\t{name.reason}\n".encode() for name in found))
        words += f"; {file} names all of these"
    output.error(words)
