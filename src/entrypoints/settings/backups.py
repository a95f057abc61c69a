"""
The settings of backups: per profile in the client's settings file, and on the command line.

The file has a table for each profile, ``[backup.laptop]``; an unknown key in it is an error, too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from ...domain.client.backup.dump_rule import DumpRule, parse_period
from ...domain.client.ports.dumping import DumpSource
from ...domain.errors.settings import InvalidSetting, UsageError
from ...domain.identity.archive_id import BackupType
from ...domain.identity.invalid import InvalidName
from ...domain.identity.naming import check_profile
from .files import expanded
from .shapes import sentence, unknown_name

Value = TypeVar("Value")
NEVER = "never"
_USUAL = DumpRule()


class BackupSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one profile is backed up; None stands for the default."""

    directory: str | None = None
    type: str | None = None
    exclude: tuple[str, ...] = ()
    exclude_from: tuple[str, ...] = ()
    one_file_system: bool = False
    sparse: bool = False
    xattrs: bool = False
    acls: bool = False
    strict: bool = False
    full_every: str | None = None
    diff_every: str | None = None
    max_chain: int | None = None
    compress_jobs: int | None = None
    level: int | None = None
    spool: str | None = None
    tar: str | None = None

    def over(self, other: BackupSettings) -> BackupSettings:
        """These settings, with those of *other* as defaults; exclusions of both apply."""

        def first(mine: Value | None, others: Value | None) -> Value | None:
            return others if mine is None else mine

        return BackupSettings(
            directory=first(self.directory, other.directory),
            type=first(self.type, other.type),
            exclude=(*other.exclude, *self.exclude),
            exclude_from=(*other.exclude_from, *self.exclude_from),
            one_file_system=self.one_file_system or other.one_file_system,
            sparse=self.sparse or other.sparse,
            xattrs=self.xattrs or other.xattrs,
            acls=self.acls or other.acls,
            strict=self.strict or other.strict,
            full_every=first(self.full_every, other.full_every),
            diff_every=first(self.diff_every, other.diff_every),
            max_chain=first(self.max_chain, other.max_chain),
            compress_jobs=first(self.compress_jobs, other.compress_jobs),
            level=first(self.level, other.level),
            spool=first(self.spool, other.spool),
            tar=first(self.tar, other.tar),
        )

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
        return None if self.type in (None, "auto") else BackupType.parse(self.type)

    def compression(self) -> tuple[int, int]:
        """Number of threads, and level."""
        jobs = min(os.cpu_count() or 1, 4) if self.compress_jobs is None else self.compress_jobs
        level = 6 if self.level is None else self.level
        if not 1 <= jobs <= 64:
            raise InvalidSetting("compress_jobs", f"must be 1 to 64, is {jobs}")
        if not 1 <= level <= 9:
            raise InvalidSetting("level", f"must be 1 to 9, is {level}")
        return jobs, level


_NAMES = tuple(one.name for one in msgspec.structs.fields(BackupSettings))


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
            profiles[profile] = settings = msgspec.convert(told, BackupSettings)
        except msgspec.ValidationError as error:
            raise InvalidSetting(place, sentence(error)) from error
        settings.rule()
        settings.wanted()
        settings.compression()
    return profiles


def _period(name: str, text: str) -> timedelta:
    try:
        return parse_period(text)
    except ValueError as error:
        raise InvalidSetting(name, str(error)) from error
