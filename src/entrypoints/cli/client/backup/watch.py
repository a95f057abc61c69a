"""Watching a dump while it is made: how much tar has read, the estimated total, and the server's size limit."""

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
    One running dump, called *label*. The bar shows what tar has read, of the total that a second tar estimates.

    *read_bytes* counts bytes of the tar, before compression.
    """

    label: str
    bars: Progress
    pace: Pace
    output: Output
    limits: Limits
    read_bytes: int = 0
    _foreseen_bytes: int | None = None

    def watch(self) -> Watch:
        """The callbacks for the dumper. The estimate costs a walk of the tree, so it is skipped if nothing uses it."""
        wanted = self.bars.is_seen or self.limits.max_upload_bytes is not None
        return Watch(self._read, self._foresee if wanted else None)

    def sent(self, position: int, moved_bytes: int) -> None:
        """Progress callback: *moved_bytes* more of the archive were sent, up to *position*."""
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
    """Warn if a dump may exceed the server's limit; how well it compresses is unknown beforehand."""
    limit = limits.max_upload_bytes
    if limit is not None and estimate.size_bytes > limit:
        output.message(
            f"this dump has about {human_size(estimate.size_bytes)} before compression, and the server takes archives "
            f"of at most {human_size(limit)} (max_upload_bytes there): it may end for that"
        )
