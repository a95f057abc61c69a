"""
Who may do what: tokens, what they open, and the decisions about them, as pure functions that give their reasons.

The rule: what a principal may not see does not exist for him. Whether a name is within his patterns is decided before
anybody looks whether it is there, so that neither the answer nor its timing tells of what is stored under it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

from attrs import field, frozen

Network: TypeAlias = IPv4Network | IPv6Network

SECRET_BYTES = 32
ID_BYTES = 5
EVERY_PROFILE = "*"

_TOKEN = re.compile(r"tk_([a-z2-7]{8})_([a-z2-7]{58})", re.ASCII)
_PATTERN = re.compile(r"[A-Za-z0-9._*?\[\]!-]{1,100}", re.ASCII)


class Scope(Enum):
    """What a token is for."""

    PUSH = "push"  # add only: cannot read, change, remove or overwrite
    PULL = "pull"
    LIST = "list"
    VERIFY = "verify"
    PRUNE = "prune"
    ADMIN = "admin"


OPEN_SCOPES = frozenset({Scope.PUSH, Scope.PULL, Scope.LIST, Scope.VERIFY})
"""What everybody may do who reaches a server without tokens; nothing that removes or administers is ever open."""


def token_text(id_bytes: bytes, secret: bytes) -> str:
    """
    The token made of random bytes, `ID_BYTES` and `SECRET_BYTES` of them: ``tk_<id>_<secret>``, lower-case base32.

    The last four bytes of the secret are a CRC-32 of all before them, by which a mistyped token is told from a wrong
    one. They are no part of what cannot be guessed.
    """
    if len(id_bytes) != ID_BYTES or len(secret) != SECRET_BYTES:
        raise ValueError("a token has 5 bytes of id and 32 of secret")
    id = _base32(id_bytes)
    return f"tk_{id}_{_base32(secret + _checksum(id, secret))}"


def token_id(text: str) -> str | None:
    """The id in *text*, or None where that cannot be a token: mistyped, cut off, or something else altogether."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    id, written = match.groups()
    whole = base64.b32decode(written.upper() + "=" * (-len(written) % 8))
    secret, checksum = whole[:SECRET_BYTES], whole[SECRET_BYTES:]
    # Of the last character not all bits are used: another with the same ones is another all the same.
    return id if checksum == _checksum(id, secret) and written == _base32(whole) else None


def token_digest(text: str) -> str:
    """What is kept of a token: its SHA-256 in lower-case hex. Its 256 random bits need no slower hash."""
    return hashlib.sha256(text.encode()).hexdigest()


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _checksum(id: str, secret: bytes) -> bytes:
    return zlib.crc32(id.encode() + secret).to_bytes(4, "big")


def _patterns(_instance: object, _attribute: object, patterns: tuple[str, ...]) -> None:
    if not patterns:
        raise ValueError("a token is for at least one pattern of profiles")
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(f"{pattern[:100]!a} is not a pattern of profile names such as laptop, web-* or *")


def _scopes(_instance: object, _attribute: object, scopes: frozenset[Scope]) -> None:
    if not scopes:
        raise ValueError("a token has at least one scope")


@frozen
class Token:
    """
    What is kept of a token; not the token itself, only its *sha256*.

    *profiles* are patterns as of a shell, any of which may fit. *networks* are where it may come from; none is
    anywhere. Times are aware and in UTC. A revoked token stays known, so that having had one is never forgotten.
    """

    id: str
    sha256: str
    scopes: frozenset[Scope] = field(validator=_scopes)
    profiles: tuple[str, ...] = field(validator=_patterns)
    created_at: datetime
    note: str = ""
    expires_at: datetime | None = None
    networks: tuple[Network, ...] = ()
    revoked_at: datetime | None = None


@frozen
class Keyring:
    """
    All tokens by their ids. *is_open*: none was ever made, so that none is asked for.

    One whose tokens are all revoked or expired is not open; it lets nobody in.
    """

    tokens: Mapping[str, Token]
    is_open: bool


@frozen
class Principal:
    """Somebody who was let in: by which token (None by none, while the server is open), for what, to which profiles."""

    token: str | None
    scopes: frozenset[Scope]
    patterns: tuple[str, ...]

    def may(self, scope: Scope) -> bool:
        """Whether the principal has that right."""
        return scope in self.scopes

    def sees(self, profile: str) -> bool:
        """Whether *profile* is within the principal's patterns; nothing is looked up."""
        return any(pattern == EVERY_PROFILE or fnmatchcase(profile, pattern) for pattern in self.patterns)

    @property
    def sees_everything(self) -> bool:
        """Whether no profile is hidden from the principal."""
        return EVERY_PROFILE in self.patterns

    @property
    def only_profile(self) -> str | None:
        """The one profile the principal sees, where the patterns are a single name."""
        named = self.named_profiles
        return next(iter(named)) if named is not None and len(named) == 1 else None

    @property
    def named_profiles(self) -> frozenset[str] | None:
        """All that the principal sees, where every pattern is a name; None where it depends on what there is."""
        return None if any(set("*?[") & set(pattern) for pattern in self.patterns) else frozenset(self.patterns)


ANONYMOUS = Principal(None, OPEN_SCOPES, (EVERY_PROFILE,))
"""Whoever reaches a server without tokens."""


class Admission(Enum):
    """What came of somebody's wish to be let in; the value is the sentence for him."""

    ADMITTED = "let in"
    MISSING = "this server wants a token: Authorization: Bearer tk_..., or the token as password (curl -u :tk_...)"
    MALFORMED = "this is no token, or one that was mistyped or cut off"
    UNKNOWN = "this token is not valid"  # nobody has it, or not with this secret
    REVOKED = "this token is revoked"
    EXPIRED = "this token is expired"
    ELSEWHERE = "this token is not valid from this address"


@frozen
class Decision:
    """A verdict, and the principal where he is admitted."""

    verdict: Admission
    principal: Principal | None = None


def admit(keyring: Keyring, presented: str | None, address: str, now: datetime) -> Decision:
    """
    Decide who comes in: with the token *presented*, from *address* (empty where that is unknown).

    That a token is revoked, expired or for elsewhere is told only to whom has its secret. Secrets are compared in a
    time that does not depend on them.
    """
    if keyring.is_open:
        return Decision(Admission.ADMITTED, ANONYMOUS)
    if presented is None:
        return Decision(Admission.MISSING)
    id = token_id(presented)
    if id is None:
        return Decision(Admission.MALFORMED)
    token = keyring.tokens.get(id)
    # also where there is no such id, so that its existence takes no other time
    is_right = hmac.compare_digest(token_digest(presented), token.sha256 if token is not None else "0" * 64)
    if token is None or not is_right:
        return Decision(Admission.UNKNOWN)
    if token.revoked_at is not None:
        return Decision(Admission.REVOKED)
    if token.expires_at is not None and token.expires_at <= now:
        return Decision(Admission.EXPIRED)
    if token.networks and not is_within(address, token.networks):
        return Decision(Admission.ELSEWHERE)
    return Decision(Admission.ADMITTED, Principal(token.id, token.scopes, token.profiles))


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether *address* lies in one of *networks*; an IPv4 address within an IPv6 one is taken for itself."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)


def why_not_listen(*, is_loopback: bool, is_open: bool, has_tls: bool, behind_proxy: bool) -> str | None:
    """Why a server must not listen on an address, with the ways out; None where it may."""
    if is_loopback:
        return None
    if is_open:
        return (
            "beyond this machine nobody is let in without a token, and there is none: either make one "
            "(tarkeep token create) and give --tls-certificate and --tls-key, or --behind-proxy where a proxy does "
            "TLS; or listen on a loopback address (--host 127.0.0.1)"
        )
    if not has_tls and not behind_proxy:
        return (
            "tokens would cross the network in the clear: either give --tls-certificate and --tls-key (tarkeep tls "
            "self-signed makes them), or --behind-proxy where a proxy does TLS; or listen on a loopback address "
            "(--host 127.0.0.1)"
        )
    return None
