"""
The guard, which judges every request by the access that the answering route declares (see `access`).

The rule: a request is judged by its head only, before a byte of its body is read and before anything is looked up for
it.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from attrs import define, field, frozen
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.routing import Match
from starlette.types import Scope as AsgiScope

from ....domain.access.tokens import OPERATOR, Admission, Decision, Network, Principal, is_within
from ....domain.errors.access import NotAuthenticated, ScopeMissing
from ....domain.errors.archives import ProfileNotFound
from ....domain.identity.archive_id import ArchiveId
from ....domain.uploads import Upload
from ....domain.usecases.receiving.outcome import Received
from ...wiring.tarkeep import Tarkeep
from ..answers.problems import Problem
from .access import PAGES, Access, GuardedRoute, Where
from .cookies import session_secret
from .host_socket import comes_from_host

PRINCIPAL = "tarkeep.principal"
WROTE = "tarkeep.wrote"

FAILURES = 30  # wrong tokens accepted from an address in a burst; one more every FAILURE_SECONDS
FAILURE_SECONDS = 2.0
MAX_ADDRESSES = 10_000

_LOCAL_NAME = "localhost"


def principal_of(request: Request) -> Principal:
    """The principal of *request*, as determined by the guard."""
    principal: Principal = request.scope[PRINCIPAL]
    return principal


@frozen
class Written:
    """What a request wrote, for the audit log: *result* is a word such as ``new``, *upload* the upload it came by."""

    what: str
    sha256: str | None
    result: str
    upload: Upload | None = None


def note_written(request: Request, what: object, sha256: str | None, result: str) -> None:
    """
    Note that *request* wrote *what*, to be added to the audit log before the answer is sent.

    Work with a body notes this itself, so that the thread that wrote also adds it (`Context.enter_written`).
    """
    request.scope[WROTE] = Written(str(what), sha256, result)


def note_received(request: Request, received: Received) -> None:
    """Note that an archive was received, and what came back from the trash for it."""
    result = received.outcome.value + _and_back(received.brought_back)
    note_written(request, received.archive.id, received.archive.digests.sha256, result)


def note_stored(request: Request, upload: Upload) -> None:
    """Note the archive that *upload* was stored as; it is added once, however many answers report it."""
    if upload.archive is not None:
        result = f"stored by upload {upload.id}" + _and_back(upload.brought_back)
        request.scope[WROTE] = Written(str(upload.archive), upload.sha256, result, upload)


def _and_back(brought_back: Sequence[ArchiveId]) -> str:
    return f"; brought back from the trash: {', '.join(map(str, brought_back))}" if brought_back else ""


@define
class Failures:
    """How many more wrong tokens each address may send: a bucket that refills. For the event loop only."""

    _left: OrderedDict[str, tuple[float, float]] = field(factory=OrderedDict, init=False)

    def take(self, address: str) -> float:
        """Count one; 0 if it was within the limit, else the seconds until the next one is allowed."""
        now = time.monotonic()
        left, since = self._left.pop(address, (float(FAILURES), now))
        left = min(FAILURES, left + (now - since) / FAILURE_SECONDS)
        is_within_limit = left >= 1
        self._left[address] = (left - 1 if is_within_limit else left, now)
        while len(self._left) > MAX_ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if is_within_limit else (1 - left) * FAILURE_SECONDS

    def count(self, address: str) -> None:
        """
        Count one.

        Raises:
            Problem: there were too many.
        """
        wait = self.take(address)
        if wait:
            headers = {"Retry-After": str(int(wait) + 1)}
            detail = "too many wrong tokens came from this address; wait a little"
            raise Problem(429, "too-many-requests", detail, headers=headers)


@define
class Guard:
    """Judges requests. *names* are the hosts that an open server may be called by, besides its loopback addresses."""

    tarkeep: Tarkeep
    routes: Sequence[GuardedRoute]
    names: frozenset[str] = frozenset()
    proxies: tuple[Network, ...] = ()
    failures: Failures = field(factory=Failures)

    def judge(self, scope: AsgiScope) -> None:
        """
        Admit the request, with its principal in *scope*, or raise.

        Raises:
            NotAuthenticated, ScopeMissing, ProfileNotFound, UploadNotFound: the principal is not admitted.
            BackendUnavailable: the tokens cannot be read.
            Problem: too many wrong tokens came from its address, or a web page of another site made the request.
        """
        headers = Headers(scope=scope)
        self._see_through_proxies(scope, headers)
        access, parameters = self._access(scope)
        if access is not None and access.is_open:
            return
        if comes_from_host(scope):
            scope[PRINCIPAL] = OPERATOR
            return
        presented, is_basic = _presented(headers)
        address = scope["client"][0] if scope.get("client") else ""
        # an address without a page is judged like one with a page, so that nobody outside is told which there are
        is_page = access.is_page if access is not None else scope["path"].startswith(PAGES)
        if is_page:
            decision = self.tarkeep.recognise(session_secret(headers, scope["scheme"]), address)
        else:
            decision = self.tarkeep.authenticate(presented, address)
        principal = decision.principal
        if principal is None:
            raise self._refusal(decision, address)
        if principal.token is None:
            self._refuse_foreign_host(headers)
        if principal.token is None or is_basic or is_page:  # a browser may have sent it by itself
            self._refuse_foreign_page(headers)
        scope[PRINCIPAL] = principal
        if access is not None:
            self._judge(access, principal, parameters)

    def _judge(self, access: Access, principal: Principal, parameters: dict[str, str]) -> None:
        judge_principal(access, principal, parameters)
        if access.profile is Where.UPLOAD:
            self.tarkeep.uploads.check_owner(parameters["upload"], principal.token)

    def _access(self, scope: AsgiScope) -> tuple[Access | None, dict[str, str]]:
        """The access declared by the route that will answer, and its path parameters; None if there is no route."""
        for route in self.routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                # the route answers 405 to a method it does not have
                return route.accesses.get(scope["method"]), found["path_params"]
        return None, {}

    def _refusal(self, decision: Decision, address: str) -> Exception:
        # a right token is admitted all the same: many clients may share an address, and none of them is to blame
        if decision.verdict is not Admission.MISSING:
            self.failures.count(address)
        return NotAuthenticated(decision.verdict.value, has_token=decision.verdict is not Admission.MISSING)

    def _see_through_proxies(self, scope: AsgiScope, headers: Headers) -> None:
        """Take the client's address and scheme from the headers of a trusted proxy, and only from those."""
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
        # a web page whose name was pointed here (DNS rebinding) still sends its own name; HTTP/1.0, which may lack
        # Host, is spoken by no browser
        host = headers.get("host")
        if host is not None and not self._is_own(host):
            detail = (
                f"this server has no tokens and answers to loopback names alone, not to {host[:100]!a}; call it "
                "localhost, or add the name to allowed_hosts, or make a token"
            )
            raise Problem(403, "foreign-request", detail)

    def _refuse_foreign_page(self, headers: Headers) -> None:
        site, origin = headers.get("sec-fetch-site", "").strip().lower(), headers.get("origin")
        if site == "same-origin":  # then the origin of a form is "null", since pages send no referrer
            return
        is_foreign = origin is not None and not self._is_own_origin(origin, headers.get("host"))
        if is_foreign or site == "cross-site":
            raise Problem(403, "foreign-request", "a web page of another site made this request")

    def _is_own_origin(self, origin: str, host: str | None) -> bool:
        netloc = _netloc(origin)
        return netloc is not None and (netloc == (host or "").lower() or self._is_own(netloc))

    def _is_own(self, netloc: str) -> bool:
        return _is_named_or_loopback(netloc, self.names)


def judge_principal(access: Access, principal: Principal, parameters: Mapping[str, str]) -> None:
    """
    Refuse *principal*, unless it has a scope of *access* and sees the profile in *parameters*, those of the path.

    Raises:
        ScopeMissing, ProfileNotFound: it does not.
    """
    for_all = access.profile is Where.EVERY
    if access.scopes and not any(principal.may(scope) for scope in access.scopes):
        raise ScopeMissing(tuple(scope.value for scope in access.scopes), for_all)
    if for_all and not principal.sees_everything:
        raise ScopeMissing(tuple(scope.value for scope in access.scopes), for_all)
    if access.profile is Where.PATH and not principal.sees(parameters["profile"]):
        raise ProfileNotFound(parameters["profile"])


def refuse_foreign_origin(request: Request) -> None:
    """
    Refuse what changes something unless a page of this very server sent it; without a word about that, too.

    Raises:
        Problem: another site sent it, or nobody says which.
    """
    site, origin = request.headers.get("sec-fetch-site", "").strip().lower(), request.headers.get("origin", "")
    is_own = site == "same-origin" if site else _netloc(origin) == request.headers.get("host", "").lower() != ""
    if not is_own:
        raise Problem(403, "foreign-request", "a page of this server must send this, and none did")


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


def _netloc(origin: str) -> str | None:
    try:
        parts = urlsplit(origin.strip().lower())
    except ValueError:
        return None
    return parts.netloc if parts.scheme in ("http", "https") and parts.netloc else None


def _presented(headers: Headers) -> tuple[str | None, bool]:
    """The token in *headers*, and whether it was sent as a password."""
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
