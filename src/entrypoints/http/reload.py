"""
SIGHUP: reloads what may change while the server runs; the rest takes effect at the next start.

The rule: the signal never ends the server, and an invalid file changes nothing. The log then has one line with the
reason, and the former content stays in use. Tokens are read with each request anyway, and by their own rule: an invalid
token file admits no one.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

from attrs import define, field

from ...domain.tarkeep_error import TarkeepError
from ..logs import Log
from ..settings.server import ServerSettings
from ..wiring.tarkeep import Tarkeep
from .edge.tls import certificate_fingerprint, load_certificate, tls_context

log = Log("tarkeep")

LOOK_SECONDS = 0.5  # how often to check whether a loop that no longer runs has ended

Loaded = TypeVar("Loaded")


@define(eq=False)
class Reloading:
    """Reloads the files behind *secured*, the TLS context, and *tarkeep*. *loop* is set once it runs."""

    tarkeep: Tarkeep
    settings: ServerSettings
    secured: ssl.SSLContext | None
    loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    # a signal handler may call its put, wherever it interrupts
    _wanted: SimpleQueue[None] = field(factory=SimpleQueue, init=False)
    _is_over: bool = field(default=False, init=False)

    @contextmanager
    def on_hangup(self) -> Iterator[None]:
        """In the context each SIGHUP reloads everything; several at the same time reload once."""
        thread = threading.Thread(target=self._wait, name="reload")
        signal.signal(signal.SIGHUP, lambda _number, _frame: self._wanted.put(None))
        thread.start()
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            self._is_over = True
            self._wanted.put(None)
            thread.join()

    def _wait(self) -> None:
        while True:
            self._wanted.get()
            with suppress(Empty):
                while True:
                    self._wanted.get_nowait()
            if self._is_over:
                return
            self()

    def __call__(self) -> None:
        """Reload everything, and log the outcome."""
        told: dict[str, object] = {}
        told["rules"] = self._tried("rules", self.tarkeep.reload_rules)
        told["channels"] = self._tried("channels", self.tarkeep.reload_notices)
        told["tokens"] = self._tried("tokens", lambda: len(self.tarkeep.token_store.keyring().tokens))
        if self.secured is not None:
            told["fingerprint"] = self._tried("certificate", self._load_certificate)
        good = {name: value for name, value in told.items() if value is not None}
        if good:
            log.info("reloaded", **good)

    def _tried(self, what: str, read: Callable[[], Loaded]) -> Loaded | None:
        try:
            return read()
        except Exception as error:  # whatever a file contains, this thread goes on
            reason, is_bug = error, not isinstance(error, TarkeepError | OSError)
        so = "nobody is let in" if what == "tokens" else "what was there before stays in use"
        log.error("not reloaded", what=what, reason=reason, so=so, error=reason if is_bug else None)
        return None

    def _load_certificate(self) -> str | None:
        certificate, key = self.settings.tls_certificate, self.settings.tls_key
        # tried in a context of its own: after a failure to load a key, a context has neither the new nor the old one
        tls_context(certificate, key)
        fingerprint = certificate_fingerprint(certificate)
        if self.secured is not None:
            self._in_loop(partial(load_certificate, self.secured, certificate, key))
        return fingerprint

    def _in_loop(self, work: Callable[[], None]) -> None:
        """Run *work* in the loop, where connections begin: OpenSSL forbids changing a context another thread uses."""
        done: threading.Event = threading.Event()
        failed: list[Exception] = []

        def run() -> None:
            try:
                work()
            except Exception as error:  # the files have changed once more
                failed.append(error)
            finally:
                done.set()

        if self.loop is None:
            run()
        else:
            with suppress(RuntimeError):  # the loop has ended
                self.loop.call_soon_threadsafe(run)
                while not done.wait(LOOK_SECONDS) and not self._is_over:
                    pass
        for error in failed:
            raise error
