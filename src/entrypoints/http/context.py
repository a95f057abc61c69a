"""Shared by all routes: the use cases, the threads they run in, and the limits; and helpers that make answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from datetime import datetime
from functools import partial
from typing import TypeVar

import msgspec
from attrs import define, field
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from ...domain.access.audit import AuditEntry
from ...domain.access.tokens import Principal
from ...domain.errors.content import TooLarge
from ...domain.identity.archive_id import ArchiveId
from ...domain.identity.naming import check_profile
from ...domain.ports.scratch import ScratchFile
from ...domain.tarkeep_error import TarkeepError
from ...domain.text.counted import counted
from ...domain.usecases.restoring.open_point import OpenedPoint
from ..logs import Log
from ..settings.server import ServerSettings
from ..settings.shown.effective import EffectiveSetting
from ..wiring.tarkeep import Tarkeep
from .answers.download import StreamedResponse, gathered
from .answers.problems import Problem
from .answers.sync_report import content_of
from .answers.ways_out import RETRY_AFTER_SECONDS
from .edge.body import Incoming, MinimumRate, Patience, with_body
from .edge.guard import PRINCIPAL, WROTE, Failures, Written, principal_of
from .heap import Heap
from .job_thread import JobThread
from .once import ToldOnce
from .suspects import Suspects

log = Log("tarkeep.http")

Result = TypeVar("Result")

FIRST_BYTES = 1 << 16  # this much of a body, or all of it, must have arrived before its turn
INVENTORIES_AT_ONCE = 8  # received apart from uploads, so that they never hold those up
COMPARED_AT_ONCE = 2  # each may take some 50 MiB, and a processor
MERGED_AT_ONCE = 2  # trees: each may take some 500 MiB while it is merged, and a processor
RESTORED_AT_ONCE = 64  # trees being sent: each may hold 2.5 MiB, however slow its client is
FORM_OVERHEAD_BYTES = 1 << 20  # the most that boundaries, part headers and fields may add to an archive in a form


def answer_json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """*body* as JSON, with a newline at the end: people read it in a terminal."""
    return Response(msgspec.json.encode(body) + b"\n", status, headers, "application/json")


@define
class Context:
    """The state of the application, one per server."""

    tarkeep: Tarkeep
    settings: ServerSettings
    executor: Executor  # short work: catalog, opening and reading files
    receivers: Executor  # receives, each of which lasts as long as its client sends
    waiters: Executor  # short work that may have to wait for a receive
    effective: tuple[EffectiveSetting, ...] = ()
    failures: Failures = field(factory=Failures)
    told: ToldOnce = field(init=False)
    heap: Heap = field(init=False)
    _turns: asyncio.Semaphore = field(init=False)
    _inventories: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(INVENTORIES_AT_ONCE), init=False)
    _comparing: threading.Semaphore = field(factory=lambda: threading.Semaphore(COMPARED_AT_ONCE), init=False)
    _merging: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(MERGED_AT_ONCE), init=False)
    _restoring: threading.Semaphore = field(factory=lambda: threading.Semaphore(RESTORED_AT_ONCE), init=False)

    @heap.default
    def _own_heap(self) -> Heap:
        return Heap(self.executor.submit)

    @told.default
    def _of_the_log(self) -> ToldOnce:
        return ToldOnce(self.tarkeep.audit, self.tarkeep.clock.now())

    @_turns.default
    def _as_many_as_allowed(self) -> asyncio.Semaphore:
        return asyncio.Semaphore(self.settings.max_uploads)

    jobs: JobThread = field(init=False)

    @jobs.default
    def _own_thread(self) -> JobThread:
        return JobThread(self.tarkeep)

    suspects: Suspects = field(init=False)

    @suspects.default
    def _read_again(self) -> Suspects:
        return Suspects(self.tarkeep.examiner.examine)

    def close(self) -> None:
        """Wait for the work in threads, and end the threads."""
        self.jobs.close()
        self.suspects.close()
        self.heap.close()
        self.receivers.shutdown(cancel_futures=True)
        self.waiters.shutdown(cancel_futures=True)
        self.executor.shutdown(cancel_futures=True)

    @staticmethod
    def of(request: Request) -> Context:
        context: Context = request.app.state.context
        return context

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run *work* in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    async def run_waiting(self, work: Callable[[], Result]) -> Result:
        """Run *work*, which may block for a while, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.waiters, work)

    async def answer(self, work: Callable[[], object], headers: Mapping[str, str] | None = None) -> Response:
        """Run *work* in a thread, and encode its result there."""
        return await self.run(lambda: answer_json(work(), headers=headers))

    def stream_json(self, request: Request, pieces: Iterator[bytes]) -> Response:
        """*pieces* of a JSON text, made in a thread while they are sent; a late error cuts the connection."""
        return self.stream(request, pieces, "application/json")

    def stream(self, request: Request, pieces: Iterator[bytes], media_type: str) -> Response:
        """*pieces* of a body of *media_type*, made in a thread while they are sent; as `stream_json`."""
        wanted = iter(()) if request.method == "HEAD" else gathered(pieces)
        return StreamedResponse(nullcontext(wanted), self.executor, media_type)

    async def open_point(
        self, profile: str, at: Callable[[], datetime | ArchiveId | None], allow_gaps: bool = False
    ) -> OpenedPoint:
        """
        The tree of *profile* at the time that *at* finds, even with gaps if *allow_gaps*; if it must be merged, only a
        limited number at once.

        Raises:
            Problem: the limit of concurrent merges is reached, and none ended in time.
        """
        open_point, recall_point = self.tarkeep.open_point, self.tarkeep.recall_point
        kept = await self.run(lambda: recall_point(profile, at(), allow_gaps=allow_gaps))
        if kept is not None:
            return kept
        try:
            async with asyncio.timeout(self.settings.upload_wait_seconds):
                await self._merging.acquire()
        except TimeoutError:
            raise _overloaded(f"{MERGED_AT_ONCE} trees are being merged") from None
        try:  # perhaps the request before has merged the same tree, which is then cached
            return await self.run(lambda: open_point(profile, at(), allow_gaps=allow_gaps))
        finally:
            self._merging.release()

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """
        A slot for one of the trees that are sent at the same time.

        Raises:
            Problem: on entering, all slots are taken.
        """
        if not self._restoring.acquire(blocking=False):
            raise _overloaded(f"{RESTORED_AT_ONCE} trees are being given back")
        try:
            yield
        finally:
            self._restoring.release()

    async def receive_upload(
        self, request: Request, work: Callable[[Iterator[bytes]], Result], limit_bytes: int | None = None
    ) -> Result:
        """
        Run *work* on the blocks of an upload of at most *limit_bytes*, None for the general limit.

        Raises:
            TooLarge: the announced length alone is over the limit; no byte was read.
            InsufficientStorage: there is no room for it; no byte was read.
            Problem: the limit of concurrent bodies is reached, and none ended in time.
        """
        limit = self.tarkeep.admission.max_bytes if limit_bytes is None else limit_bytes
        announced = announced_bytes(request)
        if limit is not None and announced > limit + FORM_OVERHEAD_BYTES:
            raise TooLarge(limit)
        if announced <= FIRST_BYTES and not _waits_for_word(request):  # it arrives anyway: use no waiting thread
            return await self._with_body(request, partial(self._within_room, work, announced))
        await self.run(lambda: self.tarkeep.admission.room(announced))
        return await self._with_body(request, work)

    def _within_room(
        self, work: Callable[[Iterator[bytes]], Result], announced: int, blocks: Iterator[bytes]
    ) -> Result:
        self.tarkeep.admission.room(announced)
        return work(blocks)

    async def receive_piece(
        self, request: Request, work: Callable[[Iterator[bytes], Callable[[], None]], Result]
    ) -> Result:
        """
        Run *work* on the blocks of a piece of an upload, and on the function that hurries its sender.

        Raises:
            Problem: as `receive_upload`.
        """
        patience = self._patience()
        # every byte of a piece is kept, so the first one is enough for a client that asks for the offset
        return await self._with_body(request, lambda blocks: work(blocks, patience.hurry), patience, first_bytes=1)

    async def compare(self, request: Request, work: Callable[[Iterator[bytes]], ScratchFile]) -> Response:
        """
        Run *work* on the blocks of an inventory, which may be long, and answer with the JSON it returns.

        The inventory is first received completely, so that no slow client holds one of the few slots for comparing.

        Raises:
            Problem: the inventory is too large, or the limit of concurrent inventories or comparisons is reached.
        """

        def compared(blocks: Iterator[bytes]) -> ScratchFile:
            with self.tarkeep.scratch.file() as inventory:
                for block in blocks:
                    inventory.append(block)
                if not self._comparing.acquire(timeout=self.settings.upload_wait_seconds):
                    raise _overloaded(f"{COMPARED_AT_ONCE} inventories are being compared")
                try:
                    return work(content_of(inventory))
                finally:
                    self._comparing.release()

        limit = self.settings.max_inventory_bytes
        answer = await self.take(request, "inventory", limit, "max_inventory_bytes", compared, self._inventories)
        headers = {"Content-Length": str(answer.size_bytes)}
        return StreamedResponse(_read_out(answer), self.executor, "application/json", headers=headers)

    async def take(
        self,
        request: Request,
        what: str,
        limit: int,
        setting: str | None,
        work: Callable[[Iterator[bytes]], Result],
        turns: asyncio.Semaphore | None = None,
    ) -> Result:
        """
        Run *work* on the blocks of a body of at most *limit* bytes; *what* names it in messages.

        Raises:
            Problem: it is larger, or the limit of concurrent bodies is reached and none ended.
        """
        told = "" if setting is None else f" (setting {setting})"
        extras: dict[str, object] = {"limit": limit} if setting is None else {"limit": limit, "setting": setting}
        too_large = Problem(413, "too-large", f"the {what} is larger than {limit} bytes{told}", extras=extras)
        if announced_bytes(request) > limit:
            raise too_large

        def within(blocks: Iterator[bytes]) -> Iterator[bytes]:
            left = limit
            for block in blocks:
                left -= len(block)
                if left < 0:
                    raise too_large
                yield block

        return await self._with_body(request, lambda blocks: work(within(blocks)), turns=turns)

    def enter_written(self, scope: Scope) -> None:
        """Add to the audit log what the request of *scope* wrote, if anything was noted since the last call."""
        written: Written | None = scope.pop(WROTE, None)
        if written is None:
            return
        self._enter(scope, written)

    def enter(self, request: Request, what: object, sha256: str | None, result: str) -> None:
        """Add one of several things that *request* does to the audit log; called in the thread that does them."""
        self._enter(request.scope, Written(str(what), sha256, result))

    def _enter(self, scope: Scope, written: Written) -> None:
        principal: Principal = scope[PRINCIPAL]
        address = scope["client"][0] if scope.get("client") else ""
        now = self.tarkeep.clock.now()
        entry = AuditEntry(now, principal.token, address, written.what, written.sha256, written.result)
        try:
            if written.upload is None:
                self.tarkeep.audit.append(entry)
            else:
                self.told.once(written.upload, entry)
        except TarkeepError as error:
            # it is written and stays; an error would only make the client send it again
            reason = error
        else:
            return
        log.error("not in the audit log", id=scope.get("tarkeep.request_id"), what=written.what, reason=reason)

    async def _with_body(
        self,
        request: Request,
        work: Callable[[Iterator[bytes]], Result],
        patience: Patience | None = None,
        first_bytes: int = FIRST_BYTES,
        turns: asyncio.Semaphore | None = None,
    ) -> Result:
        turns = turns or self._turns
        incoming = Incoming(request.receive, patience or self._patience())
        if not _waits_for_word(request):
            # a client that sends nothing, or next to nothing, must not hold one of the few slots
            await incoming.wait_for(first_bytes)
            if incoming.is_lost and incoming.error is not None:
                raise incoming.error
        # Nothing more is read while waiting, so a client with a later slot just sends later. The nightly jobs of all
        # machines start at the same minute, and most of them would give up after a 503.
        try:
            async with asyncio.timeout(self.settings.upload_wait_seconds):
                await turns.acquire()
        except TimeoutError:
            uploads = self.settings.max_uploads
            what = f"{counted(uploads, 'upload')} {'is' if uploads == 1 else 'are'} running"
            if turns is self._inventories:
                what = f"{INVENTORIES_AT_ONCE} inventories are being received"
            raise _overloaded(what) from None
        principal = principal_of(request)

        def while_let_in(blocks: Iterator[bytes]) -> Iterator[bytes]:
            yield from blocks
            # a body may take hours: its token may have been revoked meanwhile
            self.tarkeep.reauthenticate(principal)

        def work_and_enter(blocks: Iterator[bytes]) -> Result:
            result = work(while_let_in(blocks))
            self.enter_written(request.scope)  # in the thread that wrote it, which spares waking another one
            return result

        try:
            return await with_body(incoming, work_and_enter, executor=self.receivers)
        finally:
            turns.release()

    def _patience(self) -> Patience:
        settings = self.settings
        return Patience(settings.body_seconds, MinimumRate(settings.min_body_rate, settings.body_rate_seconds))

    @staticmethod
    def profile(value: str | None) -> str | None:
        """The profile of an inventory, if one is given."""
        return None if value is None or value == "" else check_profile(value)


def announced_bytes(request: Request) -> int:
    """The length that *request* announces for its body; 0 if it announces none."""
    announced = request.headers.get("content-length", "")
    return int(announced) if announced.isdigit() else 0


def _waits_for_word(request: Request) -> bool:
    """Whether the client waits for "100 Continue" before it sends the body."""
    return request.headers.get("expect", "").lower() == "100-continue"


@contextmanager
def _read_out(file: ScratchFile) -> Iterator[Iterator[bytes]]:
    with file:
        yield content_of(file)


def _overloaded(what: str) -> Problem:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    detail = f"{what}, which is all this server does at once; try again"
    return Problem(503, "overloaded", detail, headers=headers)
