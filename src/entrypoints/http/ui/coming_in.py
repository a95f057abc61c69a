"""
Coming in and going out.

The token is sent once, and a session stands for it, see `domain.access.sessions`. What a page asks to be changed comes
with a form token, which only pages of the same session know; it is masked anew each time, since pages are compressed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..answers.problems import Problem
from ..context import Context
from ..edge.access import PAGES
from ..edge.cookies import session_cookie, session_secret
from ..edge.guard import refuse_foreign_origin
from .rendering import render

HOME = PAGES
LOGIN = "/ui/login"
FORM_TOKEN = "form_token"
_MAX_FORM = 1 << 16
_MASK_BYTES = 16


async def show_login(request: Request) -> Response:
    """The form for a token."""
    values = {"wanted": _wanted(request.query_params.get("to", "")), "complaint": ""}
    return render("login.html", values)


async def log_in(request: Request) -> Response:
    """Begin a session for the token in the form, and go to the page that was wanted."""
    refuse_foreign_origin(request)
    context, form = Context.of(request), await read_form(request)
    wanted, address = _wanted(form.get("to", "")), request.client.host if request.client else ""
    begun = await context.run(lambda: context.tarkeep.begin_session(form.get("token", "").strip(), address))
    if begun.decision.principal is None:
        context.failures.count(address)
        complaint = begun.decision.verdict.value
        return render("login.html", {"wanted": wanted, "complaint": complaint}, 403)
    answer = RedirectResponse(wanted, 303)
    if begun.secret is not None:
        answer.headers["Set-Cookie"] = session_cookie(begun.secret, request.scope["scheme"])
    return answer


async def log_out(request: Request) -> Response:
    """End the session, and go to the form for a token."""
    refuse_foreign_origin(request)
    check_form_token(request, await read_form(request))
    context, scheme = Context.of(request), request.scope["scheme"]
    secret = session_secret(request.headers, scheme)
    if secret is not None:
        await context.run(lambda: context.tarkeep.end_session(secret))
    answer = RedirectResponse(LOGIN, 303)
    answer.headers["Set-Cookie"] = session_cookie("", scheme)
    return answer


def login_for(path: str, query: str) -> Response:
    """Go to the form for a token, and from there to the page with *path* and *query*."""
    return RedirectResponse(f"{LOGIN}?to={quote(path + ('?' + query if query else ''), safe='')}", 303)


async def read_form(request: Request) -> dict[str, str]:
    """
    The fields of a form, the last of those with one name.

    Raises:
        Problem: the body is no form, a large one, or not valid UTF-8.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Problem(400, "invalid-parameter", "a form was expected, as a browser sends it")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_FORM:
            raise Problem(413, "too-large", "the form is larger than any of these pages")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise Problem(400, "invalid-encoding", "the form is not valid UTF-8") from None


def check_form_token(request: Request, form: Mapping[str, str]) -> None:
    """
    Refuse *form*, unless a page of the same session sent it.

    Raises:
        Problem: a page of an earlier session sent it, or none.
    """
    if not _is_right(form.get(FORM_TOKEN, ""), session_secret(request.headers, request.scope["scheme"])):
        raise Problem(403, "foreign-request", "the page was from an earlier session; try again")


def form_token(request: Request) -> str:
    """A token for the forms of a page, another each time; empty without a session, which may change nothing."""
    secret = session_secret(request.headers, request.scope["scheme"])
    if secret is None:
        return ""
    mask = secrets.token_bytes(_MASK_BYTES)
    return (mask + _xor(mask, _key(secret))).hex()


def _is_right(token: str, secret: str | None) -> bool:
    try:
        masked = bytes.fromhex(token)
    except ValueError:
        return False
    if secret is None or len(masked) != 2 * _MASK_BYTES:
        return False
    return hmac.compare_digest(_xor(masked[:_MASK_BYTES], masked[_MASK_BYTES:]), _key(secret))


def _key(secret: str) -> bytes:
    return hashlib.sha256(b"form token\n" + secret.encode()).digest()[:_MASK_BYTES]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(one, other, strict=True))


def _wanted(text: str) -> str:
    """The page to go to: one of these pages, whatever *text* says."""
    try:
        parts = urlsplit(text)
    except ValueError:  # its host cannot be one
        return HOME
    is_own = not parts.scheme and not parts.netloc and parts.path.startswith(HOME) and "\\" not in text
    return text if is_own and not parts.path.startswith(LOGIN) else HOME
