"""Running the application under uvicorn, with our protocol, until it is told to stop."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import ip_address

import uvicorn

from ...domain.errors import InvalidSetting
from ..logs import Log
from ..settings import ServerSettings
from ..wiring import Tarkeep
from .app import create_app
from .protocol import StrictHttpProtocol

log = Log("tarkeep")

EXPIRE_SECONDS = 600.0


def serve(tarkeep: Tarkeep, settings: ServerSettings) -> None:
    """
    Recover what a crash interrupted, then answer requests until SIGINT or SIGTERM.

    Raises:
        InvalidSetting: the address cannot be listened on.
    """
    report = tarkeep.recover()
    if report.confirmed or report.dropped or report.swept:
        log.warning("recovered", confirmed=report.confirmed, dropped=report.dropped, swept=report.swept)
    # threads that walk tar headers hold the GIL: the event loop must not wait 5 ms for each of its turns
    sys.setswitchinterval(0.0005)
    listener = _listen(settings.host, settings.port)
    protocol = type("Protocol", (StrictHttpProtocol,), {"header_seconds": settings.header_seconds})
    app = create_app(tarkeep, settings)
    config = uvicorn.Config(
        app,
        http=protocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.stop_seconds,
    )
    server = _Server(config, listener)
    # before uvicorn takes the signals over, and after: it stops gracefully and then raises the signal once more
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    with listener, closing(app), _expiring(tarkeep):
        server.run(sockets=[listener])
    log.info("stopped")


@contextmanager
def _expiring(tarkeep: Tarkeep) -> Iterator[None]:
    """Drop uploads that nobody goes on with, now and then."""
    ended = threading.Event()

    def expire() -> None:
        while not ended.wait(EXPIRE_SECONDS):
            tarkeep.uploads.expire()

    thread = threading.Thread(target=expire, name="expire")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener = listener

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self._listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        if not ip_address(host).is_loopback:
            log.warning("open to whoever reaches this address: there is no authentication yet", host=host)
        log.info("serving", url=f"http://{shown}:{port}")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InvalidSetting("host", f"cannot listen on {host}: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise InvalidSetting("port", f"cannot listen on {host} port {port}: {error.strerror}") from error
    return listener
