"""``tarkeep rules``: checking the file with the rules of profiles, showing those that one profile has, setting them."""

from __future__ import annotations

import sys
from pathlib import Path

from ....domain.errors.settings import InvalidSetting, UsageError
from ....domain.identity.naming import check_profile
from ....domain.profiles.rules import ProfileRules
from ....domain.text.counted import counted
from ...settings.server import StorageSettings
from ...settings.shown.profile_rules import rules_in_words
from ..terminal.columns import in_columns
from ..terminal.exits import OK
from ..terminal.output import Output
from ..terminal.streams import show
from .serve import Unused


def check(
    file: Path,
    /,
    *,
    json: bool = False,
    storage: StorageSettings | None = None,  # noqa: ARG001
    _server: Unused = None,
) -> int:
    """
    Check a file with the rules of profiles, before a server reads it. Exit codes: 0 it is good, 2 something is wrong.

    Parameters
    ----------
    file
        The file, such as profiles.toml.
    json
        Print the patterns as one JSON object.
    """
    from ...wiring.host import rules_in

    try:
        book = rules_in(file, must_exist=True)
    except InvalidSetting as error:  # the file is an argument here, and no setting
        raise UsageError(str(file), error.reason.removeprefix(str(file)).lstrip(": ")) from None
    kept = sum(rules.retention is not None for _, rules in book.entries)
    Output(json, quiet=False).result(
        f"{file}: {counted(len(book.entries), 'pattern')} of profiles, {kept} with a retention policy",
        file=str(file),
        patterns=[
            {"pattern": pattern, "has_retention": rules.retention is not None} for pattern, rules in book.entries
        ],
    )
    return OK


def show_(
    profile: str, /, *, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None
) -> int:
    """
    Show every rule that a profile has, and from where: the first pattern that matches counts, whole.

    Exit codes: 0 they are shown, 2 there is no such data directory, or something is wrong in the file.

    Parameters
    ----------
    profile
        The profile.
    json
        Print the rules as one JSON object.
    """
    from ...wiring.host import check_store, rules_on_host

    storage = storage or StorageSettings()
    if storage.profiles is None:  # else the defaults would be shown for any mistyped directory
        check_store(storage)
    with rules_on_host(storage) as known:
        kept = known.source.kept()
        book, file = known.source.read(kept), known.source.place(kept)
    pattern = book.pattern_of(check_profile(profile))
    source = f'["{pattern}"] in {file}' if pattern is not None else f"the defaults, since no pattern of {file} matches"
    rules, output = book.of(profile), Output(json, quiet=False)
    if json:
        output.result("", profile=profile, file=file, pattern=pattern, **_members(rules))
        return OK
    output.result(f"{profile}: {source}")
    for _, line in in_columns(rules_in_words(rules), lambda row: row):
        output.result(f"  {line}")
    return OK


def set_(file: Path, /, *, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None) -> int:
    """
    Let a file with the rules of profiles be that of all servers with one catalog in PostgreSQL.

    Each uses it within some seconds. A server that has a file of its own with other rules does not start any more. Exit
    codes: 0 it counts, 2 something is wrong in it, or the catalog is not in PostgreSQL.

    Parameters
    ----------
    file
        The file, such as profiles.toml.
    json
        Print its number and SHA-256 as one JSON object.
    """
    from ...wiring.host import check_store, rules_on_host

    storage = storage or StorageSettings()
    check_store(storage)
    with rules_on_host(storage) as known:
        try:
            kept = known.set(file)
        except InvalidSetting as error:
            if error.name != "profiles":
                raise
            raise UsageError(str(file), error.reason.removeprefix(str(file)).lstrip(": ")) from None
    Output(json, quiet=False).result(
        f"{file}: these are the rules of all servers now (number {kept.number})",
        file=str(file),
        number=kept.number,
        sha256=kept.sha256,
    )
    return OK


def get(*, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None) -> int:
    """
    Print the file with the rules that all servers with one catalog in PostgreSQL have.

    Exit codes: 0 it is printed, or there is none; 2 there is no such data directory.

    Parameters
    ----------
    json
        Print it, with its number and SHA-256, as one JSON object.
    """
    from ...wiring.host import check_store, rules_on_host

    storage = storage or StorageSettings()
    check_store(storage)
    with rules_on_host(storage) as known:
        kept = known.source.kept()
    if kept is None:
        print("tarkeep: the catalog has no rules; each server uses a file of its own", file=sys.stderr)
    elif json:
        Output(json, quiet=False).result("", number=kept.number, sha256=kept.sha256, text=kept.text)
    else:
        show(kept.text.removesuffix("\n"))
    return OK


def _members(rules: ProfileRules) -> dict[str, object]:
    return {
        "inc_base": rules.inc_base.value,
        "time_zone": str(rules.time_zone),
        "allow_opaque": rules.allow_opaque,
        "max_bytes": rules.max_bytes,
        "max_archives": rules.max_archives,
        "retention": None if rules.retention is None else dict(rules.retention.settings()),
    }
