"""Trying channels: a notice that says only that it is a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

from ...errors.notices import ChannelNotFound, NotDelivered
from ...notices.message import Message
from ...notices.notice import NoticeKind
from ...ports.system import Clock, IdSource
from ...ports.upkeep.notices import Channel


@frozen
class TryChannels:
    """Send a trial over one channel, or over all; *current* gives those in use by name."""

    current: Callable[[], Mapping[str, Channel]]
    clock: Clock
    ids: IdSource
    server: str

    def __call__(self, name: str | None = None) -> dict[str, str]:
        """
        Of each channel that was tried why it did not deliver; empty if it did.

        Raises:
            ChannelNotFound: there is no channel *name*.
        """
        channels = self.current()
        if name is not None and name not in channels:
            raise ChannelNotFound(name, tuple(channels))
        found: dict[str, str] = {}
        for channel in channels if name is None else (name,):
            text = f"This is a trial of the channel {channel}: alerts of Tarkeep on {self.server} reach you."
            message = Message(self.ids.new(), NoticeKind.TEST, self.clock.now(), self.server, "trial", text)
            try:
                channels[channel].deliver(message)
            except NotDelivered as error:
                found[channel] = str(error)
            else:
                found[channel] = ""
        return found
