"""Access that is refused, and why."""

from __future__ import annotations

from attrs import define

from ..tarkeep_error import TarkeepError


@define
class NotAuthenticated(TarkeepError):
    """The request has no valid token; *has_token* is false if it carried none at all."""

    why: str
    has_token: bool = True

    def __str__(self) -> str:
        return self.why


@define
class ScopeMissing(TarkeepError):
    """
    The token lacks a required scope; any of *needed* would do. *for_all* if it must have it for all profiles.
    """

    needed: tuple[str, ...]
    for_all: bool = False

    def __str__(self) -> str:
        where = " for all profiles, which is the pattern *" if self.for_all else ""
        return f"this needs a token with the scope {' or '.join(self.needed)}{where}"


@define
class TokenNotFound(TarkeepError):
    """No token has this id."""

    id: str

    def __str__(self) -> str:
        return f"no token {self.id[:80]!a}"


@define
class EvidenceNotWritten(TarkeepError):
    """What was done is not in the evidence: *what* says what that is, *reason* why. *is_void*: so it does not count."""

    what: str
    reason: str
    is_void: bool = False

    is_transient = True

    def __str__(self) -> str:
        then = ", so it does not count" if self.is_void else ""
        return f"{self.what}, but the evidence of it could not be written{then}: {self.reason}"


@define
class EvidenceNotFound(TarkeepError):
    """There is no evidence of *month*; there is of *months*."""

    month: str
    months: tuple[str, ...]

    def __str__(self) -> str:
        return f"there is no evidence of {self.month}" + (
            f"; the months with some are {', '.join(self.months)}" if self.months else ", nor of any other month"
        )
