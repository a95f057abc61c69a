"""What every page shows around its own content."""

from __future__ import annotations

from starlette.requests import Request

from ..edge.guard import principal_of
from .coming_in import form_token


def frame(request: Request) -> dict[str, object]:
    """The values for the frame of a page: by which token its reader came in, and the token for forms."""
    principal = principal_of(request)
    scopes = ", ".join(sorted(scope.value for scope in principal.scopes))
    return {"token": principal.token, "scopes": scopes, "form_token": form_token(request)}
