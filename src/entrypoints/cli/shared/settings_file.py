"""The settings file of one call: one table of settings for all commands."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import cyclopts

from ....domain.errors.settings import InvalidSetting
from ...settings.files import expanded, read_setting_text


class SettingsFile(cyclopts.config.Dict):
    """The settings of a file, as a source of options for cyclopts."""

    def __init__(self, table: dict[str, object], source: str) -> None:
        super().__init__(table, source=source, use_commands_as_keys=False, allow_unknown=False)


_read: list[SettingsFile] = []  # holds at most one, the file of this call


def read_settings_file(path: Path, *, must_exist: bool) -> SettingsFile:
    """
    Read *path* and make it the settings file of this call; an optional file that is missing counts as empty.

    Raises:
        InvalidSetting: the file is missing and required, or is not valid TOML.
    """
    file = SettingsFile(_table(path, must_exist=must_exist), source=str(path))
    _read[:] = [file]
    return file


def settings_file() -> SettingsFile | None:
    """The settings file that was read, if any."""
    return _read[0] if _read else None


def command_table(name: str) -> tuple[Mapping[str, object], str]:
    """
    The table *name* of the settings file, such as ``[backup]``, which is not an option; and the file's path.

    Raises:
        InvalidSetting: the value is not a table.
    """
    file = settings_file()
    if file is None:
        return {}, "the settings file"
    table = file.config.get(name, {})
    if not isinstance(table, dict):
        raise InvalidSetting(f"{name} in {file.source}", "must be a table")
    return table, file.source


def _table(file: Path, *, must_exist: bool) -> dict[str, object]:
    try:
        return tomllib.loads(read_setting_text("config", expanded("config", file)))
    except FileNotFoundError:
        if must_exist:
            raise InvalidSetting("config", f"there is no file {file}") from None
        return {}
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidSetting("config", f"{file} cannot be read as TOML: {error}") from error
