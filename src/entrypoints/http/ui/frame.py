"""What every page shows around its own content."""

from __future__ import annotations

from starlette.requests import Request

from ..edge.guard import principal_of
from .coming_in import form_token
from .done import attempt_of, said_done
from .entries import ENTRIES


def frame(request: Request) -> dict[str, object]:
    """
    The values for the frame of a page: where it leads, by which token its reader came in, the token for forms, and what
    came of one.

    *may* are the scopes of the reader; without a *token* nothing may be changed, and `forms` has no token for forms.
    """
    principal = principal_of(request)
    may = sorted(scope.value for scope in principal.scopes)
    return {
        "entries": [entry for entry in ENTRIES if entry.is_open_to(principal)],
        "here": request.url.path,
        "token": principal.token,
        "may": may,
        "scopes": ", ".join(may),
        "form_token": form_token(request),
        "attempt": attempt_of(request),
        "done": said_done(request),
    }
