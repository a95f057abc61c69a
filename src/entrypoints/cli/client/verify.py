"""``tarkeep verify``: comparing the local archives with those on a server."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ....domain.archives.inventory import InventoryEntry
from ....domain.client.ports.local_archives import LocalArchive
from ....domain.client.status import Safety, compared_stock
from ....domain.errors.archives import ProfileNotFound
from ...settings.client import ClientSettings
from ..shared.damage import damage_told
from ..shared.opening import local_digests, opening, optional_profile, retry_notice, tell_unusable
from ..shared.options import Null
from ..terminal.exits import DIFFERENT, OK, PARTLY
from ..terminal.output import Output

_BUCKETS = {
    "synced": "synced",
    "missing_remote": "missing there",
    "extra_remote": "only there",
    "differing": "differing",
    "unverified": "unverified",
    "damaged": "damaged there",
    "pruned": "removed there",
}


def verify(
    profile: str | None = None,
    /,
    *,
    full: bool = False,
    report: bool = False,
    safe_to_delete: bool = False,
    null: Null = False,
    client: ClientSettings | None = None,
) -> int:
    """
    Compare the local archives with those on the server.

    Digests are remembered, so that a second run reads no archive. Exit codes: 0 all local archives are stored,
    unchanged; 10 there is no local archive, and the server has no such profile; 13 an archive differs, is damaged there
    or cannot be read here. Archives that only the server has are listed, but do not count as differences; nor do those
    that the retention policy of the profile removed.

    Parameters
    ----------
    profile
        Compare with this profile only. Default: the one in the settings, else all.
    full
        Read every file again, even if its digest is remembered.
    report
        List every archive, not only those that differ.
    safe_to_delete
        Print only the paths of local archives that are stored, undamaged, with the same SHA-256; exit code 0, or 3 if
        something could not be read here. Those that the retention policy of the profile removed from the server are
        named on standard error: they were kept as long as the policy requires, and may be the last copies.
    null
        End those paths with NUL bytes instead of line ends, for xargs -0.
    """
    settings = client or ClientSettings()
    output = Output(settings.json, settings.quiet)
    profile = optional_profile(profile, settings)
    notice = retry_notice(output)
    with opening(settings) as opened:
        contents = opened.files.look()
        tell_unusable(output, contents)
        archives = contents.archives
        digests = local_digests(opened, output, archives, again=full)
        if safe_to_delete:
            stock = opened.retrying(lambda: compared_stock(digests, opened.remote, profile), on_retry=notice)
            for archive in stock.having(Safety.PRUNED):
                output.error(f"{archive.label}: removed there by the retention policy; this may be the last copy")
            _print_paths(output, stock.having(Safety.SAFE), end="\0" if null else "\n")
            return PARTLY if contents.unusable else OK
        entries = [
            InventoryEntry(archive.type, _sendable(archive.name), archive.size_bytes, sha256=digests[archive])
            for archive in archives
        ]
        compared = opened.retrying(lambda: opened.remote.verify(profile, entries), on_retry=notice)
    if profile is not None and not any(part.remote_count for part in compared.types.values()):
        if not archives and not contents.unusable:
            raise ProfileNotFound(profile)
        slip = "if the name is wrong, tarkeep stats shows the existing profiles"
        output.error(f"nothing of a profile {profile} is stored yet on {opened.remote.shown_url}; {slip}")
    safe = not contents.unusable
    for type, part in compared.types.items():
        if report and not settings.json:
            output.result(f"{type.value}: {part.local_count} here, {part.remote_count} on the server")
        for bucket, label in _BUCKETS.items():
            for name in getattr(part, bucket):
                if bucket != "synced" or report or settings.json:
                    shows = {"damage": part.damage.get(name)} if bucket == "damaged" else {}
                    text = f"{label:16} {type.value}/{name}{damage_told(shows.get('damage'))}"
                    output.result(text, status=bucket, type=type.value, name=name, **shows)
        safe = safe and not (part.missing_remote or part.differing or part.unverified or part.damaged)
    counts = {bucket: sum(len(getattr(part, bucket)) for part in compared.types.values()) for bucket in _BUCKETS}
    words = (
        ", ".join(f"{count} {_BUCKETS[bucket]}" for bucket, count in counts.items() if count) or "nothing to compare"
    )
    unusable = len(contents.unusable)
    if unusable:
        words += f"; {unusable} could not be read here"
    output.result(
        f"{opened.remote.shown_url}: {words}",
        summary=True,
        synchronized=compared.is_synchronized,
        **counts,
        unusable=unusable,
    )
    return OK if safe else DIFFERENT


def _sendable(name: str) -> str:
    """*name* with non-UTF-8 bytes escaped: JSON cannot carry them, and no archive on a server has such a name."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _print_paths(output: Output, archives: Sequence[LocalArchive], *, end: str) -> None:
    """Print the paths as they are, byte for byte, for programs."""
    for archive in archives:
        if output.as_json:
            output.result("", path=archive.path)
        elif end in archive.path:
            output.error(f"{archive.path} has a line end in its name and is left out; use --null")
        else:
            sys.stdout.buffer.write(os.fsencode(archive.path + end))
    if output.as_json:
        output.result("", summary=True, safe=len(archives))
    sys.stdout.flush()
