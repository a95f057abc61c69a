"""
Notices as POST requests to a program.

A signed one has ``Tarkeep-Time``, in seconds since the epoch, and ``Tarkeep-Signature``, ``sha256=`` and in hex the
HMAC-SHA256, keyed with the secret, of the time, a full stop and the body. ``Tarkeep-Notice`` is the id of the notice,
the same at each try.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl

from attrs import frozen

from ...domain.notices.message import Message
from ...domain.ports.system import Clock
from ...domain.text.times import rfc3339
from .pinned_http import SECONDS, send


@frozen
class WebhookChannel:
    """`Channel` to *url*; *format* is ``json``, ``text`` (the title is a header) or ``slack``."""

    url: str
    clock: Clock
    secret: str | None = None
    allow_private: bool = False
    format: str = "json"
    context: ssl.SSLContext | None = None
    seconds: float = SECONDS

    def deliver(self, message: Message) -> None:
        body, type = _body(message, self.format)
        headers = {"Content-Type": type, "Tarkeep-Notice": message.id}
        if self.format == "text":
            headers["Title"] = _header(f"{message.server}: {message.title}")
        if self.secret is not None:
            at = str(int(self.clock.now().timestamp()))
            headers |= {"Tarkeep-Time": at, "Tarkeep-Signature": f"sha256={signature(self.secret, at, body)}"}
        send(
            self.url,
            headers,
            body,
            allow_private=self.allow_private,
            context=self.context,
            seconds=self.seconds,
        )


def signature(secret: str, at: str, body: bytes) -> str:
    """The signature of *body* sent at the time *at*, in hex."""
    return hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()


def _body(message: Message, format: str) -> tuple[bytes, str]:
    if format == "text":
        return message.text.encode(), "text/plain; charset=utf-8"
    if format == "slack":
        return json.dumps({"text": f"*{message.server}: {message.title}*\n{message.text}"}).encode(), "application/json"
    told = {
        "id": message.id,
        "kind": message.kind.value,
        "at": rfc3339(message.at),
        "server": message.server,
        "title": message.title,
        "text": message.text,
        "alerts": [
            {
                "id": item.alert,
                "event": item.key.event.value,
                "profile": item.key.profile,
                "subject": item.key.subject,
                "detail": item.text,
                "since": rfc3339(item.began_at),
            }
            for item in message.items
        ],
    }
    return json.dumps(told).encode(), "application/json"


def _header(text: str) -> str:
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in text)
