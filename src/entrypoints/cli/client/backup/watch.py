"""Watching a dump while it is made: how far tar has read, how much there will be, and whether the server takes it."""

from __future__ import annotations

from attrs import define

from .....domain.client.ports.dumping import Estimate, Limits, Watch
from .....domain.text.sizes import human_size
from ...shared.transfers import Pace
from ...terminal.output import Output
from ...terminal.progress import Progress


@define
class WatchedDump:
    """
    One dump on its way, called *label*. A bar tells what tar has read, and is as long as a second tar foresees.

    *read_bytes* are of the tar, before compression.
    """

    label: str
    bars: Progress
    pace: Pace
    output: Output
    limits: Limits
    read_bytes: int = 0
    _foreseen_bytes: int | None = None

    def watch(self) -> Watch:
        """For who makes the dump. Looking ahead costs a walk through the tree, and is left out where nobody looks."""
        wanted = self.bars.is_seen or self.limits.max_upload_bytes is not None
        return Watch(self._read, self._foresee if wanted else None)

    def sent(self, position: int, moved_bytes: int) -> None:
        """So much of the archive went to the server."""
        if not self.bars.is_seen:
            self.bars.at(self.label, position, moved_bytes, None)
        self.pace.moved(moved_bytes)

    def _read(self, count_bytes: int) -> None:
        self.read_bytes += count_bytes
        if self.bars.is_seen:
            foreseen = self._foreseen_bytes
            size = None if foreseen is None else max(foreseen, self.read_bytes)
            self.bars.at(self.label, self.read_bytes, count_bytes, size)

    def _foresee(self, estimate: Estimate) -> None:
        self._foreseen_bytes = estimate.size_bytes
        warn_of_limit(self.output, estimate, self.limits)


def warn_of_limit(output: Output, estimate: Estimate, limits: Limits) -> None:
    """Say where a dump may be more than the server takes; how well it compresses nobody knows beforehand."""
    limit = limits.max_upload_bytes
    if limit is not None and estimate.size_bytes > limit:
        output.message(
            f"this dump has about {human_size(estimate.size_bytes)} before compression, and the server takes archives "
            f"of at most {human_size(limit)} (max_upload_bytes there): it may end for that"
        )
