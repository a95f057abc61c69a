"""The use cases of resumable uploads, over any adapters."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from ...domain.ports.inspection import Hasher
from ...domain.ports.store import ArchiveStore
from ...domain.ports.system import Clock, IdSource
from ...domain.ports.uploads import UploadLocks, UploadSessions
from ...domain.usecases.receiving.receive import ReceiveArchive
from ...domain.usecases.uploading.append import AppendToUpload, JoinUploads
from ...domain.usecases.uploading.begin import BeginUpload
from ...domain.usecases.uploading.open_uploads import (
    EndUpload,
    ExpireOverdue,
    ExpireUploads,
    ParkedIntakes,
    ShowUpload,
    UploadsUnderWay,
)


@frozen
class Uploads:
    """The use cases of resumable uploads. The caller that opened them closes them."""

    begin: BeginUpload
    append: AppendToUpload
    under_way: UploadsUnderWay
    show: ShowUpload
    end: EndUpload
    join: JoinUploads
    expire: ExpireUploads

    def check_owner(self, id: str, owner: str | None) -> None:
        """As `UploadsUnderWay.check_owner`."""
        self.under_way.check_owner(id, owner)

    def close(self) -> None:
        """Release uploads that rest between two requests; their bytes stay in staging."""
        self.under_way.resting.close()


@frozen
class UploadLimits:
    """
    How long an upload may be idle, and how many may be unfinished.

    *may_move* tells that other servers may receive bytes of the same upload.
    """

    idle: timedelta = timedelta(hours=24)
    max_open: int = 1000
    max_open_per_client: int = 100
    max_open_per_token: int = 100
    may_move: bool = False


def uploads_of(
    receive: ReceiveArchive,
    store: ArchiveStore,
    hasher: Hasher,
    clock: Clock,
    ids: IdSource,
    sessions: UploadSessions,
    locks: UploadLocks,
    limits: UploadLimits,
) -> Uploads:
    """Resumable uploads that end as *receive* stores archives."""
    admission, begin_intake = receive.admission, receive.begin_intake
    settle = begin_intake.settle
    under_way = UploadsUnderWay(
        store, settle.stored_as, sessions, locks, ParkedIntakes(), clock, limits.idle, may_move=limits.may_move
    )
    expire_overdue = ExpireOverdue(under_way)
    begin = BeginUpload(
        under_way,
        ids,
        expire_overdue,
        admission,
        settle,
        limits.max_open,
        limits.max_open_per_client,
        limits.max_open_per_token,
    )
    return Uploads(
        begin=begin,
        append=AppendToUpload(under_way, admission, begin_intake, hasher),
        under_way=under_way,
        show=ShowUpload(under_way),
        end=EndUpload(under_way),
        join=JoinUploads(under_way, begin, receive, hasher),
        expire=ExpireUploads(under_way, expire_overdue),
    )
