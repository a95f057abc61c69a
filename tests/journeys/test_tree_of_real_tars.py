"""
The merged tree compared with GNU tar, and with the archived directories, over histories that Hypothesis draws.

The archives are read by `tests.support.tar_oracle`, not by the product.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tarkeep.domain.comparing.fit import Agreement
from tarkeep.domain.tar.members import Member
from tests.support.histories import History, Step, put_together, steps
from tests.support.members import fit, merge
from tests.support.tar_oracle import members_of

REAL_FILES = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

kinds = st.sampled_from(["INC", "INC", "DIFF"])
dumps = st.lists(st.tuples(kinds, st.booleans(), steps(1, 8)), min_size=1, max_size=4)


class Taken:
    """One archive of a history: its members, its bytes, and the archives that restore it."""

    def __init__(self, file: Path, parent: Taken | None) -> None:
        self.file = file
        self.parent = parent
        self.bytes = file.read_bytes()
        self.members = members_of(self.bytes)

    @property
    def path(self) -> list[Taken]:
        return [*(self.parent.path if self.parent else ()), self]

    def read(self) -> Sequence[Member]:
        return self.members


def chain_of(history: History, start: list[Step], further: list[tuple[str, bool, list[Step]]]) -> list[Taken]:
    """A FULL and later dumps, leaving the directory as the last of them saw it."""
    snapshot, full_snapshot = history.place / "snapshot", history.place / "full"
    history.go_through(start)
    full = newest = Taken(history.dump("0.tar", snapshot, posix=False), None)
    shutil.copyfile(snapshot, full_snapshot)
    taken = [full]
    for number, (kind, posix, changes) in enumerate(further, 1):
        history.go_through(changes)
        used = snapshot
        if kind == "DIFF":
            used = history.place / "copy"
            shutil.copyfile(full_snapshot, used)
        one = Taken(history.dump(f"{number}.tar", used, posix=posix), full if kind == "DIFF" else newest)
        taken.append(one)
        if kind == "INC":
            newest = one
    return taken


@settings(REAL_FILES, max_examples=200)
@given(start=steps(3, 20, growing=True), further=dumps)
def test_the_merged_tree_is_what_was_archived_and_what_tar_restores(
    start: list[Step], further: list[tuple[str, bool, list[Step]]]
) -> None:
    """
    Names, types and contents are those of the live directory; if tar forgot some of it, the tree says so.

    GNU tar gives the same, except for renames that it does not carry out as recorded; those are reported.
    """
    with tempfile.TemporaryDirectory() as place:
        history = History(Path(place))
        taken = chain_of(history, start, further)
        path = taken[-1].path
        live = history.live()
        fits = [fit(child.read, child.parent.read) for child in path if child.parent]
        fits_all = all(one.verdict is Agreement.FITS for one in fits)

        tree = merge([one.read for one in path], is_exact=True)

        if tree.losses:
            event("names that tar did not archive, or called by the name of another")
            assert not fits_all
        else:
            assert put_together(tree, [(one.members, one.bytes) for one in path]) == live
        if not fits_all or not all(one.is_sound for one in fits):
            event("renames that tar carries out wrongly")
        else:
            assert history.restored([one.file for one in path]) == live


@settings(REAL_FILES, max_examples=30)
@given(start=steps(3, 15, growing=True), further=st.lists(steps(0, 5, growing=True), min_size=1, max_size=3))
def test_plain_archives_laid_over_each_other_are_what_tar_makes_of_them(
    start: list[Step], further: list[list[Step]]
) -> None:
    """Without listings nothing is deleted, and names and contents are those that tar restores in order."""
    with tempfile.TemporaryDirectory() as place:
        history = History(Path(place))
        taken: list[Taken] = []
        for number, changes in enumerate([start, *further]):
            history.go_through(changes)
            taken.append(Taken(history.dump(f"{number}.tar", None, posix=bool(number % 2)), None))

        tree = merge([one.read for one in taken], is_exact=False)

        assert not tree.losses
        assert put_together(tree, [(one.members, one.bytes) for one in taken]) == history.restored(
            [one.file for one in taken], incremental=False
        )
