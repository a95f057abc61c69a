"""How long a client retries: less if the server was never reached."""

from __future__ import annotations

import pytest
from attrs import define, field

from tarkeep.domain.client.retrying import Retrying
from tarkeep.domain.errors.client import Refused, ServerUnreachable
from tarkeep.domain.tarkeep_error import TarkeepError
from tests.support.errors import every_error, sample

NOBODY = ServerUnreachable("http://backup", "Connection refused", is_unreachable=True)
CUT = ServerUnreachable("http://backup", "the line broke")


@define
class Line:
    """Fails with each of *errors* in turn and counts the seconds waited; each try takes one second."""

    errors: list[TarkeepError]
    seconds: float = 100.0
    tries: int = 0
    pauses: list[float] = field(factory=list)

    def ask(self) -> str:
        self.seconds += 1
        error = self.errors[min(self.tries, len(self.errors) - 1)]
        self.tries += 1
        raise error

    def wait(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds

    def retrying(self, unreached_seconds: float | None) -> Retrying:
        return Retrying(8, self.wait, lambda: 1.0, unreached_seconds=unreached_seconds, seconds=lambda: self.seconds)


def test_a_server_that_was_never_reached_is_given_up_soon() -> None:
    """After the given seconds, including the time of the tries themselves."""
    line = Line([NOBODY])
    with pytest.raises(ServerUnreachable):
        line.retrying(5.0)(line.ask)

    assert line.pauses == [2.0, 1.0]
    assert line.tries == 3
    assert line.seconds - 100.0 <= 5.0 + 1


@pytest.mark.parametrize(("error", "unreached_seconds"), [(NOBODY, None), (CUT, 5.0)])
def test_others_are_tried_as_often_as_is_said(error: TarkeepError, unreached_seconds: float | None) -> None:
    """A server without that limit, and one that has answered before."""
    line = Line([error])
    with pytest.raises(ServerUnreachable):
        line.retrying(unreached_seconds)(line.ask)

    assert line.tries == 9


def test_a_refusal_is_tried_again_where_it_says_that_it_may_pass() -> None:
    """And not before the server wants it."""
    passing, final = Line([Refused("overloaded", "wait", True, 30.0)]), Line([Refused("invalid-name", "no")])
    for line in (passing, final):
        with pytest.raises(Refused):
            line.retrying(None)(line.ask)

    assert (passing.tries, final.tries) == (9, 1)
    assert passing.pauses[:5] == [30.0, 30.0, 30.0, 30.0, 32.0]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_what_is_transient_is_tried_again_and_nothing_else(kind: type[TarkeepError]) -> None:
    """The decision is the error's own; no list of classes stands beside it."""
    error = sample(kind)
    line = Line([error])
    with pytest.raises(kind):
        line.retrying(None)(line.ask)

    assert line.tries == (9 if error.is_transient else 1)
