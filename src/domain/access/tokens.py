"""
Access: tokens, what they permit, and the decisions about them, as pure functions that return their reasons.

The rule: what a principal may not see does not exist for them. Whether a name matches their patterns is decided before
the name is looked up, so that neither the answer nor its timing reveals what is stored under it.
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
    """A right that a token grants."""

    PUSH = "push"  # add only: cannot read, change, remove or overwrite
    PULL = "pull"
    LIST = "list"
    VERIFY = "verify"
    METRICS = "metrics"
    DRILL = "drill"  # be told what to restore as a drill, and report it; to get the archives it needs pull, too
    PRUNE = "prune"
    ADMIN = "admin"


OPEN_SCOPES = frozenset({Scope.PUSH, Scope.PULL, Scope.LIST, Scope.VERIFY, Scope.METRICS, Scope.DRILL})
"""What every client may do on a server without tokens; deleting and administration are never open."""


def token_text(id_bytes: bytes, secret: bytes) -> str:
    """
    The token made of random bytes, `ID_BYTES` and `SECRET_BYTES` of them: ``tk_<id>_<secret>``, lower-case base32.

    The last four bytes of the secret are a CRC-32 of all before them, which distinguishes a mistyped token from a wrong
    one. They do not count as secret.
    """
    if len(id_bytes) != ID_BYTES or len(secret) != SECRET_BYTES:
        raise ValueError("a token is made of 5 bytes of id and 32 of secret")
    id = _base32(id_bytes)
    return f"tk_{id}_{_base32(secret + _checksum(id, secret))}"


def token_id(text: str) -> str | None:
    """The id in *text*, or None if that cannot be a token: mistyped, cut off, or something else altogether."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    id, written = match.groups()
    whole = base64.b32decode(written.upper() + "=" * (-len(written) % 8))
    secret, checksum = whole[:SECRET_BYTES], whole[SECRET_BYTES:]
    # The last character has unused bits: two texts that differ only there are still two texts.
    return id if checksum == _checksum(id, secret) and written == _base32(whole) else None


def token_digest(text: str) -> str:
    """The digest stored for a token: its SHA-256 in lower-case hex. Its 256 random bits need no slower hash."""
    return hashlib.sha256(text.encode()).hexdigest()


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _checksum(id: str, secret: bytes) -> bytes:
    return zlib.crc32(id.encode() + secret).to_bytes(4, "big")


def is_pattern(text: str) -> bool:
    """Whether *text* is a shell pattern of names of profiles."""
    return _PATTERN.fullmatch(text) is not None


def matches(profile: str, patterns: Iterable[str]) -> bool:
    """Whether any of *patterns* matches *profile*."""
    return any(pattern == EVERY_PROFILE or fnmatchcase(profile, pattern) for pattern in patterns)


def _patterns(_instance: object, _attribute: object, patterns: tuple[str, ...]) -> None:
    if not patterns:
        raise ValueError("a token needs at least one pattern of profiles")
    for pattern in patterns:
        if not is_pattern(pattern):
            raise ValueError(f"{pattern[:100]!a} is not a pattern of profile names such as laptop, web-* or *")


def _scopes(_instance: object, _attribute: object, scopes: frozenset[Scope]) -> None:
    if not scopes:
        raise ValueError("a token needs at least one scope")


@frozen
class Token:
    """
    What the server keeps of a token: not its text, only its *sha256*.

    *profiles* are shell patterns, any of which may match. *networks* are those that it may be used from; empty means
    from anywhere. Times are aware and in UTC. A revoked token stays on record, so that the server never looks open.
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
    All tokens by their ids. *is_open*: no token was ever made, so none is required.

    A keyring whose tokens are all revoked or expired is not open; it admits no client.
    """

    tokens: Mapping[str, Token]
    is_open: bool


@frozen
class Principal:
    """An admitted client: by which token (None if the server is open), with which scopes, for which profiles."""

    token: str | None
    scopes: frozenset[Scope]
    patterns: tuple[str, ...]

    def may(self, scope: Scope) -> bool:
        """Whether the principal has *scope*."""
        return scope in self.scopes

    def sees(self, profile: str) -> bool:
        """Whether *profile* matches the principal's patterns; nothing is looked up."""
        return self.sees_everything or matches(profile, self.patterns)

    @property
    def sees_everything(self) -> bool:
        """Whether no profile is hidden from the principal."""
        return EVERY_PROFILE in self.patterns

    @property
    def only_profile(self) -> str | None:
        """The one profile the principal sees, if the patterns are a single name."""
        named = self.named_profiles
        return next(iter(named)) if named is not None and len(named) == 1 else None

    @property
    def named_profiles(self) -> frozenset[str] | None:
        """All that the principal sees, if every pattern is a name; None if it depends on which profiles exist."""
        return None if any(set("*?[") & set(pattern) for pattern in self.patterns) else frozenset(self.patterns)


OPERATOR = Principal("host", frozenset(Scope), (EVERY_PROFILE,))
"""The principal for whoever may open the data directory on the server's host; no token has this id."""

ANONYMOUS = Principal(None, OPEN_SCOPES, (EVERY_PROFILE,))
"""The principal for every client of a server without tokens."""


class Admission(Enum):
    """The verdict on a client that presents a token, or none; the value is the sentence for the client."""

    ADMITTED = "let in"
    MISSING = "this server requires a token"
    MALFORMED = "this token is malformed: it was mistyped or cut off"
    UNKNOWN = "this token is not valid"  # no token has this id, or its secret is another
    REVOKED = "this token is revoked"
    EXPIRED = "this token is expired"
    ELSEWHERE = "this token is not valid from this address"


@frozen
class Decision:
    """A verdict, and the principal if admitted."""

    verdict: Admission
    principal: Principal | None = None


def admit(keyring: Keyring, presented: str | None, address: str, now: datetime) -> Decision:
    """
    Decide whether to admit a client with the token *presented*, from *address* (empty where that is unknown).

    That a token is revoked, expired or bound to other networks is revealed only to a client that has its secret.
    Secrets are compared in constant time.
    """
    if keyring.is_open:
        return Decision(Admission.ADMITTED, ANONYMOUS)
    if presented is None:
        return Decision(Admission.MISSING)
    id = token_id(presented)
    if id is None:
        return Decision(Admission.MALFORMED)
    token = keyring.tokens.get(id)
    # also for an unknown id, so that the time taken does not reveal which ids exist
    is_right = hmac.compare_digest(token_digest(presented), token.sha256 if token is not None else "0" * 64)
    if token is None or not is_right:
        return Decision(Admission.UNKNOWN)
    return admit_by(token, address, now)


def admit_by(token: Token, address: str, now: datetime) -> Decision:
    """Decide whether to admit a client that has proved that it has *token*, as `admit` does."""
    if token.revoked_at is not None:
        return Decision(Admission.REVOKED)
    if token.expires_at is not None and token.expires_at <= now:
        return Decision(Admission.EXPIRED)
    if token.networks and not is_within(address, token.networks):
        return Decision(Admission.ELSEWHERE)
    return Decision(Admission.ADMITTED, Principal(token.id, token.scopes, token.profiles))


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether *address* lies in one of *networks*; an IPv4 address within an IPv6 one counts as the IPv4 address."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)
