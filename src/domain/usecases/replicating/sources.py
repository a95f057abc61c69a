"""Which server archives are copied from: the one in the settings, or one that a command named for a single run."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from ...ports.upkeep.peers import PeerAddress
from ...tarkeep_error import TarkeepError

REPLICATE = "replicate"
"""The name of the job."""


def _nobody() -> PeerAddress | None:
    """For servers whose settings name no other."""
    return None


@define(eq=False)
class PeerSource:
    """
    Where the next run copies from. *stated* gives what the settings say, None without; it may raise InvalidSetting.

    What a command asked for is in memory only, with its token: if the server ends before the run, it has to ask again.
    """

    stated: Callable[[], PeerAddress | None] = _nobody
    _asked: PeerAddress | None = field(default=None, init=False)

    @property
    def is_known(self) -> bool:
        """Whether a run would copy from somewhere; also if what the settings say cannot be used, which it tells."""
        try:
            return (self._asked or self.stated()) is not None
        except TarkeepError:
            return True

    def ask(self, address: PeerAddress) -> None:
        """Have the next run copy from *address*."""
        self._asked = address

    def take(self) -> PeerAddress | None:
        """The address for the run that begins now; what was asked for is asked for once."""
        asked, self._asked = self._asked, None
        return asked or self.stated()
