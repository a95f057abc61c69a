"""Every adapter of the ports `NoticeTable`, `StatusTable` and `Channel` against its contract."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from aiosmtpd.controller import Controller
from attrs import define, field

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.upkeep.channel import MemoryChannel
from tarkeep.adapters.memory.upkeep.notice_table import MemoryNoticeTable
from tarkeep.adapters.memory.upkeep.status_table import MemoryStatusTable
from tarkeep.adapters.notices.apprise_channel import AppriseChannel
from tarkeep.adapters.notices.mail import MailChannel
from tarkeep.adapters.notices.webhook import WebhookChannel
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.upkeep.notice_rows import SqlNoticeTable
from tarkeep.adapters.sql.upkeep.status_rows import SqlStatusTable
from tests.contracts.channel import ChannelContract, OtherEnd
from tests.contracts.notice_table import ALERT, NoticeTableContract, put
from tests.contracts.status_table import StatusTableContract
from tests.support.archives import make_archive
from tests.support.clocks import FixedClock
from tests.support.receivers import Receiver, receiver
from tests.support.smtp import Mailbox, smtp_server


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[SqlCatalog]:
    with closing(SqlCatalog.open(catalog_url, busy_seconds=60)) as catalog:
        yield catalog


class TestMemoryNoticeTable(NoticeTableContract):
    @pytest.fixture
    def table(self) -> MemoryNoticeTable:
        return MemoryNoticeTable()


class TestSqlNoticeTable(NoticeTableContract):
    @pytest.fixture
    def table(self, catalog: SqlCatalog) -> SqlNoticeTable:
        return catalog.notices

    def test_it_outlives_the_process_and_a_rebuild(self, catalog: SqlCatalog, catalog_url: str) -> None:
        put(catalog.notices, ALERT)
        catalog.replace([make_archive()])
        catalog.close()

        with closing(SqlCatalog.open(catalog_url)) as again:
            assert again.notices.running() == [ALERT]


class TestMemoryStatusTable(StatusTableContract):
    @pytest.fixture
    def catalog(self) -> MemoryCatalog:
        return MemoryCatalog()

    @pytest.fixture
    def table(self, catalog: MemoryCatalog) -> MemoryStatusTable:
        return catalog.statuses


class TestSqlStatusTable(StatusTableContract):
    @pytest.fixture
    def catalog(self, catalog_url: str) -> Iterator[SqlCatalog]:
        with closing(SqlCatalog.open(catalog_url, busy_seconds=60)) as catalog:
            yield catalog

    @pytest.fixture
    def table(self, catalog: SqlCatalog) -> SqlStatusTable:
        return catalog.statuses


@define
class _InMemory(OtherEnd):
    channel: MemoryChannel = field(factory=MemoryChannel)

    def texts(self) -> Sequence[str]:
        return [f"{one.server}: {one.title}\n{one.text}" for one in self.channel.taken]

    def refuse(self) -> None:
        self.channel.refusal = "it is refused"


class TestMemoryChannel(ChannelContract):
    @pytest.fixture
    def other_end(self) -> _InMemory:
        return _InMemory()

    @pytest.fixture
    def channel(self, other_end: _InMemory) -> MemoryChannel:
        return other_end.channel


@define
class _Hook(OtherEnd):
    receiver: Receiver
    is_refusing: bool = False

    def texts(self) -> Sequence[str]:
        if self.is_refusing:
            return []
        return [json.dumps(one.told, ensure_ascii=False) for one in self.receiver.came]

    def refuse(self) -> None:
        self.is_refusing = True
        self.receiver.answers = [503] * 9


class TestWebhookChannel(ChannelContract):
    @pytest.fixture
    def other_end(self) -> Iterator[_Hook]:
        with receiver() as hook:
            yield _Hook(hook)

    @pytest.fixture
    def channel(self, other_end: _Hook) -> WebhookChannel:
        return WebhookChannel(other_end.receiver.url, FixedClock(), "secret", allow_private=True)


@define
class _Post(OtherEnd):
    mailbox: Mailbox
    controller: Controller

    def texts(self) -> Sequence[str]:
        found = []
        for content in self.mailbox.mails:
            mail = email.message_from_bytes(content, policy=email.policy.default)
            body = mail.get_body()
            assert body is not None
            found.append(f"{mail['Subject']}\n{body.get_content()}")
        return found

    def refuse(self) -> None:
        self.mailbox.refused = {"ops@example.org"}


class TestMailChannel(ChannelContract):
    @pytest.fixture
    def other_end(self) -> Iterator[_Post]:
        with smtp_server() as (mailbox, controller):
            yield _Post(mailbox, controller)

    @pytest.fixture
    def channel(self, other_end: _Post) -> MailChannel:
        to = ("ops@example.org", "boss@example.org")
        return MailChannel("127.0.0.1", other_end.controller.port, "tarkeep@example.org", to, "none")


@define
class _Anywhere(_Hook):
    """Apprise itself, sending to a program."""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its own imports
class TestAppriseChannel(ChannelContract):
    @pytest.fixture
    def other_end(self) -> Iterator[_Anywhere]:
        with receiver() as hook:
            yield _Anywhere(hook)

    @pytest.fixture
    def channel(self, other_end: _Anywhere) -> AppriseChannel:
        return AppriseChannel((other_end.receiver.url.replace("http://", "json://"),))
