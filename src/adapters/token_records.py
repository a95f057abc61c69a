"""
Tokens as records of JSON, as every store keeps them, and the sum over such records.

The rule: a bit that flipped must not grant more than was meant. So a record is believed only with its sum.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_network

from ..domain.access.tokens import Scope, Token
from ..domain.text.times import rfc3339


def sum_of(records: object) -> str:
    """The SHA-256 of *records*, one or several, whatever white space they are kept with; in lower-case hex."""
    return hashlib.sha256(json.dumps(records, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def record_of(token: Token) -> dict[str, object]:
    """The record of *token*: times to the microsecond, scopes in their order."""
    return {
        "id": token.id,
        "sha256": token.sha256,
        "scopes": [scope.value for scope in Scope if scope in token.scopes],
        "profiles": list(token.profiles),
        "created_at": rfc3339(token.created_at),
        "note": token.note,
        "expires_at": token.expires_at and rfc3339(token.expires_at),
        "networks": [str(network) for network in token.networks],
        "revoked_at": token.revoked_at and rfc3339(token.revoked_at),
    }


def token_of(record: Mapping[str, object]) -> Token:
    """
    The token of *record*.

    Raises:
        KeyError, TypeError, ValueError, TarkeepError: it is not one that this version wrote.
    """
    scopes, profiles, networks = record["scopes"], record["profiles"], record["networks"]
    if not isinstance(scopes, list) or not isinstance(profiles, list) or not isinstance(networks, list):
        raise TypeError("not a token")
    created_at = _time(record["created_at"])
    if created_at is None:
        raise TypeError("a token without the time it was made")
    return Token(
        id=str(record["id"]),
        sha256=str(record["sha256"]),
        scopes=frozenset(Scope(scope) for scope in scopes),
        profiles=tuple(str(pattern) for pattern in profiles),
        created_at=created_at,
        note=str(record["note"]),
        expires_at=_time(record["expires_at"]),
        networks=tuple(ip_network(str(network)) for network in networks),
        revoked_at=_time(record["revoked_at"]),
    )


def _time(value: object) -> datetime | None:
    return None if value is None else datetime.fromisoformat(str(value))
