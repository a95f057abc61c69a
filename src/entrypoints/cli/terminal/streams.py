"""
The standard streams of the command, which may be closed, full, or a pipe without a reader.

All output of a command goes through here. The number of a closed stream is occupied by an unusable descriptor, so that
no file opened later gets that number and with it the stream's output. Text that the stream's encoding lacks is
escaped, and registered secrets are masked.

The loss of standard error cannot be reported, so from then on its output is dropped. The loss of standard output ends a
command by `OutputLost` if its output is its purpose; a command with other work continues.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator

from ...settings.secrets import without_secrets

IN, OUT, ERR = 0, 1, 2
_BLOCK_BYTES = 1 << 20
_A_MOMENT = 1.0
_PIPE_BYTES = 4096  # PIPE_BUF: poll reports a pipe as writable only if this much fits


class OutputLost(Exception):
    """Standard output cannot be written any more; *number* is the errno."""

    def __init__(self, number: int) -> None:
        super().__init__(f"standard output cannot be written: {os.strerror(number)}")
        self.number = number

    @property
    def reader_is_gone(self) -> bool:
        """Whether the reader of the pipe has closed it, as ``head`` does."""
        return self.number == errno.EPIPE

    @property
    def was_closed(self) -> bool:
        """Whether standard output was closed when the command started."""
        return self.number == errno.EBADF


class _Descriptor(io.RawIOBase):
    """A raw stream on a descriptor; after the first failure it drops what is written."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.lost: OutputLost | None = None
        self.raises = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.number

    def isatty(self) -> bool:
        return os.isatty(self.number)

    def write(self, block: object) -> int:
        rest = memoryview(block).cast("B")  # type: ignore[arg-type]  # what a buffered writer gives
        if self.lost is None:
            try:
                return _written(self.number, rest)
            except OSError as error:
                self.lost = OutputLost(error.errno or errno.EIO)
                if self.raises:
                    raise self.lost from None
        return len(rest)


class _Text(io.TextIOWrapper):
    """A text stream that masks secrets."""

    def write(self, text: str) -> int:
        super().write(without_secrets(text))
        return len(text)


_closed: set[int] = set()
_output = _Descriptor(OUT)
_hurries = False


def make_fit() -> None:
    """Replace Python's standard streams by robust ones."""
    for number, flags in ((IN, os.O_WRONLY), (OUT, os.O_RDONLY), (ERR, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            _closed.add(number)
            os.open(os.devnull, flags)  # takes the lowest free number, which is this one
    _output.raises = True
    sys.stdout = _text(_output, sys.stdout)
    sys.stderr = _text(_Descriptor(ERR), sys.stderr)


def _text(descriptor: _Descriptor, before: io.TextIOBase | object) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "locale"
    is_terminal = descriptor.isatty()
    return _Text(io.BufferedWriter(descriptor), encoding, "backslashreplace", line_buffering=is_terminal)


def go_on_without_output() -> None:
    """From now on the loss of standard output does not end the command."""
    _output.raises = False


def goes_on_without_output() -> bool:
    """Whether `go_on_without_output` was called."""
    return not _output.raises


def lost_output() -> OutputLost | None:
    """Flush standard output and return why it cannot be written; None if it can."""
    try:
        sys.stdout.flush()
    except OutputLost as lost:
        return lost
    return _output.lost


def was_closed(number: int) -> bool:
    """Whether the stream *number* was closed when the command began."""
    return number in _closed


def input_blocks() -> Iterator[bytes]:
    """
    Standard input in blocks of at most 1 MiB.

    Raises:
        OSError: standard input cannot be read.
    """
    while True:
        try:
            block = os.read(IN, _BLOCK_BYTES)
        except BlockingIOError:  # another process made it non-blocking; no data yet is not the end
            _wait(IN, for_room=False)
            continue
        if not block:
            return
        yield block


def show(secret: str) -> None:
    """Print *secret* on standard output unmasked: the user asked for it."""
    sys.stdout.flush()
    sys.stdout.buffer.write(f"{secret}\n".encode())
    sys.stdout.buffer.flush()


def hurry() -> None:
    """The command is about to end: from now on wait at most `_A_MOMENT` seconds for a slow reader."""
    global _hurries
    _hurries = True


def _written(number: int, block: memoryview) -> int:
    if _hurries:
        if not _wait(number, for_room=True, seconds=_A_MOMENT):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        block = block[:_PIPE_BYTES]
    while True:
        try:
            return os.write(number, block)
        except BlockingIOError:  # another process that shares the pipe made it non-blocking
            _wait(number, for_room=True)


def _wait(number: int, *, for_room: bool, seconds: float | None = None) -> bool:
    import select  # rarely needed

    poll = select.poll()
    poll.register(number, select.POLLOUT if for_room else select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))
