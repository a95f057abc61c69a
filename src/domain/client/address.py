"""
The address of a server as people write it, without revealing its secret parts.

A login in the address (``https://NAME:PASSWORD@HOST``) is for a proxy in front of the server. It is never shown, noted
or compared, not even if the address is invalid; in that case nothing behind the host is shown either.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from attrs import field, frozen

from ..errors.settings import InvalidSetting
from ..text.paths import printable

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_BEHIND = re.compile(r"[/?#\\]")
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")


@frozen
class ServerAddress:
    """Where a server is: *scheme* is ``http`` or ``https``, *path* is its path on a proxy, or ""."""

    scheme: str
    host: str
    port: int
    path: str = ""
    login: bytes | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> ServerAddress:
        """
        Parse an address.

        Raises:
            InvalidSetting: *text* is not an address.
        """
        scheme, separator, rest = text.strip().partition("://")
        scheme = scheme.lower()
        if not separator or scheme not in _PORTS:
            raise _invalid(text, "must begin with http:// or https://")
        login, at, rest = rest.rpartition("@")
        if set(login) & set("/?#"):
            raise _invalid(text, "before the @ a / is written %2F, a ? %3F and a # %23; behind the host an @ is %40")
        if not rest.isprintable() or set(rest) & set(' ?#\\"<>'):
            raise _invalid(text, "has a character that no address can have")
        try:
            secret = _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), _bytes(login))
        except UnicodeEncodeError:
            raise _invalid(text, "has a character that no address can have") from None
        authority, _, path = rest.partition("/")
        host, port = _host_and_port(text, authority)
        return cls(
            scheme,
            host.lower(),
            _PORTS[scheme] if port == "" else _number(text, port),
            "".join(char if char.isascii() else _escaped(char) for char in f"/{path}".rstrip("/")),
            secret if at else None,
        )

    @property
    def url(self) -> str:
        """The address in its normal form, without a login and without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def password(self) -> str | None:
        """The password of the login, or None."""
        return None if self.login is None else self.login.partition(b":")[2].decode(errors="replace")


def _host_and_port(text: str, authority: str) -> tuple[str, str]:
    if authority.startswith("["):
        inside, bracket, behind = authority[1:].partition("]")
        if not bracket or (behind and not behind.startswith(":")):
            raise _invalid(text, "has a [ without a ]" if not bracket else "has something between ] and the port")
        try:
            IPv6Address(inside)
        except AddressValueError:
            raise _invalid(text, "has brackets around something other than an IPv6 address") from None
        return inside, behind[1:]
    host, _, port = authority.partition(":")
    if not host:
        raise _invalid(text, "names no host")
    if ":" in port:
        raise _invalid(text, "has two ports; an IPv6 address stands in brackets")
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            raise _invalid(text, "has an invalid host name") from None
    if not _HOST.fullmatch(host) or ".." in host or max(map(len, host.split("."))) > 63:
        raise _invalid(text, "has an invalid host name")
    return host, port


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in _bytes(char))


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _number(text: str, port: str) -> int:
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise _invalid(text, "has a port that is not a number from 1 to 65535")
    return int(port)


def _invalid(text: str, reason: str) -> InvalidSetting:
    return InvalidSetting("server", f"{reason}, is {printable(_shown(text.strip()))!r}")


def _shown(text: str) -> str:
    """
    The scheme, host and port of a possibly invalid address: text before an @, or behind a /, ? or #, may be secret.

    If a /, ? or # comes before an @, either could end the host, so only the scheme is shown.
    """
    before, separator, rest = text.partition("://")
    scheme, rest = (before + separator, rest) if separator else ("", before)
    authority = _BEHIND.split(rest, maxsplit=1)[0]
    is_clear = "@" not in rest[len(authority) :]
    shown = authority.rpartition("@")[2] if is_clear else "..."
    return scheme + shown
