"""Lights: as bad as the worst concern, and never without a reason."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.watching.light import Concern, ConcernKind, Light, light_of, worst_first

CONCERNS = st.lists(
    st.builds(
        Concern,
        st.sampled_from(ConcernKind),
        st.sampled_from([light for light in Light if light is not Light.GREEN]),
        st.just("something is wrong"),
    )
)


@given(CONCERNS)
def test_no_light_is_better_than_its_worst_sign(concerns: list[Concern]) -> None:
    light = light_of(concerns)
    assert (light is Light.GREEN) is (not concerns)
    assert all(concern.light.rank <= light.rank for concern in concerns)
    assert not concerns or light in {concern.light for concern in concerns}


@given(CONCERNS)
def test_the_worst_is_read_first(concerns: list[Concern]) -> None:
    ordered = worst_first(concerns)
    assert sorted(map(repr, ordered)) == sorted(map(repr, concerns))
    assert not ordered or ordered[0].light is light_of(concerns)


def test_red_is_worse_than_yellow_and_yellow_than_grey() -> None:
    assert list(Light) == [Light.GREEN, Light.GREY, Light.YELLOW, Light.RED]
