"""
The messages that GNU tar writes to standard error while it makes an archive, sorted by their meaning for the archive.

tar speaks English here (LC_ALL=C) and escapes names, so that each message is one line. An unknown message is an error:
an archive never passes as good because a message was not understood.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from contextlib import suppress
from typing import IO

from attrs import define, field

from ...domain.client.ports.dumping import Unreadable

KEPT = 200
"""Messages of each sort that are kept; names of files that cannot be read are all kept."""

_UNREADABLE = re.compile(
    r"(?P<name>.+): (?:Cannot (?:open|stat|read|readlink|savedir|seek)"
    r"|Read error at byte \d+, while reading \d+ bytes?): (?P<reason>.+)",
    re.ASCII,
)
_IGNORED = re.compile(
    r".+: (?:(?:socket|door) ignored|Unknown file type; file ignored|file is on a different filesystem; not dumped"
    r"|contains a cache directory tag .+|Warning: Cannot .+)",
    re.ASCII,
)
_CHANGED = re.compile(
    r".+: (?:file changed as we read it|File removed before we read it|File shrank by \d+ bytes?; padding with zeros)",
    re.ASCII,
)
_AT_THE_END = "Exiting with failure status due to previous errors"
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


@define
class TarMessages:
    """
    The messages, read from *stream* in a thread of its own.

    After `wait`: *unreadable* are the files that were not read, or not to their end. *went_on* is true if tar reached
    its end despite errors.
    """

    _stream: IO[bytes]
    unreadable: list[Unreadable] = field(factory=list, init=False)
    went_on: bool = field(default=False, init=False)
    _errors: deque[str] = field(factory=lambda: deque(maxlen=KEPT), init=False)
    _changed: deque[str] = field(factory=lambda: deque(maxlen=KEPT), init=False)
    _others: deque[str] = field(factory=lambda: deque(maxlen=KEPT), init=False)
    _ignored: deque[str] = field(factory=lambda: deque(maxlen=KEPT), init=False)
    _thread: threading.Thread = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._thread = threading.Thread(target=self._read, name="tar messages", daemon=True)
        self._thread.start()

    def wait(self) -> tuple[str, ...]:
        """Wait for the end and return the messages: unreadable files first, what tar ignores on purpose last."""
        self._thread.join()
        return (*self._errors, *self._others, *self._changed, *self._ignored)

    @property
    def unreadable_messages(self) -> int:
        """How many of the messages are about files that could not be read; they are the first ones."""
        return len(self._errors)

    @property
    def changed(self) -> tuple[str, ...]:
        """The messages about files that changed while they were read; after `wait`."""
        return tuple(self._changed)

    @property
    def are_all_known(self) -> bool:
        """Whether every message is of a known sort; after `wait`."""
        return not self._others

    def _read(self) -> None:
        with suppress(ValueError, OSError):  # closed when the program was ended
            for line in self._stream:
                self._take(line.rstrip(b"\n").removeprefix(b"tar: ").decode(errors="backslashreplace"))

    def _take(self, said: str) -> None:
        found = _UNREADABLE.fullmatch(said)
        if found is not None:
            self.unreadable.append(Unreadable(unescaped(found["name"]), found["reason"]))
            self._keep(self._errors, said)
        elif said == _AT_THE_END:
            self.went_on = True
        elif _IGNORED.fullmatch(said):
            self._keep(self._ignored, said)
        elif _CHANGED.fullmatch(said):
            self._keep(self._changed, said)
        else:
            self._others.append(said)  # keep the last ones: they say why tar gave up

    @staticmethod
    def _keep(sort: deque[str], said: str) -> None:
        if len(sort) < KEPT:
            sort.append(said)


def unescaped(name: str) -> bytes:
    """The name that tar shows escaped."""

    def byte(match: re.Match[bytes]) -> bytes:
        escaped = match[1]
        if len(escaped) == 3:
            return bytes([int(escaped, 8) & 255])
        return _LETTERS.get(escaped, escaped)

    return _ESCAPE.sub(byte, os.fsencode(name))
