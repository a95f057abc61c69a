"""Comparing listings through tables, against the rule applied to every parsed listing."""

from __future__ import annotations

from hypothesis import event, given, settings
from hypothesis import strategies as st

from tarkeep.domain.comparing.fit import Agreement
from tarkeep.domain.tar.dumpdirs import Dumpdir, Mark, Rename
from tarkeep.domain.tar.members import Member, MemberType
from tests.support.fit_rule import fit_by_the_rule
from tests.support.members import archive, directory, fit

PATHS = (b"r", b"r/d", b"r/e", b"r/d/x", b"r/f")
NAMES = (b"a", b"b", b"d", b"e", b"x")


def listed(path: bytes, names: dict[bytes, Mark], renames: tuple[Rename, ...]) -> Member:
    one = directory(path)
    return Member(
        path,
        MemberType.DIRECTORY,
        0o755,
        0,
        0,
        b"",
        b"",
        0,
        0,
        b"",
        None,
        one.at,
        512,
        0,
        False,
        Dumpdir(names, renames),
    )


# Mostly unchanged, as in dumps, so that most listings are equal except for what is in the archive.
marks = st.sampled_from([Mark.UNCHANGED, Mark.UNCHANGED, Mark.UNCHANGED, Mark.HERE, Mark.HERE, Mark.DIRECTORY])
names = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, marks))
steps = st.lists(st.tuples(st.sampled_from([*PATHS, b""]), st.sampled_from([*PATHS, b""])), max_size=3)


@st.composite
def archives(draw: st.DrawFn) -> list[Member]:
    """Any directories, some of them twice, with renames in the first listing or elsewhere."""
    paths = draw(st.lists(st.sampled_from(PATHS), max_size=6))
    told = draw(st.integers(0, 5))
    renames = tuple(Rename(*step) for step in draw(steps)) if draw(st.booleans()) else ()
    return [listed(path, draw(names), renames if told == number else ()) for number, path in enumerate(paths)]


def listings(members: list[Member]) -> list[tuple[bytes, Dumpdir]]:
    return [(one.path, one.listing) for one in members if one.listing is not None]


@settings(max_examples=500)
@given(archives(), archives(), st.booleans())
def test_a_fit_is_what_the_rule_says(child: list[Member], parent: list[Member], is_base: bool) -> None:
    """The same verdict for the same reasons, whatever the listings."""
    verdict, lacking, renamed, is_open = fit_by_the_rule(listings(child), listings(parent), is_base=is_base)

    found = fit(archive(*child), archive(*parent), is_base=is_base)

    event(verdict.value)
    assert found.verdict is verdict
    assert set(found.examples) <= lacking
    assert bool(found.examples) is (verdict is Agreement.CONTRADICTS)
    if verdict is not Agreement.UNKNOWN:
        assert (found.renamed, found.is_open) == (renamed, is_open)
