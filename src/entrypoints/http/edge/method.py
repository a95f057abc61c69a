"""
The method of a request: its own, or the one in a header, for clients that can only send POST.

The rule: it is determined once, here, before anything is judged or looked up. A handler that determined it again might
admit a request that was judged as another.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import Scope

from ..answers.problems import Problem
from ..requests.tus_headers import COLLECTION

_HEADER = "x-http-method-override"
_WORD = re.compile(r"[A-Za-z]{1,20}", re.ASCII)


def effective_method(scope: Scope) -> str:
    """
    The method that *scope* is judged and answered by, in upper case.

    ``X-HTTP-Method-Override`` only counts on a POST to a resumable upload, for which tus defines it: a method that
    needs no right must not turn into one that does. No other client needs it, and a HEAD in disguise would have to be
    answered like the POST that carries it.
    """
    sent = str(scope["method"])
    named = _named(scope) if sent == "POST" and is_of_uploads(scope["path"]) else []
    return named[0] if len(named) == 1 and _WORD.fullmatch(named[0]) else sent


def refuse_two_methods(scope: Scope) -> None:
    """
    Refuse a request for an upload, judged by its effective method, that names yet another one.

    Raises:
        Problem: ``invalid-parameter``.
    """
    if is_of_uploads(scope["path"]) and any(named != scope["method"] for named in _named(scope)):
        detail = "X-HTTP-Method-Override counts once, on POST, and names one method; this request asks for two things"
        raise Problem(400, "invalid-parameter", detail)


def is_of_uploads(path: str) -> bool:
    """Whether *path* is that of the resumable uploads, or of one of them."""
    return path == COLLECTION or path.startswith(COLLECTION + "/")


def _named(scope: Scope) -> list[str]:
    return [value.strip().upper() for value in Headers(scope=scope).getlist(_HEADER)]
