"""
The settings of backups: per profile in the client's settings file, and on the command line.

The file has a table for each profile, ``[backup.laptop]``; an unknown key in it is an error, too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
from attrs import fields, frozen
from cyclopts import Parameter

from ...domain.client.backup.dump_rule import DumpRule, parse_period
from ...domain.client.ports.dumping import DumpSource
from ...domain.errors.settings import InvalidSetting, UsageError
from ...domain.identity.archive_id import BackupType
from ...domain.identity.invalid import InvalidName
from ...domain.identity.naming import check_profile
from .files import expanded
from .shapes import sentence, unknown_name

AUTO, NEVER = "auto", "never"
_USUAL = DumpRule()


@Parameter(name="*")
@frozen(kw_only=True)
class BackupOptions:
    """
    How a profile is backed up; None stands for the default.

    Each field is an option of ``tarkeep backup`` and a setting of the table of a profile, documented nowhere else.
    """

    type: Literal["auto", "full", "inc", "diff"] | None = None
    """
    auto decides by age: a FULL if there is nothing to continue from, if the directory has another name, if exclusions,
    --one-file-system, --xattrs or --acls have changed, or when one is due, then a DIFF when one is due,
    else an INC. Default: auto.
    """

    exclude: tuple[str, ...] = ()
    """Leave out names that match this pattern of GNU tar; may be given several times."""

    exclude_from: tuple[str, ...] = ()
    """Leave out names that match a pattern in this file; may be given several times."""

    one_file_system: bool = False
    """Stay in the file system of the directory."""

    sparse: bool = False
    """Find holes in files, such as disk images, and leave them out."""

    xattrs: bool = False
    """Keep extended attributes."""

    acls: bool = False
    """Keep access control lists."""

    strict: bool = False
    """
    Store nothing if a file or directory cannot be read. Without it the backup goes on, and the archive is stored
    without these files and with a note that lists them; the next dump tries them again.
    """

    full_every: str | None = None
    """How often auto makes a FULL, such as 12h, 30d or 8w. Default: 30d."""

    diff_every: str | None = None
    """How often auto makes a DIFF, or never. Default: 7d."""

    max_chain: int | None = None
    """How many archives a restore may need at most before auto makes a FULL. Default: 40."""

    compress_jobs: int | None = None
    """How many threads compress. Default: as many as there are processors, at most 4."""

    level: int | None = None
    """The compression level, 1 to 9. Default: 6."""

    spool: str | None = None
    """
    Write the archive to a file below this folder first, and remove it when the server has it. The next run first
    sends the rest of an unsent archive. Default: straight to the server.
    """

    tar: str | None = None
    """The GNU tar to use. Default: tar."""

    def of(self, directory: str | None) -> BackupSettings:
        """These options for a *directory*."""
        return BackupSettings(
            directory=directory, **{one.name: getattr(self, one.name) for one in fields(BackupOptions)}
        )


@frozen(kw_only=True)
class BackupSettings(BackupOptions):
    """How one profile is backed up, and which *directory* of this machine."""

    directory: str | None = None
    check: Literal["never", "weekly", "always"] | None = None
    """How often a dump is checked right after it was made; the option ``--check`` checks this one."""

    def over(self, other: BackupSettings) -> BackupSettings:
        """These settings, with those of *other* as defaults; exclusions of both apply."""
        merged = {
            one.name: _merged(getattr(self, one.name), getattr(other, one.name)) for one in fields(BackupSettings)
        }
        return BackupSettings(**merged)

    def source(self) -> DumpSource:
        """
        The source of the dump.

        Raises:
            InvalidSetting: the directory, or a list of patterns, does not exist.
        """
        if self.directory is None:
            raise UsageError("directory", "name the one to back up, or set it in the table of the profile")
        directory = expanded("directory", Path(self.directory)).resolve()
        if not directory.is_dir():
            raise InvalidSetting("directory", f"{directory} is not a directory")
        lists = [expanded("exclude_from", Path(listed)).absolute() for listed in self.exclude_from]
        for listed in lists:
            if not listed.is_file():
                raise InvalidSetting("exclude_from", f"{listed} is not a file")
        return DumpSource(
            str(directory),
            self.exclude,
            tuple(map(str, lists)),
            one_file_system=self.one_file_system,
            sparse=self.sparse,
            xattrs=self.xattrs,
            acls=self.acls,
        )

    def spool_folder(self) -> Path | None:
        """The folder where dumps wait for the server, None if they are sent directly."""
        return expanded("spool", Path(self.spool)) if self.spool is not None else None

    def program(self) -> str:
        """The tar program."""
        return "tar" if self.tar is None else tar_program(self.tar)

    def rule(self) -> DumpRule:
        """When a FULL and when a DIFF is due."""
        diff_every = _USUAL.diff_every
        if self.diff_every is not None:
            diff_every = None if self.diff_every == NEVER else _period("diff_every", self.diff_every)
        return DumpRule(
            _USUAL.full_every if self.full_every is None else _period("full_every", self.full_every),
            diff_every,
            _USUAL.max_chain if self.max_chain is None else self.max_chain,
        )

    def wanted(self) -> BackupType | None:
        """The type to make, None if the rule decides."""
        return None if self.type in (None, AUTO) else BackupType.parse(self.type)

    def compression(self) -> tuple[int, int]:
        """Number of threads, and level."""
        jobs = min(os.cpu_count() or 1, 4) if self.compress_jobs is None else self.compress_jobs
        level = 6 if self.level is None else self.level
        if not 1 <= jobs <= 64:
            raise InvalidSetting("compress_jobs", f"must be 1 to 64, is {jobs}")
        if not 1 <= level <= 9:
            raise InvalidSetting("level", f"must be 1 to 9, is {level}")
        return jobs, level


_NAMES = tuple(one.name for one in fields(BackupSettings))


def tar_program(given: str) -> str:
    """The program named by *given*: a path, perhaps with ``~``, or a name to be searched for."""
    return str(expanded("tar", Path(given))) if given.startswith("~") else given


def from_table(table: Mapping[str, object], file: str = "the settings file") -> dict[str, BackupSettings]:
    """
    The settings of each profile in *table*, the content of ``backup`` in *file*.

    Raises:
        InvalidSetting: a name is not valid for a profile, a key is unknown, or a value is of the wrong type.
    """
    profiles = {}
    for profile, told in table.items():
        try:
            check_profile(profile)
        except InvalidName as error:
            raise InvalidSetting(f"[backup] in {file}", str(error)) from error
        place = f"[backup.{profile}] in {file}"
        if not isinstance(told, dict):
            reason = f"{profile} belongs in the table of a profile, such as [backup.laptop]"
            raise InvalidSetting(f"[backup] in {file}", reason)
        if (wrong := unknown_name(told, _NAMES)) is not None:
            raise InvalidSetting(place, wrong)
        try:
            profiles[profile] = settings = msgspec.convert(_with_type(told), BackupSettings)
        except msgspec.ValidationError as error:
            raise InvalidSetting(place, sentence(error)) from error
        settings.rule()
        settings.compression()
    return profiles


def _with_type(told: dict[str, object]) -> dict[str, object]:
    """*told* with its type as an option has it; a file may write it in capitals."""
    word = told.get("type")
    return told if not isinstance(word, str) or word == AUTO else {**told, "type": BackupType.parse(word).value.lower()}


def _merged(mine: Any, others: Any) -> Any:
    """Two settings merged: *mine* overrides *others*; lists and flags are combined."""
    if isinstance(mine, tuple):
        return (*others, *mine)
    if isinstance(mine, bool):
        return mine or others
    return others if mine is None else mine


def _period(name: str, text: str) -> timedelta:
    try:
        return parse_period(text)
    except ValueError as error:
        raise InvalidSetting(name, str(error)) from error
