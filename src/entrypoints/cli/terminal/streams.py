"""
The standard streams of the command, fit for whatever they were opened on: closed, full, a pipe that nobody reads.

Everything that a command says goes through here. A stream that was closed is held by a descriptor that cannot be used,
so that no file that is opened later can get its number and with it what was meant for the stream. Text that the
stream's encoding does not have is escaped, and secrets that were named are left out.

Nobody can be told that standard error is lost, so what goes there is dropped from then on. Losing standard output
ends a command, whose purpose is what it prints, by `OutputLost`; one that has work to do goes on without.
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
_PIPE_BYTES = 4096  # are written without waiting where there is room at all


class OutputLost(Exception):
    """Standard output takes no more; *number* is that of the system's error."""

    def __init__(self, number: int) -> None:
        super().__init__(f"standard output cannot be written: {os.strerror(number)}")
        self.number = number

    @property
    def reader_is_gone(self) -> bool:
        """Whether a program read it and has read enough, as ``head`` does."""
        return self.number == errno.EPIPE

    @property
    def was_closed(self) -> bool:
        """Whether whoever began the command wanted none."""
        return self.number == errno.EBADF


class _Descriptor(io.RawIOBase):
    """An open descriptor as something to write into, until it fails."""

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
    """Text on its way to a descriptor."""

    def write(self, text: str) -> int:
        super().write(without_secrets(text))
        return len(text)


_closed: set[int] = set()
_output = _Descriptor(OUT)
_hurries = False


def make_fit() -> None:
    """Put streams that cannot fail in the place of those that Python has made."""
    for number, flags in ((IN, os.O_WRONLY), (OUT, os.O_RDONLY), (ERR, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            _closed.add(number)
            os.open(os.devnull, flags)  # gets the lowest number that is free, which is this one
    _output.raises = True
    sys.stdout = _text(_output, sys.stdout)
    sys.stderr = _text(_Descriptor(ERR), sys.stderr)


def _text(descriptor: _Descriptor, before: io.TextIOBase | object) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "locale"
    is_terminal = descriptor.isatty()
    return _Text(io.BufferedWriter(descriptor), encoding, "backslashreplace", line_buffering=is_terminal)


def go_on_without_output() -> None:
    """From now on the loss of standard output is no reason to stop."""
    _output.raises = False


def goes_on_without_output() -> bool:
    """Whether `go_on_without_output` was called."""
    return not _output.raises


def lost_output() -> OutputLost | None:
    """Why standard output takes no more, after everything was written that could be; None where all is well."""
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
    What comes from standard input, in blocks of at most 1 MiB.

    Raises:
        OSError: it cannot be read.
    """
    while True:
        try:
            block = os.read(IN, _BLOCK_BYTES)
        except BlockingIOError:  # somebody else made it so; no data now is no end
            _wait(IN, for_room=False)
            continue
        if not block:
            return
        yield block


def show(secret: str) -> None:
    """A line with *secret* on standard output, which is all that was asked for."""
    sys.stdout.flush()
    sys.stdout.buffer.write(f"{secret}\n".encode())
    sys.stdout.buffer.flush()


def hurry() -> None:
    """From now on whoever does not read is waited for no longer than a moment: the command is to end."""
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
        except BlockingIOError:  # whoever shares the pipe made it so
            _wait(number, for_room=True)


def _wait(number: int, *, for_room: bool, seconds: float | None = None) -> bool:
    import select  # hardly ever needed

    poll = select.poll()
    poll.register(number, select.POLLOUT if for_room else select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))
