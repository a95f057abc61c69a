"""
The file that says who is told of what: ``notify.toml``.

::

    [channels.ops]
    webhook = "https://hooks.example.org/tarkeep"
    secret_file = "/etc/tarkeep/ops.secret"

    [channels.mail]
    smtp = "smtp.example.org:587"
    from = "tarkeep@example.org"
    to = ["ops@example.org"]

    [[routes]]
    events = ["damaged", "overdue"]
    profiles = ["web-*"]
    channels = ["ops"]
    after = "1h"
    remind = "1d"

    [digest]
    channels = ["mail"]
    at = "0 8 * * 1"

Without a route, every channel is told of everything. Anything unknown is an error: a misspelt route would tell nobody.
``channels = "none"``, and nothing else, says that nobody is to be told.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import msgspec
from attrs import frozen

from ...domain.errors.settings import InvalidSetting
from ...domain.notices.event import Event
from ...domain.notices.routes import NOBODY, SILENT, Digest, NoticePlan, Route
from ...domain.profiles.schedule import Schedule
from ...domain.profiles.span import Span, Unit
from ...domain.text.counted import listed
from .files import read_setting_text, with_home
from .nearest import did_you_mean
from .secrets import keep_secret
from .shapes import sentence, unknown_name

ReadCron: TypeAlias = Callable[[str, tzinfo], Schedule]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_MINUTES = re.compile(r"(\d{1,4})min", re.ASCII)
_ROOT = 0
_WEEKLY = "0 8 * * 1"
_NONE = "none"


@frozen
class WebhookSettings:
    """A POST to *url*, signed with *secret* if there is one. *format* is json, text or slack."""

    url: str
    secret: str | None = None
    allow_private: bool = False
    format: str = "json"


@frozen
class SmtpSettings:
    """Mail by the server *host* and *port*; *security* is starttls, tls or none."""

    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    security: str = "starttls"
    user: str | None = None
    password: str | None = None


@frozen
class AppriseSettings:
    """Whatever Apprise reaches by *urls*."""

    urls: tuple[str, ...]


ChannelSettings: TypeAlias = WebhookSettings | SmtpSettings | AppriseSettings


@frozen
class NotifySettings:
    """The channels by name, and who is told of what."""

    channels: Mapping[str, ChannelSettings]
    plan: NoticePlan


class _Webhook(msgspec.Struct, forbid_unknown_fields=True):
    webhook: str | None = None
    webhook_file: str | None = None
    secret_file: str | None = None
    allow_private: bool = False
    format: str = "json"


class _Smtp(msgspec.Struct, forbid_unknown_fields=True, rename={"sender": "from"}):
    smtp: str
    sender: str
    to: list[str]
    security: str = "starttls"
    user: str | None = None
    password_file: str | None = None


class _Apprise(msgspec.Struct, forbid_unknown_fields=True):
    apprise_file: str


class _Route(msgspec.Struct, forbid_unknown_fields=True):
    channels: list[str]
    events: list[str] | None = None
    profiles: list[str] | None = None
    after: str | None = None
    remind: str | None = None


class _Digest(msgspec.Struct, forbid_unknown_fields=True):
    channels: list[str]
    at: str = _WEEKLY


_KINDS: dict[str, type[msgspec.Struct]] = {
    "webhook": _Webhook,
    "webhook_file": _Webhook,
    "smtp": _Smtp,
    "apprise_file": _Apprise,
}
_FORMATS = ("json", "text", "slack")
_SECURITY = ("starttls", "tls", "none")
NOTHING = NotifySettings({}, NOBODY)


def read_notify(file: Path, *, must_exist: bool, read_cron: ReadCron, zone: tzinfo) -> NotifySettings:
    """
    What *file* says; nobody is told if it is missing and need not exist. Cron lines are read in *zone*.

    Raises:
        InvalidSetting: it cannot be read, or contains something that is not understood; the sentence names the file,
            the table and the key.
    """
    try:
        told = tomllib.loads(read_setting_text("notify", file))
    except FileNotFoundError:
        if must_exist:
            raise InvalidSetting("notify", f"there is no file {file}") from None
        return NOTHING
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidSetting("notify", f"{file} cannot be read as TOML: {error}") from error
    try:
        return _read(told, read_cron, zone)
    except ValueError as error:
        raise InvalidSetting("notify", f"{file}: {error}") from None


def _read(told: Mapping[str, object], read_cron: ReadCron, zone: tzinfo) -> NotifySettings:
    if (wrong := unknown_name(told, ("channels", "routes", "digest"), "table")) is not None:
        raise ValueError(wrong)
    tables = told.get("channels", {})
    if tables == _NONE:
        if len(told) > 1:
            raise ValueError('channels = "none" says that nobody is told, and stands alone')
        return NotifySettings({}, SILENT)
    if not isinstance(tables, dict):
        text = 'channels must be tables such as [channels.ops], or "none" if nobody is to be told'
        raise ValueError(text)  # noqa: TRY004 a wrong setting
    channels = {name: _channel(name, table) for name, table in tables.items()}
    routes = told.get("routes", [])
    if not isinstance(routes, list):
        raise ValueError("routes must be tables such as [[routes]]")  # noqa: TRY004
    names = tuple(channels)
    if routes and not names:
        raise ValueError("there are routes, but no [channels.NAME]")
    found = tuple(_route(number, table, names) for number, table in enumerate(routes, 1))
    digest = _digest(told["digest"], names, read_cron, zone) if "digest" in told else None
    return NotifySettings(channels, NoticePlan(names, found or ((Route(names),) if names else ()), digest))


def _channel(name: str, table: object) -> ChannelSettings:
    place = f"[channels.{name}]"
    if not _NAME.fullmatch(name):
        raise ValueError(f"{place} a name has 1 to 40 of a-z, 0-9, - and _")
    if not isinstance(table, dict):
        raise ValueError(f"{place} must be a table")  # noqa: TRY004
    kinds = [kind for kind in _KINDS if kind in table]
    if not kinds:
        known = sorted({field for kind in _KINDS.values() for field in _fields(kind)})
        wrong = unknown_name(table, known)
        raise ValueError(f"{place} {wrong or 'needs one of ' + listed(list(_KINDS), 'or')}")
    if len(kinds) > 1:
        raise ValueError(f"{place} has {listed(kinds)}; a channel has one of them")
    shaped = _shaped(place, table, _KINDS[kinds[0]])
    try:
        if isinstance(shaped, _Webhook):
            return _webhook(shaped)
        if isinstance(shaped, _Smtp):
            return _smtp(shaped)
        return _apprise(shaped)
    except ValueError as error:
        raise ValueError(f"{place} {error}") from None


def _webhook(table: _Webhook) -> WebhookSettings:
    if table.webhook_file is not None:
        url, key = _secret("webhook_file", table.webhook_file), "webhook_file"
    else:
        url, key = table.webhook or "", "webhook"
    check_url(key, url)
    if table.format not in _FORMATS:
        raise ValueError(f"format must be {listed(_FORMATS, 'or')}, not {table.format!r:.60}")
    secret = None if table.secret_file is None else _secret("secret_file", table.secret_file)
    return WebhookSettings(url, secret, table.allow_private, table.format)


def check_url(key: str, url: str) -> None:
    """Raises ValueError if *url*, the value of *key*, is not an address to send to."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isascii()
    except ValueError:
        is_good = False
    if not is_good or any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError(f"{key} must be an address such as https://hooks.example.org/tarkeep")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{key} must not have a user or a password in it; put a secret into a file")


def _smtp(table: _Smtp) -> SmtpSettings:
    host, colon, port = table.smtp.rpartition(":")
    if table.security not in _SECURITY:
        raise ValueError(f"security must be {listed(_SECURITY, 'or')}, not {table.security!r:.60}")
    if not colon:
        host, port = table.smtp, {"tls": "465", "none": "25"}.get(table.security, "587")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError(
            f"smtp must be a host, or a host and a port, such as smtp.example.org:587, not {table.smtp!r:.60}"
        )
    for key, addresses in (("from", [table.sender]), ("to", table.to)):
        for address in addresses or [""]:
            if not re.fullmatch(r"[^\s<>,;]+@[^\s<>,;@]+", address):
                raise ValueError(f"{key} must be mail addresses such as ops@example.org, not {address!r:.60}")
    if (table.user is None) != (table.password_file is None):
        raise ValueError("user and password_file belong together")
    if table.user is not None and table.security == "none":
        raise ValueError('a password is not sent without encryption: set security to "starttls" or "tls"')
    password = None if table.password_file is None else _secret("password_file", table.password_file)
    return SmtpSettings(
        host.strip("[]"), int(port), table.sender, tuple(table.to), table.security, table.user, password
    )


def _apprise(table: object) -> AppriseSettings:
    content = _secret("apprise_file", table.apprise_file) if isinstance(table, _Apprise) else ""
    urls = tuple(line for line in map(str.strip, content.splitlines()) if line and not line.startswith("#"))
    if not urls:
        raise ValueError("apprise_file has no address in it, one a line")
    for url in urls:
        keep_secret(url)
    return AppriseSettings(urls)


def _route(number: int, table: object, names: Sequence[str]) -> Route:
    place = f"[[routes]] {number}:"
    shaped = _shaped(place, table, _Route)
    if not isinstance(shaped, _Route):
        raise TypeError(place)
    channels = _known_channels(place, shaped.channels, names)
    events = [event.value for event in Event]
    for word in shaped.events or ():
        if word not in events:
            raise ValueError(f"{place} events: there is no event {word[:80]}{did_you_mean(word, events)}")
    wanted = frozenset(map(Event, shaped.events)) if shaped.events is not None else frozenset(Event)
    after = timedelta() if shaped.after is None else _length(f"{place} after", shaped.after)
    remind = None if shaped.remind is None else _length(f"{place} remind", shaped.remind)
    if remind is not None and remind < timedelta(minutes=10):
        raise ValueError(f"{place} remind must be 10min or more")
    if not wanted or shaped.profiles == []:
        raise ValueError(f"{place} takes nothing, because events or profiles is an empty list")
    return Route(channels, wanted, ("*",) if shaped.profiles is None else tuple(shaped.profiles), after, remind)


def _digest(table: object, names: Sequence[str], read_cron: ReadCron, zone: tzinfo) -> Digest:
    shaped = _shaped("[digest]", table, _Digest)
    if not isinstance(shaped, _Digest):
        raise TypeError("[digest]")
    try:
        return Digest(_known_channels("[digest]", shaped.channels, names), read_cron(shaped.at, zone))
    except ValueError as error:
        raise ValueError(str(error) if str(error).startswith("[digest]") else f"[digest] at: {error}") from None


def _known_channels(place: str, stated: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    for name in stated:
        if name not in names:
            raise ValueError(f"{place} channels: there is no channel {name[:80]}{did_you_mean(name, names)}")
    if not stated:
        raise ValueError(f"{place} channels must name a channel")
    return tuple(dict.fromkeys(stated))


def _length(place: str, text: str) -> timedelta:
    """How long *text* is: a span, or minutes."""
    if match := _MINUTES.fullmatch(text):
        return timedelta(minutes=int(match[1]))
    try:
        span = Span.parse(text)
    except ValueError as error:
        raise ValueError(f"{place}: {error}; or minutes such as 15min") from None
    if span.unit in (Unit.MONTH, Unit.YEAR):
        raise ValueError(f"{place}: {text} has no fixed length; use minutes, hours, days or weeks")
    return timedelta(hours=span.count * {Unit.HOUR: 1, Unit.DAY: 24, Unit.WEEK: 168}[span.unit])


def _fields(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _shaped(place: str, table: object, kind: type[msgspec.Struct]) -> msgspec.Struct:
    if isinstance(table, dict) and (wrong := unknown_name(table, _fields(kind))) is not None:
        raise ValueError(f"{place} {wrong}")
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{place} {sentence(error)}") from None


def _secret(key: str, stated: str) -> str:
    """The content of a file that only this user and group may read; it is left out of all output from now on."""
    path = with_home(Path(stated))
    try:
        content = read_setting_text("notify", path).strip()
        found = path.stat()
    except FileNotFoundError:
        raise ValueError(f"{key}: there is no file {path}") from None
    except InvalidSetting as error:
        raise ValueError(f"{key}: {error.reason}") from None
    if found.st_uid not in (os.geteuid(), _ROOT):
        raise ValueError(f"{key}: {path} is another user's ({found.st_uid}); take it over with chown")
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISREG(found.st_mode) and mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
        raise ValueError(f"{key}: others may read or write {path} (mode {mode:04o}); close it with: chmod 0600 {path}")
    if not content:
        raise ValueError(f"{key}: {path} is empty")
    keep_secret(content)
    return content
