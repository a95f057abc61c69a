"""
Comparing a restored tree with what it must be like, name by name.

The rule: a check that checked nothing is no success. Two trees are equal only if both have the same number of names,
more than none, and no name differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from attrs import define, field, frozen

from ..tar.members import MemberType
from ..text.counted import counted
from .manifest import DEVICES, ManifestLine

MOST_DIFFERENCES = 100


@frozen
class NameDiffers:
    """A path, and in a few words how what was restored there differs."""

    path: bytes
    what: str


@frozen
class Judgement:
    """
    What a comparison came to: how many names there had to be, how many there were and how many bytes these held, the
    first differences, and how many there are in all. *left_out* counts what was not compared, by what it is.
    """

    expected: int
    observed: int
    observed_bytes: int
    differences: tuple[NameDiffers, ...]
    different: int
    left_out: dict[str, int]

    @property
    def is_equal(self) -> bool:
        """Whether the trees are the same."""
        return not self.different and self.expected == self.observed > 0


@define
class _Judging:
    expected: int = 0
    observed: int = 0
    observed_bytes: int = 0
    different: int = 0
    differences: list[NameDiffers] = field(factory=list)
    left_out: Counter[str] = field(factory=Counter)

    def differs(self, path: bytes, what: str) -> None:
        self.different += 1
        if len(self.differences) < MOST_DIFFERENCES:
            self.differences.append(NameDiffers(path, what))

    def add(self, line: ManifestLine) -> None:
        self.observed += 1
        if line.type is MemberType.FILE:
            self.observed_bytes += line.size_bytes or 0


def compare(
    expected: Iterable[ManifestLine],
    observed: Iterable[ManifestLine],
    is_beside: Callable[[ManifestLine], bool] = lambda _line: False,
) -> Judgement:
    """
    Compare the lines *observed* with those *expected*; both are in their order.

    Devices are left out: nobody but root can make one. *is_beside* says of a line that nothing was expected for
    whether it belongs to the place of the tree, and not to the tree.

    Raises:
        ReportInvalid: from *observed*.
    """
    judging = _Judging()
    wanted, found = iter(expected), iter(observed)
    here, there = next(found, None), next(wanted, None)
    while here is not None or there is not None:
        if there is None or (here is not None and here.place < there.place):
            assert here is not None
            if not is_beside(here):
                judging.add(here)
                judging.differs(here.path, "is not in the backup")
            here = next(found, None)
            continue
        is_same = here is not None and here.place == there.place
        if there.type in DEVICES:
            judging.left_out["devices"] += 1
            if is_same and here is not None and here.type in DEVICES:
                here = next(found, None)
        else:
            judging.expected += 1
            if is_same and here is not None:
                _judge(judging, there, here)
                here = next(found, None)
            else:
                judging.differs(there.path, "is missing")
        there = next(wanted, None)
    return Judgement(
        judging.expected,
        judging.observed,
        judging.observed_bytes,
        tuple(judging.differences),
        judging.different,
        dict(judging.left_out),
    )


def _judge(judging: _Judging, wanted: ManifestLine, found: ManifestLine) -> None:
    judging.add(found)
    if wanted.type is MemberType.FILE and wanted.content is None:
        judging.left_out["contents of sparse files"] += 1
    if wanted.type is not MemberType.SYMLINK and wanted.mode is None:
        judging.left_out["modes"] += 1
    if wanted.mtime_ns is None:
        judging.left_out["times"] += 1
    what = ", ".join(_differing(wanted, found))
    if what:
        judging.differs(found.path, what)


def _differing(wanted: ManifestLine, found: ManifestLine) -> Iterator[str]:
    if wanted.type is not found.type:
        yield f"is a {found.type.value}, was a {wanted.type.value}"
        return
    if wanted.mode is not None and wanted.type is not MemberType.SYMLINK and wanted.mode != found.mode:
        yield f"has the mode {'none' if found.mode is None else f'{found.mode:04o}'}, had {wanted.mode:04o}"
    if wanted.mtime_ns is not None and wanted.mtime_ns != found.mtime_ns:
        yield "has another time"
    if wanted.size_bytes is not None and wanted.size_bytes != found.size_bytes:
        yield f"has {counted(found.size_bytes or 0, 'byte')}, had {wanted.size_bytes}"
    elif wanted.content is not None and wanted.content != found.content:
        yield "points elsewhere" if wanted.type is MemberType.SYMLINK else "has other contents"
    if wanted.group != found.group:
        yield "is not the hard link it was"
