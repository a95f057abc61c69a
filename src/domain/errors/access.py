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
    """The token lacks a required scope; any of *needed* would do."""

    needed: tuple[str, ...]

    def __str__(self) -> str:
        return f"this needs a token with the scope {' or '.join(self.needed)}"


@define
class TokenNotFound(TarkeepError):
    """No token has this id."""

    id: str

    def __str__(self) -> str:
        return f"no token {self.id[:80]!a}"
