"""Runs the application under uvicorn, with this package's protocol, until it is stopped."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from ...domain.errors.settings import InvalidSetting
from ...domain.ports.access import TokenStore
from ...domain.tarkeep_error import TarkeepError
from ..logs import Log
from ..settings.server import ServerSettings
from ..settings.shown.effective import EffectiveSetting
from ..wiring.tarkeep import Tarkeep
from .app import create_app
from .edge import host_socket
from .edge.listening import why_not_listen
from .edge.protocol import StrictHttpProtocol
from .edge.tls import certificate_fingerprint, tls_context
from .housekeeping import housekeeping, look_at_clock
from .job_thread import JobThread
from .reaping import reaping
from .reload import Reloading

log = Log("tarkeep")

GARBAGE_OBJECTS = 20_000  # with the default of 700, long lists take a quarter longer


def serve(
    tarkeep: Tarkeep, settings: ServerSettings, data: Path | None = None, effective: tuple[EffectiveSetting, ...] = ()
) -> None:
    """
    Recover what a crash interrupted, then serve requests until SIGINT or SIGTERM. SIGHUP reloads what may change.

    Commands on this host are served, too, by a socket in the directory *data*, if there is one. *effective* are all
    settings of the server, to be shown.

    Raises:
        InvalidSetting: listening on the address fails or is not allowed; or the certificate is not usable.
    """
    family, address = _resolved(settings)
    _check_address(tarkeep, settings, address[0])
    secured = tls_context(settings.tls_certificate, settings.tls_key)
    report = tarkeep.recover()
    if report.confirmed or report.dropped or report.swept:
        log.warning("recovered", confirmed=report.confirmed, dropped=report.dropped, swept=report.swept)
    settled = tarkeep.settle_trash()
    if settled.trashed or settled.restored or settled.entered:
        log.warning(
            "recovered the trash", moved=settled.trashed, brought_back=settled.restored, entered=settled.entered
        )
    for reason in settled.off_record:
        log.error("not in the audit log", what=reason)
    if settled.unproven:
        log.error("not in the evidence", what=settled.unproven)
    _adopt(tarkeep)
    if adopted := tarkeep.adopt_snapshots():
        log.warning("recovered", snapshots=adopted)
    look_at_clock(tarkeep, "")
    _settle_runs(tarkeep)
    tarkeep.ballast.keep()
    # threads that walk tar headers hold the GIL: the event loop must not wait 5 ms each time it needs it
    sys.setswitchinterval(0.0005)
    # present objects stay: garbage collection need not visit them, and pages of rows should not trigger one
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 10, 10)
    listener = _listen(family, address)
    app = create_app(tarkeep, settings, effective)
    reloading = Reloading(tarkeep, settings, secured)
    server = _Server(
        _config(app, settings, secured),
        listener,
        tarkeep.token_store,
        settings.tls_certificate,
        reloading,
        app.context.jobs,
    )
    # before uvicorn takes over the signals, and after: it stops gracefully and then raises the signal again
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    with ExitStack() as running:
        for part in (listener, closing(app), housekeeping(tarkeep), reaping(tarkeep), reloading.on_hangup()):
            running.enter_context(part)
        server.host_socket = running.enter_context(_host_socket(data))
        server.run(sockets=[listener])
    log.info("stopped")


def _settle_runs(tarkeep: Tarkeep) -> None:
    """Log which jobs a crash cut off; they run again."""
    try:
        for run in tarkeep.settle_runs():
            log.warning("recovered", job=run.job, cut_off=run.number)
    except TarkeepError as error:  # it does not keep anybody from sending archives
        log.warning("what a crash left of jobs could not be noted", reason=error)


def _adopt(tarkeep: Tarkeep) -> None:
    """Add archives that the catalog lacks, or all if it was lost, and log it."""
    report = tarkeep.adopt_archives()
    if report.remade:
        log.warning("catalog's sums are not those of its entries; it is made anew")
    if report.adopted:
        log.warning("catalog lacked archives of the store, which are entered now", archives=report.adopted)
    for id in report.unclear:
        log.warning("not in the catalog, and has no good side-car: run tarkeep rebuild", archive=id)
    if report.adopted or report.remade:
        _recall(tarkeep)


def _recall(tarkeep: Tarkeep) -> None:
    """Note again what the evidence says was read right and drilled, and log it."""
    try:
        recalled = tarkeep.recall_proofs()
    except TarkeepError as error:  # then all counts as never read, and is read sooner
        log.warning("nothing was taken from the evidence", reason=error)
        return
    if recalled.broken is not None:
        log.warning("nothing was taken from the evidence: a line does not follow the one before it", at=recalled.broken)
    elif recalled.archives or recalled.drills:
        log.warning("taken from the evidence", archives_read=recalled.archives, drills=recalled.drills)


def _check_address(tarkeep: Tarkeep, settings: ServerSettings, host: str) -> None:
    reason = why_not_listen(
        is_loopback=ip_address(host.partition("%")[0]).is_loopback,
        is_open=tarkeep.token_store.keyring().is_open,
        has_tls=settings.tls_certificate is not None,
        behind_proxy=settings.behind_proxy,
    )
    if reason is not None:
        raise InvalidSetting("host", f"not serving on {host}: {reason}")


def _config(app: ASGIApp, settings: ServerSettings, secured: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=type("Protocol", (StrictHttpProtocol,), {"header_seconds": settings.header_seconds}),
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.stop_seconds,
        ssl_context_factory=None if secured is None else lambda _config, _default: secured,
    )


class _Server(uvicorn.Server):
    """Logs its address once it listens."""

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        token_store: TokenStore,
        certificate: Path | None,
        reloading: Reloading,
        jobs: JobThread,
    ) -> None:
        super().__init__(config)
        self._listener = listener
        self._token_store = token_store
        self._certificate = certificate
        self._reloading = reloading
        self._jobs = jobs
        self.host_socket: socket.socket | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A job stops at once, not only when the requests under way have ended."""
        self._jobs.stop_soon()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._reloading.loop = loop = asyncio.get_running_loop()
        if self.host_socket is not None:
            self.servers.append(await loop.create_unix_server(self._protocol, sock=self.host_socket))
        host, port = self._listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        access = "open to this machine" if self._token_store.keyring().is_open else "with a token"
        if self._certificate is None:
            log.info("serving", url=f"http://{shown}:{port}", access=access)
        else:
            fingerprint = certificate_fingerprint(self._certificate)
            log.info("serving", url=f"https://{shown}:{port}", access=access, fingerprint=fingerprint)
        self._jobs.start()

    def _protocol(self) -> asyncio.Protocol:
        """As uvicorn makes them for its own sockets."""
        kind: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = kind(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


@contextmanager
def _host_socket(data: Path | None) -> Iterator[socket.socket | None]:
    """The socket for commands on this host; None without a data directory, or where it cannot have sockets."""
    with ExitStack() as opened:
        listener = None
        if data is not None:
            try:
                listener = opened.enter_context(host_socket.listening(data))
            except OSError as error:
                log.warning("commands on this host cannot reach the server", data=str(data), reason=error.strerror)
        yield listener


_Address = tuple[str, int] | tuple[str, int, int, int]


def _resolved(settings: ServerSettings) -> tuple[socket.AddressFamily, _Address]:
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise InvalidSetting("host", f"cannot listen on {settings.host}: {error.strerror}") from error
    return family, address  # type: ignore[return-value]  # the third kind exists only on systems without IPv6


def _listen(family: socket.AddressFamily, address: _Address) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise InvalidSetting("port", f"cannot listen on {address[0]} port {address[1]}: {error.strerror}") from error
    return listener
