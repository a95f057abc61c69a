"""
Tokens in a file of the data directory, which the commands run on the host write and the server reads.

::

    DATA/tokens.json      {"format": 1, "sum": ..., "tokens": [{"id": ..., "sha256": ..., ...}]}, mode 0600
    DATA/tokens.lock      held while a command changes tokens.json
    DATA/token-uses.json  {"<id>": "2026-11-24T02:10:00Z"}, written by the server only, at most once a minute

The rule: a reader notices a new file by its inode number and time (see `durable_file`). If the file existed and is
gone, or cannot be understood, every request is refused: losing it must not open a server. The directory's marker
records that it existed, also for a server started after the loss. The sum is the SHA-256 of the tokens: a flipped bit
must not grant more than was meant. A file without a sum, written by an earlier version or changed by hand, is accepted,
and gets a sum at the next start of a server or the next command.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from attrs import define, evolve, field

from ...domain.access.tokens import Keyring, Token
from ...domain.errors.access import TokenNotFound
from ...domain.errors.capacity import BackendUnavailable
from ...domain.errors.settings import FormatUnknown
from ...domain.tarkeep_error import TarkeepError
from ...domain.text.times import rfc3339
from ..process.clock_and_ids import RandomIds
from ..process.os_errors import translated
from ..token_records import record_of, sum_of, token_of
from .data_directory import TOKEN_USES, TOKENS, TOKENS_LOCK, make_directory, refuse_foreign
from .durable_file import held, replace_file, set_aside
from .marker import MARKER, had_tokens, note_tokens

FORMAT = 1
_KEYS = {"format", "sum", "tokens"}
_ANOTHER = 'it is not what was written; if you changed it by hand, remove its line "sum"'

_State = tuple[int, int, int]
_NOTHING = Keyring({}, is_open=True)


@define(eq=False)
class FileTokenStore:
    """`TokenStore` in the data directory *folder*, which is made with the first token if it is missing."""

    folder: Path
    _seen: _State | None = field(default=None, init=False)  # the file that `_keyring` was read from
    _keyring: Keyring = field(default=_NOTHING, init=False)
    _has_sum: bool = field(default=False, init=False)  # whether that file has a sum
    _marker_seen: _State | None = field(default=None, init=False)
    _marker_says: bool = field(default=False, init=False)
    _noted: dict[str, datetime] = field(factory=dict, init=False)
    _has_news: bool = field(default=False, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def keyring(self) -> Keyring:
        with self._lock:
            try:
                found = self._path.stat()
            except FileNotFoundError:
                return self._keyring_without_file()
            except OSError as error:
                raise _unreadable(error) from error
            state = (found.st_ino, found.st_mtime_ns, found.st_size)
            if state != self._seen:
                self._keyring = Keyring({}, is_open=False)  # in case the file cannot be read
                self._seen = None
                self._keyring = self._read()
                self._seen = state
            return self._keyring

    def note_tokens(self) -> None:
        """Record in the marker that there are tokens, and in the file their sum, if an earlier version did not."""
        with translated(writing=True):
            if not self._path.exists():
                return
            if not had_tokens(self.folder):
                with held(self.folder / TOKENS_LOCK):
                    note_tokens(self.folder, RandomIds())
            self.keyring()
            if not self._has_sum:
                with held(self.folder / TOKENS_LOCK):
                    self._keep(self.keyring().tokens)

    def add(self, token: Token) -> None:
        with self._changing(may_be_lost=True) as tokens:
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
            _write(self.folder / TOKEN_USES, told)

    def uses(self) -> dict[str, datetime]:
        try:
            told = json.loads((self.folder / TOKEN_USES).read_bytes())
            return {str(id): datetime.fromisoformat(at) for id, at in told.items()} | self._noted
        except (OSError, ValueError, TypeError, AttributeError):
            return dict(self._noted)

    @property
    def is_there(self) -> bool:
        """Whether there is a file of tokens."""
        return self._path.exists()

    def give_away(self, take: Callable[[Keyring, Mapping[str, datetime]], object]) -> None:
        """
        Let *take* keep the tokens, with their uses, elsewhere; then this store has none, and its file another name.

        Nothing happens without a file. If a crash cuts it off, *take* gets the same tokens again. Raises as `keyring`.
        """
        with translated(writing=True):
            if not self.is_there:
                return
            with held(self.folder / TOKENS_LOCK):
                note_tokens(self.folder, RandomIds())
                take(self.keyring(), self.uses())
                set_aside(self._path)

    @property
    def _path(self) -> Path:
        return self.folder / TOKENS

    def _read(self) -> Keyring:
        try:
            told = json.loads(self._path.read_bytes())
            is_ours = told["format"] == FORMAT
            tokens = [token_of(record) for record in told["tokens"]] if is_ours else None
            is_whole = not is_ours or (told.keys() <= _KEYS and told.get("sum") in (None, sum_of(told["tokens"])))
        except OSError as error:
            raise _unreadable(error) from error
        except (ValueError, KeyError, TypeError, AttributeError, TarkeepError) as error:
            raise BackendUnavailable("token file", "it is not one that this version wrote") from error
        if tokens is None:
            raise BackendUnavailable("token file", "a newer version wrote it")
        if not is_whole:
            raise BackendUnavailable("token file", _ANOTHER)
        self._has_sum = "sum" in told
        return Keyring({token.id: token for token in tokens}, is_open=False)

    def _keyring_without_file(self) -> Keyring:
        if self._keyring.is_open and not self._had_tokens():
            return self._keyring
        raise BackendUnavailable("token file", "it is gone")

    def _had_tokens(self) -> bool:
        try:
            found = (self.folder / MARKER).stat()
            state = (found.st_ino, found.st_mtime_ns, found.st_size)
            if state != self._marker_seen:
                self._marker_says = had_tokens(self.folder)
                self._marker_seen = state
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unreadable(error) from error
        except FormatUnknown as error:
            raise BackendUnavailable("token file", "whether there was one cannot be told") from error
        return self._marker_says

    @contextmanager
    def _changing(self, *, may_be_lost: bool = False) -> Iterator[dict[str, Token]]:
        """The tokens as they are, to be changed; saved when the context is left without an error."""
        with translated(writing=True):
            make_directory(self.folder)
            refuse_foreign(self.folder)
            with held(self.folder / TOKENS_LOCK):
                is_lost = may_be_lost and not self._path.exists()
                before = {} if is_lost else self.keyring().tokens
                tokens = dict(before)
                yield tokens
                if tokens != before:
                    self._keep(tokens)
                    note_tokens(self.folder, RandomIds())

    def _keep(self, tokens: Mapping[str, Token]) -> None:
        told = [record_of(token) for token in tokens.values()]
        _write(self._path, {"format": FORMAT, "sum": sum_of(told), "tokens": told})


@define
class TokenMark:
    """What the marker of the data directory *folder* says of tokens that are kept elsewhere."""

    folder: Path

    def had_tokens(self) -> bool:
        """Whether there were tokens as far as this directory knows. Raises BackendUnavailable."""
        with translated():
            try:
                return had_tokens(self.folder)
            except FormatUnknown as error:
                raise BackendUnavailable("store", "whether there were tokens cannot be told") from error

    def note_tokens(self) -> None:
        """Note that there are; the directory is made if it is missing. Raises as `make_directory` and `note_tokens`."""
        with translated(writing=True):
            make_directory(self.folder)
            refuse_foreign(self.folder)
            note_tokens(self.folder, RandomIds())


def _write(path: Path, content: Mapping[str, object]) -> None:
    replace_file(path, json.dumps(content, indent=1).encode() + b"\n")


def _unreadable(error: OSError) -> BackendUnavailable:
    return BackendUnavailable("token file", os.strerror(error.errno) if error.errno else "unknown error")
