"""The settings of the client; given by option, environment or ``~/.config/tarkeep/config.toml``."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from attrs import field, frozen
from cyclopts import Group, Parameter, Token

from ...domain.client.address import ServerAddress
from ...domain.errors.settings import InvalidSetting
from ...domain.identity.archive_id import BackupType
from .files import expanded, home_directory, read_setting_text, with_home
from .secrets import check_fingerprint, keep_secret, token_in
from .server import Size

_MOST_JOBS = 64
_LAST_WORDS_SECONDS = 1.0
SLOWEST_RATE = 64 << 10  # below this, a block takes longer than servers wait for the next byte


def _positive(_instance: object, attribute: object, value: int | None) -> None:
    if value is not None and value < 1:
        raise InvalidSetting(getattr(attribute, "name", "?"), f"must be 1 or more, is {value}")


def _rate(_instance: object, _attribute: object, value: int | None) -> None:
    if value is not None and value < SLOWEST_RATE:
        raise InvalidSetting("limit_rate", f"must be at least 64K bytes per second, is {value}")


def _jobs(_instance: object, _attribute: object, value: int | None) -> None:
    if value is not None and not 1 <= value <= _MOST_JOBS:
        reason = f"must be {_MOST_JOBS} or less" if value > 0 else "must be 1 or more"
        raise InvalidSetting("jobs", f"{reason}, is {value}")


def _address(_instance: object, _attribute: object, value: str) -> None:
    keep_secret(ServerAddress.parse(value).password or "")


def _type(_type: object, tokens: Sequence[Token]) -> str:
    return BackupType.parse(tokens[0].value).value


TypeWord = Annotated[Literal["FULL", "INC", "DIFF"], Parameter(converter=_type)]
"""A backup type on the command line, in any case; the words are listed for completion."""


# Small archives wait for the server's disk, and a server lets those that wait at the same time share a sync; large
# ones keep a connection busy with few.
AT_ONCE = 3
SMALL_AT_ONCE = 8
SMALL_BYTES = 8_000_000


BackupDir = Annotated[Path, Parameter(env_var=["TARKEEP_BACKUP_DIR", "BACKUP_DIR"])]


def _backup_dir(path: BackupDir) -> Path:
    """`with_home`; attrs derives the field's type from the converter's argument, so the variables are declared here."""
    return with_home(path)


@Parameter(name="*", group=Group("Options of every client command", sort_key=20))
@frozen
class ClientSettings:
    """The options of every command that talks to a server."""

    server: Annotated[str, Parameter(env_var=["TARKEEP_SERVER", "SERVER_URL"])] = field(
        default="http://127.0.0.1:5000", validator=_address
    )
    """The server's address."""

    backup_dir: BackupDir = field(default=Path("backups"), converter=_backup_dir)
    """The folder whose FULL, INC and DIFF hold the local archives."""

    profile: str | None = None
    """The profile for commands that are given none."""

    jobs: int | None = field(default=None, validator=_jobs)
    """How many archives to transfer at once, at most 64. Default: 3, or 8 if all are below 8 MB."""

    retries: int = field(default=8, validator=_positive)
    """How often to retry when the connection breaks without any progress in between."""

    wait: bool = False
    """Wait for a server that cannot be reached at all, as --retries says. Default: give up after 5 seconds."""

    limit_rate: Size | None = field(default=None, validator=_rate)
    """The maximum transfer rate in bytes per second, for all archives together. Units K, M, G."""

    token_file: Path | None = None
    """A file with the token. TARKEEP_TOKEN may contain the token itself; an option would be visible to other users."""

    token_command: str | None = None
    """A command that prints the token."""

    cacert: Path | None = None
    """A PEM file with the authorities to trust for the server's certificate. Default: those the system trusts."""

    fingerprint: str | None = field(default=None, validator=check_fingerprint)
    """The SHA-256 of the server's certificate; only this certificate is then trusted, whoever signed it."""

    json: bool = False
    """Print JSON lines: the progress and the result of each archive, then a summary."""

    quiet: bool = False
    """Print errors only; list, stats and --safe-to-delete still print their results."""

    def token(self) -> str | None:
        """
        The token, if one is set.

        Raises:
            InvalidSetting: its file cannot be read, or its command fails.
        """
        if "TARKEEP_TOKEN" in os.environ:
            text = os.environ["TARKEEP_TOKEN"]
            return token_in("TARKEEP_TOKEN", text, "") if text.strip() else None
        if self.token_file is not None:
            file = expanded("token_file", self.token_file)
            try:
                text = read_setting_text("token_file", file)
            except FileNotFoundError as error:
                raise InvalidSetting("token_file", f"{self.token_file}: {error.strerror}") from error
            return token_in("token_file", text, f"{self.token_file} holds no token")
        if self.token_command is not None:
            return token_in("token_command", _printed(self.token_command), "it printed no token")
        return None


def _printed(command: str) -> str:
    most_bytes = 64 << 10
    try:
        with (
            _said_without_secrets() as stderr,
            subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, stderr=stderr) as running,
        ):
            assert running.stdout is not None
            printed = running.stdout.read(most_bytes + 1)
            if len(printed) > most_bytes:
                raise InvalidSetting("token_command", "it prints more than a token")
    except (OSError, ValueError) as error:
        raise InvalidSetting("token_command", str(error)) from error
    if running.returncode:
        raise InvalidSetting("token_command", f"it ended with {running.returncode}")
    return printed.decode(errors="replace")


@contextmanager
def _said_without_secrets() -> Iterator[int]:
    """A standard error for a command, with secrets left out: a shell may repeat its arguments."""
    ours, theirs = os.pipe()

    def pass_on() -> None:
        with os.fdopen(ours, errors="backslashreplace") as said:
            for line in said:
                print(line, end="", file=sys.stderr, flush=True)

    passing = threading.Thread(target=pass_on, daemon=True)
    passing.start()
    try:
        yield theirs
    finally:
        os.close(theirs)
        passing.join(_LAST_WORDS_SECONDS)  # with a limit, since the command may have left processes running


def config_file() -> Path | None:
    """The path of the client's settings file; None for a user without a home directory."""
    return _below_home("XDG_CONFIG_HOME", ".config", "tarkeep/config.toml")


def memory_file() -> Path | None:
    """The path of the client's memory between runs; None for a user without a home directory."""
    return _below_home("XDG_STATE_HOME", ".local/state", "tarkeep/client.sqlite")


def where_to_set() -> str:
    """The place to put a setting, for messages."""
    file = config_file()
    return "a file that --config names" if file is None else str(file)


def _below_home(variable: str, otherwise: str, file: str) -> Path | None:
    named = os.environ.get(variable, "")
    if named.startswith("/"):
        return Path(named) / file
    home = home_directory()
    return None if home is None else home / otherwise / file
