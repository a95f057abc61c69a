"""``tarkeep list`` and ``tarkeep stats``: what a server holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....domain.archives.archive import BackupArchive
from ....domain.archives.totals import Totals
from ....domain.errors.archives import ProfileNotFound
from ....domain.identity.archive_id import BackupType
from ....domain.scrubbing.unread import LastChecked
from ....domain.text.counted import counted
from ....domain.text.sizes import human_size
from ...settings.client import ClientSettings
from ..shared.opening import opening, optional_profile, retry_notice
from ..shared.options import OnlyType
from ..terminal.columns import in_columns
from ..terminal.exits import OK
from ..terminal.output import Output

if TYPE_CHECKING:
    from ...wiring.client import Client


def list_(profile: str | None = None, /, *, type: OnlyType = None, client: ClientSettings | None = None) -> int:
    """
    List the stored archives, in the order in which they were received.

    Parameters
    ----------
    profile
        List this profile only. Default: the one in the settings, else all.
    """
    settings = client or ClientSettings()
    output = Output(settings.json, quiet=False)
    wanted = BackupType(type) if type else None
    profile = optional_profile(profile, settings)
    count = size = 0
    with opening(settings) as opened:
        listed = opened.remote.checked_archives(profile=profile, type=wanted)
        for (archive, checked), line in in_columns(listed, _cells, right=[1]):
            count, size = count + 1, size + archive.size_bytes
            output.result(
                line,
                profile=archive.id.profile,
                type=archive.id.type.value,
                name=archive.id.name,
                size=archive.size_bytes,
                sha256=archive.digests.sha256,
                md5=archive.digests.md5,
                received_at=archive.received_at.isoformat(),
                taken_at=archive.taken_at.isoformat(),
                state=archive.state.value,
                verified_at=None if checked.verified_at is None else checked.verified_at.isoformat(),
                damage=None if checked.fault is None else checked.fault.value,
            )
        if not count and profile is not None and (wanted is None or not _holds_any(opened, profile)):
            raise ProfileNotFound(profile)
    if output.as_json:
        output.result("", summary=True, archives=count, size=size)
    return OK


def _cells(listed: tuple[BackupArchive, LastChecked]) -> list[str]:
    archive, checked = listed
    return [
        f"{archive.received_at:%Y-%m-%d %H:%M:%S}Z",
        human_size(archive.size_bytes),
        archive.digests.sha256[:12],
        archive.state.value if checked.fault is None else f"{archive.state.value} ({checked.fault.value})",
        str(archive.id),
    ]


def _holds_any(client: Client, profile: str) -> bool:
    return next(iter(client.remote.archives(profile=profile)), None) is not None


def stats(*, client: ClientSettings | None = None) -> int:
    """Count the stored archives, by profile and type."""
    settings = client or ClientSettings()
    output = Output(settings.json, quiet=False)
    with opening(settings) as opened:
        rows = opened.retrying(opened.remote.totals, on_retry=retry_notice(output))
    for row, line in in_columns(rows, _counts, right=[2, 3]):
        output.result(
            line,
            profile=row.profile,
            type=row.type.value,
            archives=row.archives,
            size=row.size_bytes,
            newest=row.newest.isoformat(),
        )
    size = sum(row.size_bytes for row in rows)
    count = sum(row.archives for row in rows)
    words = f"{counted(count, 'archive')}, {human_size(size)}"
    output.result(words, summary=True, archives=count, size=size)
    return OK


def _counts(row: Totals) -> list[str]:
    newest = f"newest {row.newest:%Y-%m-%d %H:%M:%S}Z"
    return [row.profile, row.type.value, str(row.archives), human_size(row.size_bytes), newest]
