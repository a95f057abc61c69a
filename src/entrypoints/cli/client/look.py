"""Commands that look into stored archives: the tree at some time, names, the history of a path, one file's bytes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from ....domain.client.ports.chains import LATEST, RemoteTreeEntry, RemoteVersion
from ....domain.identity.archive_id import ArchiveId
from ....domain.text.paths import path_text
from ....domain.text.sizes import human_size
from ...settings.client import ClientSettings
from ..shared.lacking import lacks_words
from ..shared.moments import point_at
from ..shared.opening import opening, required_profile, retry_notice
from ..shared.options import At, Long, LookedInto, NullPaths
from ..shared.paths import given_path
from ..terminal.columns import in_columns
from ..terminal.exits import OK
from ..terminal.output import Output

_LETTERS = {
    "directory": "d",
    "symlink": "l",
    "character-device": "c",
    "block-device": "b",
    "fifo": "p",
}


def ls(
    profile: LookedInto,
    path: str = "",
    /,
    *,
    at: At = LATEST,
    long: Long = False,
    recursive: Annotated[bool, Parameter(name=["--recursive", "-R"])] = False,
    null: NullPaths = False,
    allow_gaps: bool = False,
    client: ClientSettings | None = None,
) -> int:
    """
    List a folder of the tree as it was at some time.

    In names everything but printable characters is escaped; -0 prints names as they are.

    Parameters
    ----------
    path
        The folder or file, written as ls shows it. Default: the root of the tree.
    recursive
        List everything below as well.
    allow_gaps
        List what is known of a point even if some of its archives are missing.
    """
    from ...wiring.client_dumps import chains

    settings = client or ClientSettings()
    output = Output(settings.json, quiet=False)
    profile = required_profile(profile, settings)
    at = point_at(at, output)
    with opening(settings) as opened:
        entries = chains(opened).tree(
            profile,
            at,
            given_path(path),
            recursive=recursive,
            allow_gaps=allow_gaps,
            tell=lambda lacks: output.error(lacks_words(lacks)),
            warn=output.error,
        )
        return _show(output, entries, long=long, null=null)


def find(
    profile: LookedInto,
    name: str,
    /,
    *,
    at: At = LATEST,
    long: Long = False,
    null: NullPaths = False,
    allow_gaps: bool = False,
    client: ClientSettings | None = None,
) -> int:
    """
    Find files and folders by name in the tree as it was at some time.

    Parameters
    ----------
    name
        A part of the name, or a pattern such as *.jpg.
    allow_gaps
        Search what is known of a point even if some of its archives are missing.
    """
    from ...wiring.client_dumps import chains

    settings = client or ClientSettings()
    output = Output(settings.json, quiet=False)
    profile = required_profile(profile, settings)
    at = point_at(at, output)
    with opening(settings) as opened:
        entries = chains(opened).find(
            profile,
            at,
            path_text(given_path(name)),
            allow_gaps=allow_gaps,
            tell=lambda lacks: output.error(lacks_words(lacks)),
            warn=output.error,
        )
        return _show(output, entries, long=long, null=null)


def history(profile: LookedInto, path: str, /, *, client: ClientSettings | None = None) -> int:
    """
    Show how one file or folder changed, archive by archive.

    Parameters
    ----------
    path
        The file or folder, written as tarkeep ls shows it.
    """
    from ...wiring.client_dumps import chains

    settings = client or ClientSettings()
    output = Output(settings.json, quiet=False)
    profile = required_profile(profile, settings)
    with opening(settings) as opened:
        known, wanted = chains(opened), given_path(path)
        versions = opened.retrying(lambda: known.history(profile, wanted), on_retry=retry_notice(output))
    for version, line in in_columns(versions, _version_cells, right=[2]):
        output.result(line, **_version_members(version))
    if output.as_json:
        output.result("", summary=True, versions=len(versions))
    return OK


def cat(profile: LookedInto, path: str, /, *, at: At = LATEST, client: ClientSettings | None = None) -> int:
    """
    Print one file as it was at some time to standard output; with --json, print its size and SHA-256 instead.

    Parameters
    ----------
    path
        The file, written as tarkeep ls shows it.
    """
    from ...wiring.client_dumps import chains, content

    settings = client or ClientSettings()
    output = Output(settings.json, settings.quiet)
    profile = required_profile(profile, settings)
    at = point_at(at, output)
    with opening(settings) as opened:
        size, sha256 = 0, hashlib.sha256()
        for block in content(chains(opened), profile, at, given_path(path)):
            size += len(block)
            sha256.update(block)
            if not output.as_json:
                sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
        if output.as_json:
            output.result("", summary=True, path=path_text(given_path(path)), size=size, sha256=sha256.hexdigest())
    return OK


def _show(output: Output, entries: Iterable[RemoteTreeEntry], *, long: bool, null: bool) -> int:
    if output.as_json:
        count = 0
        for entry in entries:
            count += 1
            output.result("", **_entry_members(entry))
        output.result("", summary=True, entries=count)
    elif null:
        for entry in entries:
            sys.stdout.buffer.write(entry.path + b"\0")
    elif long:
        for _, line in in_columns(entries, _long_cells, right=[2]):
            output.result(line)
    else:
        for entry in entries:
            output.result(path_text(entry.path) + ("/" if entry.type == "directory" else ""))
    sys.stdout.flush()
    return OK


def _long_cells(entry: RemoteTreeEntry) -> list[str]:
    owner = "-" if entry.uid is None else f"{entry.uname or entry.uid}/{entry.gname or entry.gid}"
    size = human_size(entry.size_bytes) if entry.type == "file" else "-"
    link = f" -> {path_text(entry.link)}" if entry.link else ""
    return [_mode(entry), owner, size, _time_text(entry.mtime_ns), f"{path_text(entry.path)}{link}"]


def _mode(entry: RemoteTreeEntry) -> str:
    bits = "?????????"
    if entry.mode is not None:
        bits = "".join(letter if entry.mode & (1 << 8 - place) else "-" for place, letter in enumerate("rwxrwxrwx"))
    return _LETTERS.get(entry.type, "-") + bits


def _entry_members(entry: RemoteTreeEntry) -> dict[str, object]:
    return {
        "path": path_text(entry.path),
        "type": entry.type,
        "size": entry.size_bytes,
        "mtime": _time(entry.mtime_ns).isoformat() if entry.mtime_ns is not None else None,
        "mtime_ns": entry.mtime_ns,
        "mode": f"{entry.mode:04o}" if entry.mode is not None else None,
        "uid": entry.uid,
        "gid": entry.gid,
        "uname": entry.uname,
        "gname": entry.gname,
        "link": path_text(entry.link),
        "archive": _label(entry.archive),
    }


def _version_cells(version: RemoteVersion) -> list[str]:
    size = human_size(version.size_bytes) if version.size_bytes is not None else "-"
    event = f"{version.event} {path_text(version.other)}" if version.other is not None else version.event
    taken = f"{version.taken_at:%Y-%m-%d %H:%M:%S}Z"
    return [taken, event, size, f"modified {_time_text(version.mtime_ns)}", _label(version.archive) or "-"]


def _version_members(version: RemoteVersion) -> dict[str, object]:
    return {
        "archive": _label(version.archive),
        "taken_at": version.taken_at.isoformat(),
        "event": version.event,
        "type": version.type,
        "size": version.size_bytes,
        "mtime": _time(version.mtime_ns).isoformat() if version.mtime_ns is not None else None,
        "other": path_text(version.other) if version.other is not None else None,
    }


def _label(id: ArchiveId | None) -> str | None:
    return id.label if id is not None else None


def _time_text(mtime_ns: int | None) -> str:
    return f"{_time(mtime_ns):%Y-%m-%d %H:%M:%S}Z" if mtime_ns is not None else "-"


def _time(mtime_ns: int) -> datetime:
    try:
        return datetime.fromtimestamp(mtime_ns // 1_000_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)
