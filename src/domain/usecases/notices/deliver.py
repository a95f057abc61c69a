"""
Delivering notices: the job that sends what is in the outbox.

The rule: a notice is sent first and noted then. Cut off between the two, it is sent once more: what was told twice has
the same id, and nothing is noted as told that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from attrs import define, field

from ...errors.notices import NotDelivered
from ...jobs.job import GoOn, JobReport
from ...notices.message import Advice, message_of
from ...notices.notice import Notice
from ...notices.routes import PlanInUse
from ...notices.settling import after_try
from ...ports.system import Clock, IdSource
from ...ports.upkeep.notices import Channel, NoticeTable
from ...text.counted import counted

DELIVER = "deliver"
"""The name of the job."""

MOST_AT_ONCE = 50


def _no_beat() -> str:
    return ""


@define(eq=False)
class DeliverNotices:
    """Send the notices whose time has come, once; for one thread."""

    notices: NoticeTable
    channels: Callable[[], Mapping[str, Channel]]
    clock: Clock
    ids: IdSource
    in_use: PlanInUse
    server: str
    advice: Advice
    beat: Callable[[], str] = _no_beat
    _told: str = field(default="", init=False)
    _failed: set[str] = field(factory=set, init=False)

    def __call__(self, go_on: GoOn) -> JobReport:
        """After a failure, a channel is left alone for the rest of this run: each try may take seconds."""
        channels, self._failed = self.channels(), set()
        delivered = 0
        failures: list[str] = []
        for notice in self.notices.due(self.clock.now(), limit=MOST_AT_ONCE):
            if not go_on():
                break
            if notice.channel in self._failed:
                continue
            error = self._sent(notice, channels)
            if error is None:
                delivered += 1
                self._note(notice.delivered(self.clock.now()))
            else:
                self._failed.add(notice.channel)
                failures.append(f"the channel {notice.channel} did not take one: {error}")
                self._note(notice.failed(error, self.clock.now()))
        put_off, silence = len(failures), self.beat()
        is_new, self._told = silence not in ("", self._told), silence
        if silence:
            failures.append(silence)
        summary = "; ".join([f"{counted(delivered, 'notice')} delivered", *failures])
        # a try in vain is no failure of the job: the notice is tried again, and given up only after days
        counts = {"delivered": delivered, "put_off": put_off}
        return JobReport(summary, counts, did_something=bool(delivered or put_off or is_new))

    def _sent(self, notice: Notice, channels: Mapping[str, Channel]) -> str | None:
        """Why *notice* was not delivered; None if it was."""
        channel = channels.get(notice.channel)
        if channel is None:
            return "there is no channel of that name any more"
        try:
            channel.deliver(message_of(notice, self.server, self.advice))
        except NotDelivered as error:
            return str(error)
        return None

    def _note(self, tried: Notice) -> None:
        now: datetime = self.clock.now()
        plan = self.in_use.plan
        decide = partial(after_try, tried=tried, now=now, plan=plan, new_id=self.ids.new)
        self.notices.update_told([item.alert for item in tried.items], now, decide)
