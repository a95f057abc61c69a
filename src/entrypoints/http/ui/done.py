"""What was done by a form, in a sentence for the page that follows: from a list, so no link says anything else."""

from __future__ import annotations

from enum import Enum

from starlette.requests import Request

DONE = "done"
"""The query key that names one of `Done`."""


class Done(Enum):
    """What was done. Its name, in lower case, is in the address of the page that follows; its value is shown there."""

    HELD = "The archive is held: it is not pruned until the hold is released or ends."
    RELEASED = "The hold is released."
    LOCKED = "The archive is locked: nobody can remove it before that time."
    REVOKED = "The token is revoked: it is refused from now on, and its sessions have ended."
    SCRUB_ASKED = "All archives of this profile are being read again."

    def at(self, page: str) -> str:
        """The address of *page*, a path with or without a query, as it says this."""
        return f"{page}{'&' if '?' in page else '?'}{DONE}={self.name.lower()}"


def said_done(request: Request) -> str:
    """The sentence that the address of *request* names; empty if it names none."""
    asked = request.query_params.get(DONE, "")
    return next((one.value for one in Done if one.name.lower() == asked), "")
