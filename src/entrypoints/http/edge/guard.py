"""
Who may call which route: one table, and the guard that asks it before every request.

The rule: a request is judged by its head alone, before a byte of its body is read and before anything is looked up for
it. A route that has no row in the table is closed to everybody, and a test fails.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from attrs import define, field, frozen
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope as AsgiScope

from ....domain.access.tokens import Admission, Decision, Network, Principal, Scope, is_within
from ....domain.errors.access import NotAuthenticated, ScopeMissing
from ....domain.errors.archives import ProfileNotFound
from ....domain.uploads import Upload
from ....domain.usecases.receiving.outcome import Received
from ...wiring.tarkeep import Tarkeep
from ..answers.problems import Problem

PRINCIPAL = "tarkeep.principal"
WROTE = "tarkeep.wrote"

FAILURES = 30  # wrong tokens an address may show at once; one more every FAILURE_SECONDS
FAILURE_SECONDS = 2.0
MAX_ADDRESSES = 10_000

_LOCAL_NAME = "localhost"


class Where(Enum):
    """Where a request names the profile it is about."""

    PATH = "in its path: judged here"
    UPLOAD = "nowhere, but an upload, which belongs to who began it: judged here"
    HANDLER = "in its query, form or metadata, or nowhere: the handler shows and takes only what the principal sees"
    NONE = "nowhere: it is about no profile"


@frozen
class AccessRow:
    """Any of *scopes* is needed; with none any principal will do. *is_open* needs nobody to be known at all."""

    scopes: tuple[Scope, ...] = ()
    profile: Where = Where.NONE
    is_open: bool = False


_PROFILE = "/api/v1/profiles/{profile}"
_ARCHIVE = _PROFILE + "/archives/{type}/{name}"
_WHOLE_ARCHIVE = _PROFILE + "/archives/{type}/{name:path}"
_UPLOADS = "/api/v1/uploads"
_UPLOAD = _UPLOADS + "/{upload}"


def _rows(scopes: Sequence[Scope], profile: Where, *routes: tuple[str, str]) -> dict[tuple[str, str], AccessRow]:
    return dict.fromkeys(routes, AccessRow(tuple(scopes), profile))


ACCESS: dict[tuple[str, str], AccessRow] = {
    ("GET", "/healthz"): AccessRow(is_open=True),
    **_rows((), Where.NONE, ("GET", "/"), ("GET", "/readyz"), ("GET", "/openapi.json"), ("GET", "/api/v1")),
    **_rows((), Where.NONE, ("OPTIONS", _UPLOADS), ("OPTIONS", _UPLOAD)),
    **_rows((Scope.PUSH,), Where.HANDLER, ("POST", "/upload"), ("POST", _UPLOADS)),
    **_rows((Scope.PUSH,), Where.PATH, ("PUT", _WHOLE_ARCHIVE), ("PUT", _ARCHIVE + "/snapshot")),
    # HEAD has a row of its own on these, and POST is answered 405 unless it names another (`method.effective_method`)
    **_rows(
        (Scope.PUSH,),
        Where.UPLOAD,
        *((method, _UPLOAD) for method in ("HEAD", "GET", "PATCH", "PUT", "DELETE", "POST")),
    ),
    # whether an archive is there, and with which digest: who sends it is told so anyway, by a duplicate or a conflict
    **_rows((Scope.PULL, Scope.LIST, Scope.VERIFY, Scope.PUSH), Where.PATH, ("HEAD", _WHOLE_ARCHIVE)),
    **_rows((Scope.PULL,), Where.HANDLER, ("GET", "/download/{type}/{name:path}")),
    **_rows(
        (Scope.PULL,),
        Where.PATH,
        ("GET", _WHOLE_ARCHIVE),
        ("GET", _ARCHIVE + "/snapshot"),
        ("POST", _ARCHIVE + "/suspect"),
        ("GET", _ARCHIVE + "/members/{path:path}"),
        ("GET", _PROFILE + "/restore.tar"),
        ("GET", _PROFILE + "/restore.tar.gz"),
    ),
    **_rows(
        (Scope.LIST,),
        Where.HANDLER,
        ("GET", "/list"),
        ("GET", "/list/{type}"),
        ("GET", "/stats"),
        ("GET", "/api/v1/archives"),
        ("GET", "/api/v1/profiles"),
    ),
    **_rows(
        (Scope.LIST,),
        Where.PATH,
        ("GET", _PROFILE),
        ("GET", _PROFILE + "/points"),
        ("GET", _PROFILE + "/points/{type}/{name}"),
        ("GET", _PROFILE + "/chains"),
        ("GET", _PROFILE + "/plan"),
        ("GET", _PROFILE + "/gaps"),
        ("GET", _PROFILE + "/tree"),
        ("GET", _PROFILE + "/find"),
        ("GET", _PROFILE + "/history"),
        ("GET", _ARCHIVE + "/members"),
    ),
    # who makes archives must know what to continue from
    **_rows((Scope.PUSH, Scope.LIST), Where.PATH, ("GET", _PROFILE + "/base")),
    **_rows((Scope.VERIFY,), Where.HANDLER, ("POST", "/verify"), ("POST", "/api/v1/verify")),
}
"""Method and path of every route; HEAD is GET where it has no row of its own."""


def principal_of(request: Request) -> Principal:
    """Who makes *request*, as the guard let him in."""
    principal: Principal = request.scope[PRINCIPAL]
    return principal


@frozen
class Written:
    """What a request wrote, for the audit log: *result* is a word such as ``new``, *upload* by which it was stored."""

    what: str
    sha256: str | None
    result: str
    upload: Upload | None = None


def note_written(request: Request, what: object, sha256: str | None, result: str) -> None:
    """
    Have it entered into the audit log, before the answer is sent, that *request* wrote *what*.

    Work with a body notes it itself, so that the thread that wrote it enters it, too (`Context.enter_written`).
    """
    request.scope[WROTE] = Written(str(what), sha256, result)


def note_received(request: Request, received: Received) -> None:
    """The same of an archive that was received."""
    note_written(request, received.archive.id, received.archive.digests.sha256, received.outcome.value)


def note_stored(request: Request, upload: Upload) -> None:
    """The same of the archive that *upload* was stored as, which is entered once, whoever tells of it how often."""
    if upload.archive is not None:
        result = f"stored by upload {upload.id}"
        request.scope[WROTE] = Written(str(upload.archive), upload.sha256, result, upload)


@define
class Failures:
    """How many more wrong tokens each address may show: a bucket that fills up again. For the event loop alone."""

    _left: OrderedDict[str, tuple[float, float]] = field(factory=OrderedDict, init=False)

    def take(self, address: str) -> float:
        """Count one; 0 if it was within the limit, else the seconds until there is room again."""
        now = time.monotonic()
        left, since = self._left.pop(address, (float(FAILURES), now))
        left = min(FAILURES, left + (now - since) / FAILURE_SECONDS)
        is_within_limit = left >= 1
        self._left[address] = (left - 1 if is_within_limit else left, now)
        while len(self._left) > MAX_ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if is_within_limit else (1 - left) * FAILURE_SECONDS


@define
class Guard:
    """Judges requests. *names* are hosts that an open server may be called by, besides its loopback addresses."""

    tarkeep: Tarkeep
    routes: Sequence[BaseRoute]
    names: frozenset[str] = frozenset()
    proxies: tuple[Network, ...] = ()
    _failures: Failures = field(factory=Failures, init=False)

    def judge(self, scope: AsgiScope) -> None:
        """
        Let the request in, with its principal in *scope*, or not.

        Raises:
            NotAuthenticated, ScopeMissing, ProfileNotFound, UploadNotFound: he is not.
            BackendUnavailable: the tokens cannot be read.
            Problem: too many wrong tokens came from there, or the request was made by a web page of another site.
        """
        headers = Headers(scope=scope)
        self._see_through_proxies(scope, headers)
        row, parameters = self._row(scope)
        if row is not None and row.is_open:
            return
        presented, is_basic = _presented(headers)
        address = scope["client"][0] if scope.get("client") else ""
        decision = self.tarkeep.authenticate(presented, address)
        principal = decision.principal
        if principal is None:
            raise self._refusal(decision, address)
        if principal.token is None:
            self._refuse_foreign_host(headers)
        if principal.token is None or is_basic:  # what a browser sends along by itself
            self._refuse_foreign_page(headers)
        scope[PRINCIPAL] = principal
        if row is not None:
            self._judge_row(row, principal, parameters)

    def _judge_row(self, row: AccessRow, principal: Principal, parameters: dict[str, str]) -> None:
        if row.scopes and not any(principal.may(scope) for scope in row.scopes):
            raise ScopeMissing(tuple(scope.value for scope in row.scopes))
        if row.profile is Where.PATH and not principal.sees(parameters["profile"]):
            raise ProfileNotFound(parameters["profile"])
        if row.profile is Where.UPLOAD:
            self.tarkeep.uploads.check_owner(parameters["upload"], principal.token)

    def _row(self, scope: AsgiScope) -> tuple[AccessRow | None, dict[str, str]]:
        """The row of the route that will answer; None where none will."""
        for route in self.routes:
            match, found = route.matches(scope)
            if match is Match.FULL and isinstance(route, Route):
                if scope["method"] not in (route.methods or ()):  # answered 405 there
                    break
                return row_of(scope["method"], route.path), found["path_params"]
        return None, {}

    def _refusal(self, decision: Decision, address: str) -> Exception:
        # a right token comes in all the same: behind one address there may be many, and none of them is to blame
        wait = self._failures.take(address) if decision.verdict is not Admission.MISSING else 0.0
        if wait:
            headers = {"Retry-After": str(int(wait) + 1)}
            detail = "too many wrong tokens came from this address; wait a little"
            return Problem(429, "too-many-requests", detail, headers=headers)
        return NotAuthenticated(decision.verdict.value)

    def _see_through_proxies(self, scope: AsgiScope, headers: Headers) -> None:
        """Take the address and scheme of the client from the headers of a proxy that is trusted, and of no other."""
        if not self.proxies or not scope.get("client") or not is_within(scope["client"][0], self.proxies):
            return
        for hop in reversed([part.strip() for part in ",".join(headers.getlist("x-forwarded-for")).split(",")]):
            try:
                address = str(ip_address(hop.removeprefix("[").removesuffix("]")))
            except ValueError:
                break
            scope["client"] = (address, 0)
            if not is_within(address, self.proxies):
                break
        if headers.get("x-forwarded-proto", "") in ("http", "https"):
            scope["scheme"] = headers["x-forwarded-proto"]

    def _refuse_foreign_host(self, headers: Headers) -> None:
        # a web page whose name was made to point here (DNS rebinding) still sends its own name; HTTP/1.0, which may
        # have no Host, is spoken by no browser
        host = headers.get("host")
        if host is not None and not self._is_own(host):
            detail = (
                f"this server has no tokens and answers to loopback names alone, not to {host[:100]!a}; call it "
                "localhost, or add the name to allowed_hosts, or make a token"
            )
            raise Problem(403, "foreign-request", detail)

    def _refuse_foreign_page(self, headers: Headers) -> None:
        origin = headers.get("origin")
        is_foreign = origin is not None and not self._is_own_origin(origin, headers.get("host"))
        if is_foreign or headers.get("sec-fetch-site", "").strip().lower() == "cross-site":
            raise Problem(403, "foreign-request", "a web page of another site made this request")

    def _is_own_origin(self, origin: str, host: str | None) -> bool:
        netloc = _netloc(origin)
        return netloc is not None and (netloc == (host or "").lower() or self._is_own(netloc))

    def _is_own(self, netloc: str) -> bool:
        return _is_named_or_loopback(netloc, self.names)


@lru_cache(64)
def _is_named_or_loopback(netloc: str, names: frozenset[str]) -> bool:
    try:
        name = urlsplit(f"//{netloc}").hostname or ""
        _ = urlsplit(f"//{netloc}").port
    except ValueError:
        return False
    name = name.rstrip(".")
    if name == _LOCAL_NAME or name in names:
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def row_of(method: str, path: str) -> AccessRow:
    """The row of a route; closed to everybody where it has none, which a test does not let happen."""
    row = ACCESS.get((method, path))
    if row is None and method == "HEAD":
        row = ACCESS.get(("GET", path))
    if row is None:
        raise LookupError(f"{method} {path} has no row in the table of who may call what")
    return row


def _netloc(origin: str) -> str | None:
    try:
        parts = urlsplit(origin.strip().lower())
    except ValueError:
        return None
    return parts.netloc if parts.scheme in ("http", "https") and parts.netloc else None


def _presented(headers: Headers) -> tuple[str | None, bool]:
    """The token in *headers*, and whether it came as a password."""
    scheme, _, value = headers.get("authorization", "").strip().partition(" ")
    value = value.strip()
    match scheme.lower():
        case "":
            return None, False
        case "bearer":
            return value, False
        case "basic":
            try:
                return base64.b64decode(value, validate=True).decode("ascii").partition(":")[2], True
            except (binascii.Error, ValueError):
                return "", True
        case _:
            return "", False
