"""The merged tree of an exact path against its rule, applied name by name."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.tar.members import Member
from tarkeep.domain.trees.tree import Gap, GapKind
from tests.support.members import archive, directory, member, merge

DIRECTORIES = ("r", "r/d", "r/e")
NAMES = ("a", "b", "c")
BELOW = {"r": "Dd De"}


@frozen
class Dump:
    """One archive: for each directory the mark of each name, a letter or nothing, and which names have a member."""

    letters: dict[str, dict[str, str]]
    members: frozenset[str]
    directories_first: bool

    def written(self) -> list[Member]:
        listed = [
            directory(
                path.encode(),
                " ".join([BELOW.get(path, ""), *(letter + name for name, letter in names.items() if letter)]),
            )
            for path, names in self.letters.items()
        ]
        files = [member(path.encode()) for path in sorted(self.members)]
        return listed + files if self.directories_first else files + listed

    def position(self, path: str) -> int:
        return [one.path for one in self.written()].index(path.encode()) * 1024


def letters() -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({name: st.sampled_from("NNNNNNNYYYY ").map(str.strip) for name in NAMES})


PATHS = [f"{path}/{name}" for path in DIRECTORIES for name in NAMES]


@st.composite
def dumps(draw: st.DrawFn) -> Dump:
    listings = {path: draw(letters()) for path in DIRECTORIES}
    called_here = {f"{path}/{name}" for path, names in listings.items() for name in names if names[name] == "Y"}
    lies = draw(st.sets(st.sampled_from(PATHS), max_size=4))  # a member more, or less, than listed
    return Dump(listings, frozenset(called_here ^ lies), draw(st.booleans()))


def judged(path: Sequence[Dump], above: str, name: str) -> tuple[int, int] | GapKind | None:
    """The place of a name's content, why it has none, or None if the name is not in the tree."""
    whole = f"{above}/{name}"
    for index in range(len(path) - 1, -1, -1):
        letter = path[index].letters[above][name]
        if whole in path[index].members:
            return index, path[index].position(whole)
        if letter == "Y":
            return GapKind.NOT_ARCHIVED
        if letter != "N":
            return None if index == len(path) - 1 else GapKind.MISSING
    return GapKind.LEFT_OUT


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(dumps(), min_size=1, max_size=5))
def test_every_name_is_where_the_rule_says(path: list[Dump]) -> None:
    """The content is from the newest archive that has it, if each newer one calls it unchanged; else it is a gap."""
    tree = merge([archive(*dump.written()) for dump in path], is_exact=True)

    gaps = {}
    for above in DIRECTORIES:
        for name in NAMES:
            whole = f"{above}/{name}".encode()
            entry = tree.entry(whole)
            expected = judged(path, above, name)
            if isinstance(expected, GapKind):
                gaps[whole] = expected
                assert entry is None
            elif expected is None:
                assert entry is None
            else:
                assert entry is not None
                assert (entry.archive, entry.at) == expected
    assert set(tree.gaps) == {Gap(where, kind) for where, kind in gaps.items()}
