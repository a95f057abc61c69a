"""Who is told of what: notify.toml becomes a plan and channels."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, tzinfo
from pathlib import Path

from attrs import define, field

from ...adapters.cron_lines import CronsimLines
from ...adapters.filesystem.data_directory import NOTIFY
from ...adapters.memory.upkeep.notice_table import MemoryNoticeTable
from ...adapters.notices.apprise_channel import AppriseChannel
from ...adapters.notices.mail import MailChannel
from ...adapters.notices.pinned_http import send
from ...adapters.notices.webhook import WebhookChannel
from ...adapters.process.clock_and_ids import RandomIds, SystemClock
from ...domain.errors.settings import InvalidSetting
from ...domain.evidence.entry import EvidenceKind
from ...domain.evidence.facts import of_finding
from ...domain.identity.archive_id import ArchiveId
from ...domain.notices.event import Event
from ...domain.notices.routes import NoticePlan, PlanInUse
from ...domain.ports.system import Clock
from ...domain.ports.upkeep.evidence import EvidenceLog
from ...domain.ports.upkeep.notices import Channel, NoticeTable
from ...domain.tarkeep_error import TarkeepError
from ...domain.usecases.notices.raise_event import RaiseEvent
from ...domain.usecases.notices.try_channels import TryChannels
from ..logs import Log, LoggedNotices
from ..settings.notify import ChannelSettings, NotifySettings, SmtpSettings, WebhookSettings, check_url, read_notify
from ..settings.server import StorageSettings


class AlertingNotices(LoggedNotices):
    """
    `Notifier` that logs, adds damage and repairs to the evidence, and raises an alert of what was wrong for a moment:
    nothing else will show it.
    """

    def __init__(self, log: Log, raise_event: RaiseEvent, evidence: EvidenceLog, clock: Clock) -> None:
        super().__init__(log)
        self._raise_event = raise_event
        self._evidence = evidence
        self._clock = clock

    def damaged(self, id: ArchiveId, what: str) -> None:
        super().damaged(id, what)
        self._put_on_record(EvidenceKind.DAMAGED, id, what)

    def misrecorded(self, id: ArchiveId, what: str) -> None:
        super().misrecorded(id, what)
        self._put_on_record(EvidenceKind.DAMAGED, id, f"the {what} on record is wrong, the bytes are right")

    def whole(self, id: ArchiveId) -> None:
        super().whole(id)
        self._put_on_record(EvidenceKind.REPAIRED, id, "")

    def mended(self, id: ArchiveId, what: str) -> None:
        super().mended(id, what)
        self._put_on_record(EvidenceKind.MENDED, id, what)

    def _put_on_record(self, kind: EvidenceKind, id: ArchiveId, what: str) -> None:
        try:
            self._evidence.append(of_finding(self._clock.now(), kind, id, what))
        except TarkeepError as error:  # whoever found it goes on
            self._log.error("not in the evidence", archive=id, what=kind.value, reason=error)

    def unstable(self, id: ArchiveId, what: str) -> None:
        super().unstable(id, what)
        self._put_on_record(EvidenceKind.UNSTABLE, id, what)
        text = f"of {id.label} {what}, and it was right when it was read again"
        with suppress(TarkeepError):  # a full disk: it is in the log
            self._raise_event(Event.UNSTABLE, id.profile, id.label, text, is_momentary=True)


@define(eq=False)
class NoticeWiring:
    """The table of notices, the plan in use, and the channels by name, which may be replaced while in use."""

    table: NoticeTable = field(factory=MemoryNoticeTable)
    in_use: PlanInUse = field(factory=PlanInUse)
    channels: Mapping[str, Channel] = field(factory=dict)
    server: str = field(factory=socket.gethostname)
    heartbeat: Callable[[], None] | None = None

    def use(self, plan: NoticePlan, channels: Mapping[str, Channel]) -> None:
        """Use these from now on."""
        self.channels = channels
        self.in_use.plan = plan

    def current(self) -> Mapping[str, Channel]:
        """The channels in use."""
        return self.channels


def heartbeat_of(settings: StorageSettings) -> Callable[[], None] | None:
    """
    What calls the address of the setting ``heartbeat_url``, which may be a private one; None without it.

    Raises:
        InvalidSetting: it is no address.
    """
    url = settings.heartbeat_url.strip()
    if not url:
        return None
    try:
        check_url("it", url)
    except ValueError as error:
        raise InvalidSetting("heartbeat_url", str(error)) from None
    return lambda: send(url, {}, allow_private=True)


def notice_settings(settings: StorageSettings, zone: tzinfo = UTC) -> NotifySettings:
    """
    What notify.toml says; *zone* is that of its cron lines.

    Raises:
        InvalidSetting: it is missing though it was named, or something in it is not understood.
    """
    file: Path = settings.notify or settings.data / NOTIFY
    return read_notify(file, must_exist=settings.notify is not None, read_cron=CronsimLines().read, zone=zone)


def channels_of(told: NotifySettings, clock: Clock) -> Mapping[str, Channel]:
    """
    The channels that *told* states.

    Raises:
        InvalidSetting: what a channel needs is not installed.
    """
    return {name: _channel(channel, clock) for name, channel in told.channels.items()}


def try_channels(settings: StorageSettings) -> TryChannels:
    """What tries the channels of *settings*, without a store. Raises as the functions above."""
    clock = SystemClock()
    channels = channels_of(notice_settings(settings), clock)
    return TryChannels(lambda: channels, clock, RandomIds(), socket.gethostname())


def _channel(told: ChannelSettings, clock: Clock) -> Channel:
    if isinstance(told, WebhookSettings):
        return WebhookChannel(told.url, clock, told.secret, told.allow_private, told.format)
    if isinstance(told, SmtpSettings):
        return MailChannel(told.host, told.port, told.sender, told.to, told.security, told.user, told.password)
    return AppriseChannel(told.urls)
