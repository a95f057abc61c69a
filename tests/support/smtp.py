"""A real SMTP server on 127.0.0.1."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from attrs import define, field


@define
class Mailbox:
    """What came, and whom it is not taken for."""

    mails: list[bytes] = field(factory=list)
    to: list[tuple[str, ...]] = field(factory=list)
    refused: set[str] = field(factory=set)
    logins: list[tuple[str, str]] = field(factory=list)

    async def handle_RCPT(
        self, _server: object, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 there is nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: Session, envelope: Envelope) -> str:
        if self.refused:
            return "554 not from you"
        content = envelope.content or b""
        self.mails.append(content.encode() if isinstance(content, str) else content)
        self.to.append(tuple(envelope.rcpt_tos))
        return "250 OK"


@contextmanager
def smtp_server(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, password: str | None = None
) -> Iterator[tuple[Mailbox, Controller]]:
    """A server on a free port; with a *password* it takes mail only from those who know it."""
    mailbox = Mailbox()

    def authenticate(_server: object, _session: object, _envelope: object, _mechanism: str, login: Any) -> AuthResult:
        user, given = login.login.decode(), login.password.decode()
        mailbox.logins.append((user, given))
        return AuthResult(success=given == password, handled=False)

    options: dict[str, Any] = {} if password is None else {"authenticator": authenticate, "auth_required": True}
    if starttls is not None:
        options |= {"tls_context": starttls, "require_starttls": True}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]  # the controller must know it before it starts
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, ssl_context=tls, **options)
    controller.start()
    try:
        yield mailbox, controller
    finally:
        controller.stop()
