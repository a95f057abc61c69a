"""What every `Channel` promises."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import define

from tarkeep.domain.errors.notices import NotDelivered
from tarkeep.domain.notices.event import AlertKey, Event
from tarkeep.domain.notices.message import Message
from tarkeep.domain.notices.notice import NoticeItem, NoticeKind
from tarkeep.domain.ports.upkeep.notices import Channel
from tests.support.archives import NOON

ITEM = NoticeItem("a1", AlertKey(Event.DAMAGED, "web", "FULL/é.tar.gz"), "FULL/é.tar.gz is damaged", NOON)
MESSAGE = Message("n1", NoticeKind.ALERT, NOON, "backup1", "web: damaged", "web: FULL/é.tar.gz is damaged.", (ITEM,))


@define
class OtherEnd:
    """Whoever a channel delivers to: `texts` is what it has taken."""

    def texts(self) -> Sequence[str]:
        raise NotImplementedError

    def refuse(self) -> None:
        """Take nothing from now on."""
        raise NotImplementedError


class ChannelContract:
    """A *channel* and its *other_end*."""

    @pytest.fixture
    def other_end(self) -> OtherEnd:
        raise NotImplementedError

    @pytest.fixture
    def channel(self, other_end: OtherEnd) -> Channel:
        raise NotImplementedError

    def test_a_message_arrives_whole(self, channel: Channel, other_end: OtherEnd) -> None:
        channel.deliver(MESSAGE)
        channel.deliver(MESSAGE)

        assert len(other_end.texts()) == 2
        for text in other_end.texts():
            assert "FULL/é.tar.gz is damaged" in text
            assert "backup1" in text

    def test_what_is_not_taken_is_not_delivered(self, channel: Channel, other_end: OtherEnd) -> None:
        other_end.refuse()
        with pytest.raises(NotDelivered):
            channel.deliver(MESSAGE)
        assert other_end.texts() == []
