"""Notices as mail, by the SMTP server that an operator named."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from attrs import frozen

from ...domain.errors.notices import NotDelivered
from ...domain.notices.message import Message
from ...domain.text.paths import printable
from .pinned_http import connected

SECONDS = 20.0


@frozen
class MailChannel:
    """
    `Channel` by mail from *sender* to all of *to*; *security* is ``starttls``, ``tls`` or ``none``.

    A mail that the server does not take for one of several people is not delivered, and is sent to all of them again.
    """

    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    security: str = "starttls"
    user: str | None = None
    password: str | None = None
    context: ssl.SSLContext | None = None
    seconds: float = SECONDS

    def deliver(self, message: Message) -> None:
        context = self.context or ssl.create_default_context()
        try:
            with self._connected(context) as server:
                if self.security == "starttls":
                    server.starttls(context=context)
                if self.user is not None and self.password is not None:
                    server.login(self.user, self.password)
                refused = server.send_message(self._mail(message), self.sender, list(self.to))
        except smtplib.SMTPNotSupportedError as error:
            raise NotDelivered(f"{self.host}: {str(error).rstrip('.')}") from None
        except smtplib.SMTPRecipientsRefused as error:
            raise NotDelivered(f"{self.host} does not take mail for {', '.join(error.recipients)}") from None
        except smtplib.SMTPAuthenticationError:
            raise NotDelivered(f"{self.host} does not accept the user and the password") from None
        except smtplib.SMTPResponseException as error:
            said = (
                error.smtp_error if isinstance(error.smtp_error, str) else error.smtp_error.decode("utf-8", "replace")
            )
            raise NotDelivered(f"{self.host} answered {error.smtp_code} {printable(said)[:200]}") from None
        except ssl.SSLCertVerificationError as error:
            raise NotDelivered(f"{self.host}: its certificate is not trusted: {error.verify_message}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotDelivered(f"{self.host}: {getattr(error, 'strerror', None) or error or 'no answer'}") from None
        if refused:
            raise NotDelivered(f"{self.host} does not take mail for {', '.join(refused)}")

    def _connected(self, context: ssl.SSLContext) -> smtplib.SMTP:
        if self.security == "tls":
            return _ResolvedTls(self.host, self.port, timeout=self.seconds, context=context)
        return _Resolved(self.host, self.port, timeout=self.seconds)

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = printable(f"[{message.server}] {message.title}")[:200]
        mail["From"] = Address("Tarkeep", addr_spec=self.sender)
        mail["To"] = ", ".join(self.to)
        mail["Date"] = format_datetime(message.at)
        mail["Message-ID"] = f"<{message.id}@tarkeep.invalid>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text + "\n")
        return mail


class _Resolved(smtplib.SMTP):
    """The library's client; resolving the name is part of its time, too."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        found = connected(host, port, allow_private=True, deadline=time.monotonic() + timeout)
        found.settimeout(timeout)
        return found


class _ResolvedTls(smtplib.SMTP_SSL, _Resolved):
    """The same over TLS from the first byte on."""
