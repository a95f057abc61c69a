"""Which profiles a principal sees: worked out once, and correct after any additions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.domain.access.tokens import ANONYMOUS, Principal, Scope
from tarkeep.domain.usecases.access.visible import KEPT_PATTERNS, VisibleProfiles
from tests.support.archives import make_archive

names = st.text("abw-1", min_size=1, max_size=3).filter(lambda name: not name.startswith("-"))
patterns = st.sampled_from(["a", "w-1", "a*", "?", "*b", "[ab]*", "w-*", "nobody*", "*"])


class Counted(Principal):
    """A `Principal` that counts how often a name is matched against its patterns."""

    count = 0

    def sees(self, profile: str) -> bool:
        Counted.count += 1
        return super().sees(profile)


def principal(*patterns: str) -> Principal:
    return Principal("t", frozenset(Scope), patterns)


@given(st.lists(st.tuples(names, st.lists(patterns, min_size=1, max_size=3)), max_size=12))
def test_they_are_those_that_fit_of_all_there_are(steps: list[tuple[str, list[str]]]) -> None:
    """After each new profile, for every principal, in any order of queries."""
    catalog = MemoryCatalog()
    visible = VisibleProfiles(catalog)
    there: set[str] = set()
    for number, (profile, several) in enumerate(steps):
        catalog.adopt([make_archive(f"a{number}.tar.gz", profile=profile)])
        there.add(profile)
        for _, asking in steps[number:] + steps[:number]:
            who = principal(*asking)
            seen = visible(who)
            if "*" in asking:
                assert seen is None
            else:
                assert seen is not None
                assert seen & there == {name for name in there if who.sees(name)}
                assert all(who.sees(name) for name in seen)
        assert visible(principal(*several)) == visible(principal(*several))
        assert set(visible.all()) == there


def test_each_name_is_held_against_a_pattern_once() -> None:
    """However often it is queried, and for any number of principals with the same patterns."""
    catalog = MemoryCatalog()
    catalog.adopt([make_archive(profile=f"p{number}") for number in range(50)])
    visible, asked = VisibleProfiles(catalog), Counted("t", frozenset(Scope), ("p1*",))

    for _ in range(5):
        assert len(visible(asked) or ()) == 11
    assert asked.count == 50
    catalog.adopt([make_archive(profile="p1000")])
    assert len(visible(asked) or ()) == 12
    assert asked.count == 51


def test_the_number_of_kept_patterns_is_bounded() -> None:
    """Results that are worked out again are correct, too."""
    catalog = MemoryCatalog()
    catalog.adopt([make_archive(profile=f"p{number}") for number in range(3 * KEPT_PATTERNS)])
    visible = VisibleProfiles(catalog)

    for _ in range(2):
        for number in range(3 * KEPT_PATTERNS):
            assert f"p{number}" in (visible(principal(f"p{number}*")) or ())
            assert len(visible._seen) <= KEPT_PATTERNS


def test_all_and_exact_names_need_no_look_at_profiles() -> None:
    """A principal that sees everything sees new profiles, and one with names sees those names."""
    visible = VisibleProfiles(MemoryCatalog())

    assert visible(ANONYMOUS) is None
    assert visible(principal("a", "*")) is None
    assert visible(principal("laptop", "web")) == frozenset({"laptop", "web"})
