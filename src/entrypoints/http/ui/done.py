"""
What came of a form, for the page that follows: that it was done, or what was tried and why it failed.

What was done is named in the address of the page, from a list, so that no link says anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from attrs import frozen
from starlette.requests import Request

from ....domain.text.paths import printable

DONE = "done"
"""The query key that names one of `Done`."""


class Done(Enum):
    """What was done. Its name, in lower case, is in the address of the page that follows; its value is shown there."""

    HELD = "The archive is held: it is not pruned until the hold is released or ends."
    RELEASED = "The hold is released."
    BRAKE_RELEASED = "These archives are trusted now, and pruning goes on."
    BRAKE_STAYS = "These archives are trusted now. Others are still suspicious, so nothing is pruned."
    PRUNED = "The plan was carried out. What it removed is in the trash, and can be brought back from there."
    LOCKED = "The archive is locked: nobody can remove it before that time."
    UNDELETED = "The archive is back, with everything in the trash that it builds on."
    TRIED = "The channel took the trial."
    REVOKED = "The token is revoked: it is refused from now on, and its sessions have ended."
    RUN_ASKED = "The job was asked to run: it begins as soon as no other job runs."
    SCRUB_ASKED = "All archives of this profile are being read again."

    def at(self, page: str) -> str:
        """The address of *page*, a path with or without a query, as it says this."""
        return f"{page}{'&' if '?' in page else '?'}{DONE}={self.name.lower()}"


def said_done(request: Request) -> str:
    """The sentence that the address of *request* names; empty if it names none."""
    asked = request.query_params.get(DONE, "")
    return next((one.value for one in Done if one.name.lower() == asked), "")


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
