"""
The connection to a Tarkeep server, by urllib3, which reuses connections and is safe for several threads.

Nothing is retried here. A failure of the connection becomes `ServerUnreachable`; a refusal by the server becomes one of
the other errors, in the server's own words.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import urllib3
from attrs import define, field, frozen

from ...domain.client.address import ServerAddress
from ...domain.errors.client import (
    CertificateNotTrusted,
    NotRestorable,
    ParentMoved,
    ServerUnreachable,
    Unauthorized,
    UploadMoved,
)
from ...domain.errors.settings import InvalidSetting
from ...domain.errors.uploads import UploadGone, UploadNotFound
from ...domain.identity.invalid import InvalidDigest, InvalidName
from ...domain.tarkeep_error import TarkeepError
from ...domain.text.lack_counts import Counts
from .abandoning import Deadline, Within
from .answers import cause_of, point_text, reason_of, removed_archive
from .proxy_page import said_by_proxy
from .refusal import PASSING, HttpRefusal
from .spoken_scheme import says_https, wrong_scheme
from .told import NotUnderstood, Told, label

CONNECT_SECONDS = 20.0
SILENCE_SECONDS = 300.0

PROXY = "proxy"  # the code of a refusal by a proxy in between
WAIT_DIGITS = 10  # a longer Retry-After is not honoured
BLOCK_BYTES = 1 << 20
MOST_REFUSAL_BYTES = 1 << 20
"""So much is read of an answer that says no where content was asked for."""


def trusted(certificates: str | None, fingerprint: str | None) -> dict[str, Any]:
    """
    The urllib3 arguments that trust a server by *certificates* in PEM, or by its *fingerprint*.

    With a fingerprint, neither name nor signature is checked: only this very certificate is accepted.

    Raises:
        InvalidSetting: *certificates* holds no certificate.
    """
    if fingerprint is not None:
        return {"assert_fingerprint": fingerprint, "cert_reqs": "CERT_NONE"}
    if certificates is None:
        return {}
    try:
        return {"ssl_context": ssl.create_default_context(cadata=certificates)}
    except (ssl.SSLError, ValueError):
        raise InvalidSetting("cacert", "the file holds no certificates in PEM") from None


@define(eq=False)
class HttpConnection:
    """
    A connection to the server at *url*; *connections* is how many threads will use it at once, *trust* is from
    `trusted`.

    A login in the address (``https://NAME:PASSWORD@HOST``) is for the proxy before the server, and is sent with
    requests that carry no token. Addresses that are shown never include it. Login and token go only to the server at
    *url*.

    Raises:
        InvalidSetting: *url* cannot be an address.
    """

    url: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    connections: int = 4
    trust: Mapping[str, Any] = field(factory=dict, repr=False)
    _server: ServerAddress = field(init=False)
    _has_answered: bool = field(default=False, init=False)
    _authorization: dict[str, str] = field(init=False, repr=False)
    _pool: urllib3.PoolManager = field(init=False)

    @_server.default
    def _parsed(self) -> ServerAddress:
        return ServerAddress.parse(self.url)

    @_authorization.default
    def _authorized(self) -> dict[str, str]:
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self._server.login is not None:
            return {"Authorization": f"Basic {base64.b64encode(self._server.login).decode()}"}
        return {}

    @_pool.default
    def _connected(self) -> urllib3.PoolManager:
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=SILENCE_SECONDS)
        return urllib3.PoolManager(
            maxsize=self.connections, timeout=timeout, retries=False, blocksize=BLOCK_BYTES, **self.trust
        )

    def watching(self) -> AbstractContextManager[Within]:
        """What gives requests a deadline, for one thread, until the end of the context."""
        return Deadline(self._pool).watching()

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def asked(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | Iterable[bytes] = b""
    ) -> Told:
        """The JSON object that answers the request."""
        return self.told(self.request(method, target, headers or {}, body))

    def told(self, answer: urllib3.BaseHTTPResponse) -> Told:
        with self.understood(answer):
            return Told.read(answer.data, answer.url or "")

    @contextmanager
    def understood(self, answer: Told | urllib3.BaseHTTPResponse) -> Iterator[None]:
        """Raises Refused if *answer*, parsed inside the context, is not an answer of a Tarkeep server."""
        try:
            yield
        except NotUnderstood as error:
            raise self._odd(answer, str(error)) from error
        except (KeyError, ValueError, ArithmeticError, InvalidName, InvalidDigest) as error:
            raise self._odd(answer, "holds an impossible value") from error

    def _odd(self, answer: Told | urllib3.BaseHTTPResponse, why: str) -> HttpRefusal:
        place = urlsplit(answer.url or "").path
        detail = f"the answer to {place} is not what it should be: it {why}; is {self.shown_url} a Tarkeep server?"
        return HttpRefusal("", detail, status=200)

    def _not_understood(self, status: int) -> HttpRefusal:
        detail = f"unexpected answer {status}; is {self.shown_url} a Tarkeep server?"
        return HttpRefusal("", detail, status in PASSING, status=status)

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] = b"",
        *,
        preload: bool = True,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> urllib3.BaseHTTPResponse:
        """
        A successful answer, read completely if *preload*; the server may be silent for so long. *target* is a path, or
        a whole address.
        """
        url = target if target.startswith(("http://", "https://")) else self.shown_url + target
        authorization = self._authorization if url.startswith(self.shown_url + "/") else {}
        try:
            answer = self._pool.request(
                method,
                url,
                headers={**headers, **authorization},
                body=body or None,
                preload_content=preload,
                redirect=False,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=silence_seconds),
            )
            refusal = b""
            if answer.status >= 300:
                refusal = answer.data if preload else answer.read(MOST_REFUSAL_BYTES)
        except urllib3.exceptions.HTTPError as error:
            raise self._no_answer(error) from error
        self._has_answered = True
        if answer.status >= 300:
            raise self._refusal(answer, refusal, target)
        return answer

    @property
    def shown_url(self) -> str:
        """The address without a login."""
        return self._server.url

    def _no_answer(self, error: urllib3.exceptions.HTTPError) -> TarkeepError:
        cause = cause_of(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateNotTrusted(self.shown_url, reason_of(error))
        if "Fingerprints did not match" in str(error):  # urllib3 has no error class for it
            return CertificateNotTrusted(self.shown_url, "its fingerprint is another than the one given")
        if not self._has_answered:
            wrong = wrong_scheme(self._server, cause)
            if wrong is not None:
                return InvalidSetting("server", wrong)
        is_unreachable = isinstance(
            error, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
        )
        return ServerUnreachable(
            self.shown_url, reason_of(error), is_unreachable=is_unreachable and not self._has_answered
        )

    def _refusal(self, answer: urllib3.BaseHTTPResponse, content: bytes, target: str) -> TarkeepError:
        try:
            told = Told.read(content)
            code, detail = told.text("code"), told.text("detail")
        except NotUnderstood:
            told = Told({})
            code, detail = "", str(self._not_understood(answer.status))
            wrong = says_https(self._server) if (self._server.scheme, answer.status) == ("http", 400) else None
            if wrong is not None:
                return InvalidSetting("server", wrong)
            of_proxy = said_by_proxy(answer.status, answer.headers.get("Server"), self.shown_url)
            if of_proxy is not None:
                code, detail = ("" if answer.status == 401 else PROXY), of_proxy
            if answer.status < 400 and "Location" in answer.headers:
                detail = f"{self.shown_url} points to {answer.headers['Location']}; use the address that it points to"
        with self.understood(answer):
            return self._named(answer, target, code, detail, told)

    def _named(self, answer: urllib3.BaseHTTPResponse, target: str, code: str, detail: str, told: Told) -> TarkeepError:
        after = answer.headers.get("Retry-After", "")
        is_upload = "/api/v1/uploads/" in target
        match answer.status, code:
            case (401 | 403, "" | "unauthorized" | "insufficient-scope"):
                return Unauthorized(self.shown_url, detail)
            case (404, "not-found") if is_upload:
                return UploadNotFound(target.rpartition("/")[2])
            case (410, "gone"):
                return UploadGone(target.rpartition("/")[2], detail)
            case (410, "removed") if told.has("archive"):
                return removed_archive(told)
            case (409, "offset-mismatch"):
                return UploadMoved(target.rpartition("/")[2], told.count("upload_offset"))
            case (409, "parent-mismatch"):
                return ParentMoved(detail, label(told.object("expected")) if told.has("expected") else None)
            case (409, "not-restorable"):
                at = told.text("at") if told.has("at") else "then"
                return NotRestorable(
                    at=label(told.object("point")) if told.has("point") else at,
                    obstacles=told.sentences("obstacles") if told.has("obstacles") else (),
                    nearest=tuple(map(point_text, told.objects("nearest"))) if told.has("nearest") else (),
                    lacks=Counts(told.count("gaps"), told.count("uncertain") if told.has("uncertain") else 0)
                    if told.has("gaps")
                    else None,
                )
        is_number = after.isascii() and after.isdigit() and len(after) < WAIT_DIGITS
        pause = float(after) if is_number else None
        is_transient = pause is not None or answer.status in PASSING
        return HttpRefusal(code, detail, is_transient, pause, status=answer.status)

    def stream(self, target: str) -> HttpDownload:
        """The content of *target*, from its beginning, in blocks."""
        return HttpDownload(self, 0, self.request("GET", target, {}, preload=False))


@frozen(eq=False)
class HttpDownload:
    _at: HttpConnection
    start_bytes: int
    _answer: urllib3.BaseHTTPResponse

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._answer.stream(BLOCK_BYTES)
        except urllib3.exceptions.HTTPError as error:
            raise ServerUnreachable(self._at.shown_url, reason_of(error)) from error

    def __enter__(self) -> HttpDownload:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answer.close()
