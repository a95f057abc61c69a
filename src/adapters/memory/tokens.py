"""Tokens in memory: for tests, and for servers over memory, for which no command can make a token."""

from __future__ import annotations

import threading
from datetime import datetime

from attrs import define, evolve, field

from ...domain.access.tokens import Keyring, Token
from ...domain.errors.access import TokenNotFound


@define(eq=False)
class MemoryTokenStore:
    """`TokenStore` that ends with the process."""

    _tokens: dict[str, Token] = field(factory=dict, init=False)
    _uses: dict[str, datetime] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def keyring(self) -> Keyring:
        with self._lock:
            return Keyring(dict(self._tokens), is_open=not self._tokens)

    def add(self, token: Token) -> None:
        with self._lock:
            if token.id in self._tokens:
                raise ValueError(f"there is a token {token.id}")
            self._tokens[token.id] = token

    def revoke(self, id: str, at: datetime) -> Token:
        with self._lock:
            if id not in self._tokens:
                raise TokenNotFound(id)
            if self._tokens[id].revoked_at is None:
                self._tokens[id] = evolve(self._tokens[id], revoked_at=at)
            return self._tokens[id]

    def note_use(self, id: str, at: datetime) -> None:
        self._uses[id] = at.replace(second=0, microsecond=0)

    def keep_uses(self) -> None:
        """Does nothing: no later process reads them."""

    def uses(self) -> dict[str, datetime]:
        return dict(self._uses)
