"""``tarkeep status``: one screen that shows whether every local archive is safe on the server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ....domain.client.ports.local_archives import LocalArchive
from ....domain.client.status import Safety, Stock, TypeStock, age, compared_stock
from ....domain.client.unfinished import unfinished_uploads
from ....domain.errors.archives import ProfileNotFound
from ....domain.errors.client import ServerUnreachable
from ....domain.tarkeep_error import TarkeepError
from ....domain.text.counted import counted
from ....domain.text.sizes import human_size
from ....domain.text.times import utc_from_timestamp
from ...settings.client import ClientSettings
from ...settings.nearest import did_you_mean
from ..shared.opening import local_digests, opening, optional_profile, retry_notice, tell_unusable
from ..terminal.columns import in_columns
from ..terminal.exits import DIFFERENT, OK
from ..terminal.output import Output

if TYPE_CHECKING:
    from ...wiring.client import Client

_SHOWN_NAMES = 5
_LABELS = {
    Safety.MISSING: "missing there",
    Safety.DIFFERING: "other bytes are there under this name",
    Safety.DAMAGED: "damaged there",
    Safety.UNREADABLE: "cannot be read here",
    Safety.PRUNED: "removed there by the retention policy",
}


def status(profile: str | None = None, /, *, client: ClientSettings | None = None) -> int:
    """
    Show whether all local archives are safe on the server, and what to run if they are not.

    An archive is safe if exactly its bytes are stored there, undamaged, or were stored until the retention policy of
    the profile removed them. Digests are remembered, so that a second run reads no archive. Exit codes: 0 everything is
    safe; 10 there is no local archive, and the server has no such profile; 13 an archive is not safe, or cannot be read
    here.

    Parameters
    ----------
    profile
        Count archives of this profile only. Default: the one in the settings, else all.
    """
    from ...wiring.client import unfinished_pulls

    settings = client or ClientSettings()
    output = Output(settings.json, settings.quiet)
    profile = optional_profile(profile, settings)
    with opening(settings) as opened:
        contents = opened.files.look()
        tell_unusable(output, contents)
        archives = contents.archives
        digests = local_digests(opened, output, archives)
        stock = opened.retrying(lambda: compared_stock(digests, opened.remote, profile), on_retry=retry_notice(output))
        now = datetime.now(UTC)
        if profile is not None and not any(one.stored_count for one in stock.types.values()):
            if not archives and not contents.unusable:
                raise ProfileNotFound(profile)
            _tell_unknown(output, opened, profile)
        for type_stock, line in in_columns(stock.types.values(), lambda one: _cells(one, now), right=[1, 3, 4]):
            _show_type(output, type_stock, line)
        for safety, label in _LABELS.items():
            _show_names(output, stock.having(safety), safety, label)
        _show_unfinished_uploads(output, opened, archives, profile)
        for part in unfinished_pulls(settings.backup_dir):
            output.result(f"unfinished download: {part}", status="unfinished-download", path=str(part))
        _show_verdict(output, stock, opened.remote.shown_url, profile, len(contents.unusable))
    return OK if stock.is_safe and not contents.unusable else DIFFERENT


def _tell_unknown(output: Output, client: Client, profile: str) -> None:
    """Report that nothing of *profile* is stored: it may be new, or a typo."""
    known = {row.profile for row in client.retrying(client.remote.totals, on_retry=retry_notice(output))}
    guess = did_you_mean(profile, known) or "; if the name is wrong, tarkeep stats shows the existing profiles"
    output.error(f"nothing of a profile {profile} is stored yet on {client.remote.shown_url}{guess}")


def _cells(stock: TypeStock, now: datetime) -> list[str]:
    here, there = stock.newest_local, stock.newest_stored
    modified_at = _modified_at(here) if here is not None else None
    return [
        stock.type.value,
        f"{stock.local_count} here",
        f"newest {age(modified_at, now)}" if modified_at is not None else "",
        f"{stock.count(Safety.SAFE)} safe",
        f"{stock.stored_count} stored",
        f"newest {age(there.received_at, now)}" if there is not None else "",
    ]


def _modified_at(archive: LocalArchive) -> datetime | None:
    return utc_from_timestamp(archive.modified_ns / 1e9)


def _show_type(output: Output, stock: TypeStock, line: str) -> None:
    here, there = stock.newest_local, stock.newest_stored
    modified_at = _modified_at(here) if here is not None else None
    output.result(
        line,
        type=stock.type.value,
        local=stock.local_count,
        stored=stock.stored_count,
        newest_local=here.name if here is not None else None,
        newest_local_modified_at=modified_at.isoformat() if modified_at is not None else None,
        newest_stored=there.id.name if there is not None else None,
        newest_stored_received_at=there.received_at.isoformat() if there is not None else None,
        **{safety.value: stock.count(safety) for safety in Safety},
    )


def _show_names(output: Output, archives: Sequence[LocalArchive], safety: Safety, label: str) -> None:
    shown = archives if output.as_json else archives[:_SHOWN_NAMES]
    for archive in shown:
        output.result(f"{label}: {archive.label}", type=archive.type.value, name=archive.name, status=safety.value)
    if len(shown) < len(archives):
        output.result(f"{label}: and {len(archives) - len(shown)} more")


def _show_unfinished_uploads(
    output: Output, client: Client, archives: Sequence[LocalArchive], profile: str | None
) -> None:
    for archive, note in unfinished_uploads(archives, client.memory.notes.all(client.remote.shown_url), profile):
        try:
            progress = client.remote.upload_progress(note.address)
        except ServerUnreachable:
            raise
        except TarkeepError:  # expired or ended: the next push begins anew, so nothing is unfinished
            continue
        if progress.stored is None:
            output.result(
                f"unfinished upload: {archive.label} of {note.id.profile}, "
                f"{human_size(progress.offset_bytes)} of {human_size(archive.size_bytes)} are there",
                profile=note.id.profile,
                type=archive.type.value,
                name=archive.name,
                status="unfinished-upload",
                offset=progress.offset_bytes,
                size=archive.size_bytes,
            )


def _show_verdict(output: Output, stock: Stock, url: str, profile: str | None, unusable: int) -> None:
    line = _verdict(stock, url, profile, unusable)
    output.result(
        line,
        summary=True,
        safe=stock.is_safe and not unusable,
        local=stock.local_count,
        unsafe=stock.unsafe_count,
        unusable=unusable,
        server=url,
    )


def _verdict(stock: Stock, url: str, profile: str | None, unusable: int) -> str:
    if unusable and stock.is_safe:
        return f"{unusable} could not be read here; all others are safe on {url}"
    if not stock.local_count:
        return f"there is no local archive that could be safe on {url}"
    if stock.is_safe and (pruned := len(stock.having(Safety.PRUNED))):
        were = "was" if pruned == 1 else "were"
        return f"everything local is safe on {url}, but for {pruned} that {were} removed there by the retention policy"
    if stock.is_safe:
        return f"everything local is safe on {url}"
    unsafe = stock.unsafe_count
    line = (
        f"{unsafe} of {counted(stock.local_count, 'local archive')} {'is' if unsafe == 1 else 'are'} not safe on {url}"
    )
    if stock.having(Safety.MISSING) or stock.having(Safety.DAMAGED):
        return f"{line}; run: tarkeep push {profile or 'PROFILE'} --all"
    if stock.having(Safety.DIFFERING):
        return f"{line}; rename what differs and push it, or see which is right: tarkeep list {profile or 'PROFILE'}"
    return f"{line}; see why they cannot be read"
