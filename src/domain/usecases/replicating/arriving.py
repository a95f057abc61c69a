"""
Bytes of another server while they arrive: they go on at their position after a cut, and there are never too many.

A broken connection is tried again after growing pauses, without limit as long as bytes come in between. Whoever takes
the bytes checks their digest; here only their number is, so that a server that never ends fills no disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from attrs import frozen

from ...archives.archive import BackupArchive
from ...errors.client import ServerUnreachable, TooManyBytes
from ...errors.content import UploadInterrupted
from ...jobs.job import GoOn
from ...ports.upkeep.peers import Peer
from ...tarkeep_error import TarkeepError

_Answer = TypeVar("_Answer")

PAUSES = (1, 2, 5, 10, 20, 30)
"""Seconds between one try and the next that brings no bytes either."""

MOST_SNAPSHOT_BYTES = 256 << 20


@frozen
class Perseverance:
    """Trying again what another server did not answer; *wait* sleeps for seconds."""

    wait: Callable[[float], None]

    def __call__(self, attempt: Callable[[], _Answer], go_on: GoOn) -> _Answer:
        """What *attempt* returns. Raises its last error; at once when *go_on* says so."""
        for pause in PAUSES:
            try:
                return attempt()
            except TarkeepError as error:
                if not error.is_transient or not self.pause(pause, go_on):
                    raise
        return attempt()

    def pause(self, seconds: float, go_on: GoOn) -> bool:
        """Wait; returns whether to go on after that."""
        for _ in range(int(seconds)):
            if not go_on():
                return False
            self.wait(1)
        return go_on()

    def bytes_of(self, archive: BackupArchive, peer: Peer, go_on: GoOn) -> Iterator[bytes]:
        """
        All bytes of *archive*, exactly as many as it should have.

        Raises:
            TooManyBytes: there are more of them.
            UploadInterrupted: *go_on* said to stop.
            As `Peer.read`: after useful tries.
        """
        at = tries = 0
        while at < archive.size_bytes:
            before = at
            try:
                with peer.read(archive, at) as arriving:
                    behind = at - arriving.start_bytes  # not 0 where a server or a proxy ignores ranges
                    for block in arriving:
                        _check(go_on, at)
                        fresh = block[behind:] if behind else block
                        behind = max(0, behind - len(block))
                        at += len(fresh)
                        if at > archive.size_bytes:
                            raise TooManyBytes(peer.shown_url, str(archive.id), archive.size_bytes)
                        if fresh:
                            yield fresh
                if at < archive.size_bytes:
                    raise ServerUnreachable(peer.shown_url, f"the bytes of {archive.id} ended early")
            except UploadInterrupted:
                raise
            except TarkeepError as error:
                tries = 0 if at > before else tries
                if not error.is_transient or tries == len(PAUSES) or not self.pause(PAUSES[tries], go_on):
                    raise
                tries += 1

    def snapshot_of(self, archive: BackupArchive, peer: Peer, go_on: GoOn) -> Iterator[bytes]:
        """The snapshot file that is kept with *archive*. Raises as `bytes_of`, after one try."""
        size_bytes = 0
        with peer.snapshot(archive) as arriving:
            for block in arriving:
                size_bytes += len(block)
                _check(go_on, size_bytes)
                if size_bytes > MOST_SNAPSHOT_BYTES:
                    raise TooManyBytes(peer.shown_url, f"the snapshot file of {archive.id}", MOST_SNAPSHOT_BYTES)
                yield block


def _check(go_on: GoOn, received_bytes: int) -> None:
    if not go_on():
        raise UploadInterrupted(received_bytes)
