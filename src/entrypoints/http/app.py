"""
The Starlette application: routes, errors, and the layer around every request.

Each request passes through one plain ASGI layer. It gives the request an id, checks the target's encoding, writes the
log line, and when a request is answered before its body was read, closes the connection in a way that lets the client
read the answer.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from http import HTTPStatus

from attrs import frozen
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...domain.errors.archives import ArchiveCorrupt, NameConflict
from ...domain.tarkeep_error import TarkeepError
from ..logs import Log
from ..settings.server import ServerSettings
from ..settings.shown.effective import EffectiveSetting
from ..wiring.tarkeep import Tarkeep
from ..wiring.threads import step_back
from .answers.problems import Problem, internal_error, problem_of, problem_response
from .answers.ways_out import RETRY_AFTER_SECONDS, in_full
from .context import Context
from .edge import security_headers
from .edge.access import GuardedRoute
from .edge.guard import PRINCIPAL, WROTE, Guard, note_written
from .edge.method import effective_method, is_of_uploads, refuse_two_methods
from .requests import tus_headers
from .requests.parameters import check_target
from .routes import archives as v1
from .routes import chains, drills, gaps, jobs, original, points, retention, status, uploads
from .routes import trees as inside
from .routes.upkeep import evidence, metrics
from .ui.refusals import is_page, no_page, refused_page, way_to_pages
from .ui.routes import pages

log = Log("tarkeep.http")

READ_THREADS = 16
MUCH_BYTES = 256 << 10
DRAIN_SECONDS = 2.0
DRAIN_BYTES = 64 << 20


def routes() -> list[GuardedRoute]:
    """Every route; the first match counts, since an archive's name may be followed by more."""
    return [
        *original.routes(),
        *points.routes(),
        *chains.routes(),
        *gaps.routes(),
        *retention.routes(),
        *jobs.routes(),
        *drills.routes(),
        *status.routes(),
        *metrics.routes(),
        *evidence.routes(),
        *inside.routes(),
        *v1.routes(),
        *uploads.routes(),
    ]


def create_app(
    tarkeep: Tarkeep, settings: ServerSettings | None = None, effective: tuple[EffectiveSetting, ...] = ()
) -> AroundRequest:
    """
    The application over *tarkeep*. The caller closes it first, and then the adapters of *tarkeep*.

    *effective* are all settings of the server, to be shown; empty if they are not known.
    """
    settings = settings or ServerSettings()
    declared = [*routes(), *pages()]
    app = Starlette(
        routes=declared,
        exception_handlers={
            TarkeepError: _on_domain_error,
            Problem: _on_problem,
            HTTPException: _on_http_exception,
            Exception: _on_bug,
        },
    )
    app.router.redirect_slashes = False
    context = app.state.context = Context(
        tarkeep,
        settings,
        executor=ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read"),
        # Beside four uploads that hash and inflate on two cores, the 99th percentile of small requests was 117 ms, and
        # 48 ms when the receivers step back.
        receivers=ThreadPoolExecutor(settings.max_uploads + 4, thread_name_prefix="receive", initializer=step_back),
        waiters=ThreadPoolExecutor(READ_THREADS, thread_name_prefix="wait"),
        effective=effective,
    )
    names = frozenset(name.lower() for name in settings.allowed_hosts)
    guard = Guard(tarkeep, declared, names, settings.proxy_networks, context.failures)
    return AroundRequest(app, context, guard)


def _request_id(request: Request) -> str:
    return str(request.scope.get("tarkeep.request_id", ""))


async def _on_domain_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, TarkeepError):
        raise error
    problem = problem_of(error)
    if isinstance(error, NameConflict):
        note_written(request, error.id, None, "refused: other bytes are stored")
    # a damaged archive is not a new failure, and was logged when it was found
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, ArchiveCorrupt):
        log.error("failed", request_id=_request_id(request), reason=in_full(error), cause=repr(error.__cause__))
    return _refusal(request.scope, problem)


async def _on_problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return _refusal(request.scope, error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.NOT_FOUND and is_page(request.url.path):
        problem = no_page()
    elif error.status_code == HTTPStatus.NOT_FOUND:
        problem = Problem(404, "not-found", f"no route {request.url.path[:200]!a}; GET / lists them")
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = allowed = ", ".join(_methods_offered(request))
        detail = f"{request.method} is not offered here, only {allowed}"
        problem = Problem(405, "method-not-allowed", detail, headers=headers)
    else:
        problem = Problem(error.status_code, "bad-request", str(error.detail), headers=headers)
    return _refusal(request.scope, problem)


def _refusal(scope: Scope, problem: Problem) -> Response:
    if is_page(scope["path"]):
        return refused_page(scope, problem)
    response = problem_response(problem, str(scope.get("tarkeep.request_id", "")))
    if is_of_uploads(scope["path"]):  # tus requires it on every answer
        response.headers["Tus-Resumable"] = tus_headers.VERSION
    return response


def _methods_offered(request: Request) -> list[str]:
    """Every method that routes of the path of *request* offer; Starlette knows only those of the first route."""
    matching = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    same = [route for route in matching if route.path == matching[0].path]
    return sorted({method for route in same for method in route.methods or ()})


async def _on_bug(request: Request, error: Exception) -> Response:
    log.error("bug", request_id=_request_id(request), error=error)
    return _refusal(request.scope, internal_error())


@frozen
class AroundRequest:
    """The whole application: the layer around every request, and the application inside."""

    app: ASGIApp
    context: Context
    guard: Guard

    def close(self) -> None:
        """Wait for the work in threads, and end the threads."""
        self.context.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # a copy: the connection frames the answer by the method that was sent, not by the effective one; and what is
        # refused before the application is asked leads to its pages, too
        scope = {**scope, "method": effective_method(scope), "app": self.app}
        exchange = _Exchange(scope, receive, send, self.context)
        try:
            try:
                check_target(scope.get("raw_path", b""), scope.get("query_string", b""))
                way = way_to_pages(scope)
                if way is not None:
                    await way(scope, exchange.receive, exchange.send)
                    return
                self.guard.judge(scope)
                refuse_two_methods(scope)
            except TarkeepError as error:
                await exchange.refuse(problem_of(error))
            except Problem as problem:
                await exchange.refuse(problem)
            else:
                await self.app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            # only uvicorn cancels a request, when it outlives the time to stop; then the loop does, which ends
            with suppress(asyncio.CancelledError):
                headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
                await exchange.refuse(Problem(503, "shutting-down", "the server is being stopped", headers=headers))
        except Exception:
            # Starlette re-raises errors that it has answered with a 500, and uvicorn would then cut the connection
            # without telling the client; the error is in the log already
            if not exchange.is_answered:
                raise
        finally:
            exchange.ended()


class _Exchange:
    """One request and its answer, observed."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, context: Context) -> None:
        self.request_id = request_id = context.tarkeep.ids.new()
        self._context = context
        self.is_answered = False
        self._scope = scope
        self._receive = receive
        self._send = send
        self._started = time.monotonic()
        self._status = 0  # until an answer has begun
        self._sent_bytes = 0
        self._received_bytes = 0
        names = dict(scope["headers"])
        self._body_unread = names.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in names
        self._closing = False
        self._served = ExitStack()
        self._unanswered = ExitStack()
        scope["tarkeep.request_id"] = request_id
        if not self._body_unread:
            self._waits_for_answer()

    async def refuse(self, problem: Problem) -> None:
        """Answer with *problem*, unless an answer has begun."""
        if not self._status:
            await _refusal(self._scope, problem)(self._scope, self.receive, self.send)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            was_little = self._received_bytes <= MUCH_BYTES
            self._received_bytes += len(message.get("body", b""))
            if was_little and self._received_bytes > MUCH_BYTES:
                self._counts_as_served()
            if self._body_unread and not message.get("more_body", False):
                self._body_unread = False
                self._waits_for_answer()
        else:
            self._body_unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if WROTE in self._scope:  # noted by work without a thread of its own
                await self._context.run(partial(self._context.enter_written, self._scope))
            self._status = message["status"]
            headers = [*message["headers"], (b"x-request-id", self.request_id.encode())]
            headers += security_headers.missing_in(headers)
            if self._body_unread:
                self._closing = True
                headers.append((b"connection", b"close"))
            await self._send({**message, "headers": headers})
            self._unanswered.close()
            return
        was_little = self._sent_bytes <= MUCH_BYTES
        self._sent_bytes += len(message.get("body", b""))
        if was_little and self._sent_bytes > MUCH_BYTES:  # its reader may stay for hours
            self._context.heap.eased()
            self._counts_as_served()
        if self._closing and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)
        self.is_answered = not message.get("more_body", False)

    async def _drain(self) -> None:
        """
        Read on for a while before the connection closes.

        Closing a socket with unread bytes resets it, and a client that is still sending would lose the answer. A client
        that waits for "100 Continue" has sent nothing and is not asked to.
        """
        if dict(self._scope["headers"]).get(b"expect", b"").lower() == b"100-continue" and not self._received_bytes:
            return
        limit = self._received_bytes + DRAIN_BYTES
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while self._body_unread and self._received_bytes < limit:
                    await self.receive()
        except TimeoutError:
            pass

    def _counts_as_served(self) -> None:
        """Until it ends: whoever sends or gets much must not be slowed down by what the server does by itself."""
        self._served.enter_context(self._context.tarkeep.traffic.serving())

    def _waits_for_answer(self) -> None:
        """From the end of its body until its answer begins: what the server does by itself stands still meanwhile."""
        if not self._status:
            self._unanswered.enter_context(self._context.tarkeep.traffic.answering())

    def ended(self) -> None:
        """Write the log line, and release the memory of a large body."""
        self._served.close()
        self._unanswered.close()
        if max(self._received_bytes, self._sent_bytes) > MUCH_BYTES:
            self._context.heap.eased()
        client, principal = self._scope.get("client"), self._scope.get(PRINCIPAL)
        log.info(
            "request",
            id=self.request_id,
            client=client[0] if client else None,
            token=principal.token if principal is not None else None,
            method=self._scope["method"],
            path=self._scope["path"],
            status=self._status,
            received=self._received_bytes,
            sent=self._sent_bytes,
            ms=round((time.monotonic() - self._started) * 1000, 1),
        )
