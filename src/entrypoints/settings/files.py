"""
Files named by settings, and their location: read whole, with a bound, whatever kind of file they are.

A pipe, such as ``<(pass token)`` of a shell, is waited for, but not forever; a device has no end and is rejected.
Without a home directory, as in a container whose user has no line in /etc/passwd, no file is looked for there.
"""

from __future__ import annotations

import os
import pwd
import re
import select
import time
from pathlib import Path

from ...domain.errors.settings import InvalidSetting

MOST_BYTES = 4 << 20
_PATIENCE_SECONDS = 10.0
_BLOCK_BYTES = 64 << 10


def read_setting_file(setting: str, path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """
    The content of the file *path* that *setting* names.

    Raises:
        FileNotFoundError: the file does not exist.
        InvalidSetting: it cannot be read, is larger than *most_bytes*, or is a pipe without a writer.
    """
    try:
        # opening a pipe in another way waits for a writer, in some cases for ever
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            return _whole(setting, path, number, most_bytes)
        finally:
            os.close(number)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InvalidSetting(setting, f"{path}: {getattr(error, 'strerror', None) or error}") from error


def read_setting_text(setting: str, path: Path) -> str:
    """
    The same as text in UTF-8.

    Raises:
        FileNotFoundError, InvalidSetting: as above; or the content is not such text.
    """
    try:
        return read_setting_file(setting, path).decode()
    except UnicodeDecodeError as error:
        raise InvalidSetting(setting, f"{path}: it is not text in UTF-8 (byte {error.start + 1})") from error


def expanded(setting: str, path: Path) -> Path:
    """
    *path* with ``~`` replaced.

    Raises:
        InvalidSetting: the home directory is unknown.
    """
    try:
        return _expanded(path)
    except ValueError as error:
        raise InvalidSetting(setting, f"{path}: {error}") from None


def with_home(path: Path) -> Path:
    """`expanded`, as a converter of a field: the error then names the path instead of the setting."""
    try:
        return _expanded(path)
    except ValueError as error:
        raise InvalidSetting(str(path), str(error)) from None


def _expanded(path: Path) -> Path:
    if not str(path).startswith("~"):
        return path
    if path.parts[0] == "~":
        home = home_directory()
        if home is None:
            raise ValueError("you have no home directory for ~")
        return home.joinpath(*path.parts[1:])
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"there is no user {path.parts[0][1:]}") from None


def with_home_if_any(path: Path | None) -> Path | None:
    """The same for a field that may be None."""
    return None if path is None else with_home(path)


def url_with_home(url: str | None) -> str | None:
    """The same for a URL with a path, such as ``file:~/backups`` or ``sqlite:///~/catalog``."""
    match = re.fullmatch(r"([a-z]+:/*)(~.*)", url or "", re.DOTALL)
    return url if match is None else match[1] + str(with_home(Path(match[2])))


def home_directory() -> Path | None:
    """The directory in HOME, else that of the user, else None."""
    named = os.environ.get("HOME")
    if named:
        return Path(named)
    try:
        found = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return None
    return Path(found) if found else None


def _whole(setting: str, path: Path, number: int, most_bytes: int) -> bytes:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    ready = select.poll()
    ready.register(number, select.POLLIN)
    content = b""
    while len(content) <= most_bytes:
        # a pipe without a writer reads as if it had ended
        if not ready.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise InvalidSetting(setting, f"{path}: it gave no data for {_PATIENCE_SECONDS:.0f} s")
        try:
            block = os.read(number, _BLOCK_BYTES)
        except BlockingIOError:
            continue
        if not block:
            return content
        content += block
    raise InvalidSetting(setting, f"{path}: it is larger than {most_bytes} bytes")
