"""
Tokens in a file of the data directory, which the commands of the host write and the server reads.

::

    DATA/tokens.json      {"format": 1, "tokens": [{"id": ..., "sha256": ..., ...}]}, mode 0600
    DATA/tokens.lock      held while a command changes it
    DATA/token-uses.json  {"<id>": "2026-11-24T02:10:00Z"}, written by the server alone, at most once a minute

The rule: the file is never written in place. A new one takes its place, durably, so that a reader sees all of one state
or all of another, and tells by the file's number and time that there is a new one. A file that was there and is gone,
or cannot be understood, lets nobody in: losing it must not open a server.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path

from attrs import define, evolve, field

from ..domain.access import Keyring, Scope, Token
from ..domain.errors import BackendUnavailable, TarkeepError, TokenNotFound
from ..domain.sidecar import rfc3339
from .data_directory import (
    TOKEN_USES,
    TOKENS,
    TOKENS_LOCK,
    fsync_directory,
    make_directory,
    refuse_foreign,
    translated,
)

FORMAT = 1

_State = tuple[int, int, int]
_NOTHING = Keyring({}, is_open=True)


@define(eq=False)
class FileGatekeeper:
    """`Gatekeeper` in the data directory *folder*, which is made with the first token if it is not there."""

    folder: Path
    _seen: _State | None = field(default=None, init=False)  # the file that `_keyring` was read from
    _keyring: Keyring = field(default=_NOTHING, init=False)
    _noted: dict[str, datetime] = field(factory=dict, init=False)
    _has_news: bool = field(default=False, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def keyring(self) -> Keyring:
        with self._lock:
            try:
                found = self._path.stat()
            except FileNotFoundError:
                if self._keyring.is_open:
                    return self._keyring
                raise BackendUnavailable("token file", "it is gone") from None
            except OSError as error:
                raise _unreadable(error) from error
            state = (found.st_ino, found.st_mtime_ns, found.st_size)
            if state != self._seen:
                self._keyring = Keyring({}, is_open=False)  # should it not be readable
                self._seen = None
                self._keyring = self._read()
                self._seen = state
            return self._keyring

    def add(self, token: Token) -> None:
        with self._changing() as tokens:
            if token.id in tokens:
                raise ValueError(f"there is a token {token.id}")
            tokens[token.id] = token

    def revoke(self, id: str, at: datetime) -> Token:
        with self._changing() as tokens:
            if id not in tokens:
                raise TokenNotFound(id)
            if tokens[id].revoked_at is None:
                tokens[id] = evolve(tokens[id], revoked_at=at)
            return tokens[id]

    def note_use(self, id: str, at: datetime) -> None:
        minute = at.replace(second=0, microsecond=0)
        if self._noted.get(id) != minute:
            self._noted[id] = minute
            self._has_news = True

    def keep_uses(self) -> None:
        if not self._has_news:
            return
        self._has_news = False
        told = {id: rfc3339(at) for id, at in (self.uses() | self._noted).items()}
        with suppress(OSError):
            self._replace(self.folder / TOKEN_USES, told)

    def uses(self) -> dict[str, datetime]:
        try:
            told = json.loads((self.folder / TOKEN_USES).read_bytes())
            return {str(id): datetime.fromisoformat(at) for id, at in told.items()} | self._noted
        except (OSError, ValueError, TypeError, AttributeError):
            return dict(self._noted)

    @property
    def _path(self) -> Path:
        return self.folder / TOKENS

    def _read(self) -> Keyring:
        try:
            told = json.loads(self._path.read_bytes())
            tokens = [_token(record) for record in told["tokens"]] if told["format"] == FORMAT else None
        except OSError as error:
            raise _unreadable(error) from error
        except (ValueError, KeyError, TypeError, AttributeError, TarkeepError) as error:
            raise BackendUnavailable("token file", "it is not one that this version wrote") from error
        if tokens is None:
            raise BackendUnavailable("token file", "a newer version wrote it")
        return Keyring({token.id: token for token in tokens}, is_open=False)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Token]]:
        """The tokens as they are, to be changed; kept when the context is left without an error."""
        with translated(writing=True):
            make_directory(self.folder)
            refuse_foreign(self.folder)
            # group and others are of no concern to either of the two files
            lock = os.open(self.folder / TOKENS_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                self._give_to_owner(lock)
                fcntl.flock(lock, fcntl.LOCK_EX)
                tokens = dict(self.keyring().tokens)
                before = dict(tokens)
                yield tokens
                if tokens != before:
                    self._replace(
                        self._path, {"format": FORMAT, "tokens": [_record(token) for token in tokens.values()]}
                    )
            finally:
                os.close(lock)

    def _replace(self, path: Path, content: Mapping[str, object]) -> None:
        part = path.with_name(path.name + ".part")
        with suppress(FileNotFoundError):
            part.unlink()
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            self._give_to_owner(descriptor)
            file.write(json.dumps(content, indent=1).encode() + b"\n")
            file.flush()
            os.fsync(descriptor)
        part.rename(path)
        fsync_directory(self.folder)

    def _give_to_owner(self, descriptor: int) -> None:
        """A command run by root makes files that the server's user can read."""
        owner = self.folder.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _unreadable(error: OSError) -> BackendUnavailable:
    return BackendUnavailable("token file", os.strerror(error.errno) if error.errno else "unknown error")


def _record(token: Token) -> dict[str, object]:
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


def _token(record: Mapping[str, object]) -> Token:
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
