"""``restore --check``: comparing the restored files with the server's record of the point."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from .....domain.client.ports.chains import RemoteTreeEntry, RestorePlan
from .....domain.client.restore.comparing import differences
from .....domain.text.counted import counted
from .....domain.text.paths import path_text
from ...terminal.exits import DIFFERENT, OK
from ...terminal.output import Output

if TYPE_CHECKING:
    from ....wiring.client_dumps import Restoring

_SHOWN_DIFFERENCES = 100


def check(how: Restoring, output: Output, profile: str, path: bytes, plan: RestorePlan, *, allow_gaps: bool) -> int:
    """
    Compare the local files below *path* with the point of *plan*, except for names that the plan cannot restore.

    Differences are printed on *output*; the exit code says whether any were found.
    """
    at = plan.point.label
    tree = partial(how.chains.tree, allow_gaps=allow_gaps)
    lacking: set[bytes] = set()
    if plan.lacks.lacking:
        names = how.chains.gaps(profile, at, path)
        lacking.update(name.path for name in names if name.is_of_tree and not name.is_given)
    first = next(iter(tree(profile, at, path)), None)
    is_file = first is not None and first.path == path
    roots = [path] if path else [entry.path for entry in tree(profile, at)]
    # a requested folder itself is not compared, only what it contains
    frame = path if path and not is_file else None
    passed = {frame, *lacking}
    here = (entry for root in roots for entry in how.tree.entries(root) if entry.path not in passed)
    compared = found = 0

    def there() -> Iterator[RemoteTreeEntry]:
        nonlocal compared
        for entry in [first] if is_file and first else tree(profile, at, path, recursive=True):
            if entry.path not in passed:
                compared += 1
                yield entry

    for difference in differences(there(), here):
        found += 1
        if found <= _SHOWN_DIFFERENCES or output.as_json:
            name = path_text(difference.path)
            output.result(f"{name} {difference.what}", status="different", path=name, what=difference.what)
    if found > _SHOWN_DIFFERENCES and not output.as_json:
        output.result(f"and {found - _SHOWN_DIFFERENCES} more")
    output.result(
        f"{counted(compared, 'name')} compared, {_found(compared, found)}",
        status="compared",
        compared=compared,
        different=found,
    )
    return DIFFERENT if found else OK


def _found(compared: int, different: int) -> str:
    if different:
        return f"{different} different"
    return "all the same" if compared != 1 else "the same"
