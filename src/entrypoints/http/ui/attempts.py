"""What was tried in a form and failed, for the page that shows the form again."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import frozen
from starlette.requests import Request

from ....domain.text.paths import printable

_ATTEMPT = "tarkeep.attempt"


@frozen
class Attempt:
    """
    A form that was sent and not carried out: the path it was sent to, its *fields* without any token, and why.

    *problem* is a sentence without its full stop; it is empty if nothing was tried.
    """

    path: str = ""
    fields: Mapping[str, str] = MappingProxyType({})
    problem: str = ""

    def typed(self, path: str, field: str, default: str = "") -> str:
        """What was typed into *field* of the form that is sent to *path*; *default* if that was not the one."""
        return printable(self.fields.get(field, "")) if self.path == path else default


_NOTHING = Attempt()


def note_attempt(request: Request, attempt: Attempt) -> None:
    """Let the page that answers *request* show *attempt*."""
    request.scope[_ATTEMPT] = attempt


def attempt_of(request: Request) -> Attempt:
    """What was tried by *request*, if anything."""
    attempt: Attempt = request.scope.get(_ATTEMPT, _NOTHING)
    return attempt
