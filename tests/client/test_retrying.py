"""How long a client retries: less if the server was never reached."""

from __future__ import annotations

import pytest
from attrs import define, field

from tarkeep.domain.client.retrying import Retrying, is_transient
from tarkeep.domain.errors.client import Refused, ServerUnreachable
from tarkeep.domain.tarkeep_error import TarkeepError

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


def test_an_upload_that_another_has_taken_over_may_go_on() -> None:
    """The server answers 400 in that case, which is otherwise final."""
    assert is_transient(Refused(400, "upload-interrupted", "the upload broke off after 5 bytes"))
    assert not is_transient(Refused(400, "invalid-name", "no"))
