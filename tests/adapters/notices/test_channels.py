"""Receivers that fail, hang, redirect, answer slowly or are somewhere else; and mail servers with and without TLS."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tarkeep.adapters.notices.mail import MailChannel
from tarkeep.adapters.notices.webhook import WebhookChannel, signature
from tarkeep.domain.errors.notices import NotDelivered
from tests.contracts.channel import MESSAGE
from tests.support.clocks import FixedClock
from tests.support.receivers import receiver
from tests.support.smtp import smtp_server

PATIENT = 30.0  # a receiver that answers at all does so long before


def webhook(url: str, *, seconds: float = PATIENT, allow_private: bool = True, format: str = "json") -> WebhookChannel:
    return WebhookChannel(url, FixedClock(), "secret", allow_private, format, seconds=seconds)


@pytest.mark.parametrize("answer", [400, 403, 404, 500, 503, "drop"])
def test_what_is_refused_is_not_delivered(answer: int | str) -> None:
    with receiver(answer) as hook, pytest.raises(NotDelivered) as refused:
        webhook(hook.url).deliver(MESSAGE)
    assert "127.0.0.1" in str(refused.value)


def test_no_redirect_is_followed() -> None:
    with receiver("redirect") as hook:
        with pytest.raises(NotDelivered, match="answered 302, and redirects are not followed"):
            webhook(hook.url).deliver(MESSAGE)
        assert len(hook.came) == 1


@pytest.mark.parametrize("answer", ["hang", "drip"])
def test_a_receiver_that_does_not_end_its_answer_is_left(answer: str) -> None:
    """Also one that sends a byte now and then, which no timeout of a socket ends."""
    with receiver(answer) as hook:
        began = time.monotonic()
        with pytest.raises(NotDelivered, match=r"did not answer in 1 s"):
            webhook(hook.url, seconds=1.0).deliver(MESSAGE)
        assert time.monotonic() - began >= 1.0  # it ended at all: the receiver goes on for a minute


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]"]
)
def test_private_addresses_are_reached_only_if_that_is_said(host: str) -> None:
    with receiver() as hook:
        port = hook.url.rpartition(":")[2]
        with pytest.raises(NotDelivered, match=r"is not a public address|cannot be resolved"):
            webhook(f"http://{host}:{port}/", allow_private=False).deliver(MESSAGE)
        assert hook.came == []


def test_a_name_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere a moment later leads nowhere else: the connection goes to what was checked."""
    asked: list[object] = []
    resolve = socket.getaddrinfo

    def resolving(host: object, *arguments: object, **options: object) -> object:
        asked.append(host)
        return resolve("127.0.0.1", *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolving)
    with receiver() as hook:
        port = hook.url.rpartition(":")[2]
        webhook(f"http://hooks.example.org:{port}/x").deliver(MESSAGE)
        assert asked == ["hooks.example.org"]
        assert hook.came[0].headers["Host"] == f"hooks.example.org:{port}"


def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a webhook nor by mail."""
    answered = threading.Event()

    def resolve(*_arguments: object, **_options: object) -> list[object]:
        answered.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    by_mail = MailChannel("there.example", 25, "a@example.org", ("b@example.org",), "none", seconds=0.1)
    for channel in (webhook("http://there.example/", seconds=0.1), by_mail):
        with pytest.raises(NotDelivered, match=r"there\.example was not resolved in time"):
            channel.deliver(MESSAGE)
    answered.set()


def test_it_is_signed_over_time_and_body() -> None:
    with receiver() as hook:
        webhook(hook.url).deliver(MESSAGE)
    (came,) = hook.came
    at = came.headers["Tarkeep-Time"]
    assert came.headers["Tarkeep-Signature"] == f"sha256={signature('secret', at, came.body)}"
    assert signature("secret", at, came.body) != signature("secret", str(int(at) + 1), came.body)
    assert came.headers["Tarkeep-Notice"] == came.told["id"] == "n1"


def test_as_text_and_for_slack() -> None:
    with receiver() as hook:
        webhook(hook.url, format="text").deliver(MESSAGE)
        webhook(hook.url, format="slack").deliver(MESSAGE)
    text, slack = hook.came
    assert (text.body.decode(), text.headers["Title"]) == (MESSAGE.text, "backup1: web: damaged")
    assert slack.told == {"text": f"*backup1: web: damaged*\n{MESSAGE.text}"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def contexts(certificate: tuple[Path, Path]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(*certificate)
    return served, ssl.create_default_context(cafile=str(certificate[0]))


def mail(port: int, security: str, context: ssl.SSLContext | None, password: str | None = None) -> MailChannel:
    user = None if password is None else "tarkeep"
    to = ("ops@example.org",)
    return MailChannel("127.0.0.1", port, "tarkeep@example.org", to, security, user, password, context, PATIENT)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_over_tls(certificate: tuple[Path, Path], security: str) -> None:
    served, trusted = contexts(certificate)
    by_starttls = security == "starttls"
    with smtp_server(tls=None if by_starttls else served, starttls=served if by_starttls else None) as (
        mailbox,
        controller,
    ):
        mail(controller.port, security, trusted).deliver(MESSAGE)
        with pytest.raises(NotDelivered, match="its certificate is not trusted"):
            mail(controller.port, security, None).deliver(MESSAGE)
    (content,) = mailbox.mails
    sent = email.message_from_bytes(content, policy=email.policy.default)
    assert (sent["Subject"], sent["To"]) == ("[backup1] web: damaged", "ops@example.org")
    assert sent["Message-ID"] == "<n1@tarkeep.invalid>"


def test_mail_with_a_password(certificate: tuple[Path, Path]) -> None:
    served, trusted = contexts(certificate)
    with smtp_server(starttls=served, password="right") as (mailbox, controller):
        mail(controller.port, "starttls", trusted, "right").deliver(MESSAGE)
        with pytest.raises(NotDelivered, match="does not accept the user and the password"):
            mail(controller.port, "starttls", trusted, "wrong").deliver(MESSAGE)
    assert len(mailbox.mails) == 1


def test_a_server_without_tls_gets_nothing() -> None:
    with smtp_server() as (mailbox, controller), pytest.raises(NotDelivered, match="STARTTLS"):
        mail(controller.port, "starttls", None).deliver(MESSAGE)
    assert mailbox.mails == []


def test_a_mail_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NotDelivered, match="refused"):
        mail(port, "none", None).deliver(MESSAGE)
