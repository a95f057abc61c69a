"""The settings of the client; given by option, environment or ``~/.config/tarkeep/config.toml``."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from attrs import field, frozen
from cyclopts import Parameter, Token

from ...domain.archives import BackupType
from ...domain.errors import InvalidSetting
from ..settings import Size

SLOWEST_RATE = 64 << 10  # below this a block takes longer than servers wait for the next byte


def _positive(_instance: object, attribute: object, value: int | None) -> None:
    if value is not None and value < 1:
        raise InvalidSetting(getattr(attribute, "name", "?"), f"must be 1 or more, is {value}")


def _rate(_instance: object, _attribute: object, value: int | None) -> None:
    if value is not None and value < SLOWEST_RATE:
        raise InvalidSetting("limit_rate", f"must be at least 64K bytes per second, is {value}")


def _fingerprint(_instance: object, _attribute: object, value: str | None) -> None:
    if value is not None and not re.fullmatch(r"[0-9A-Fa-f]{64}", value.replace(":", ""), re.ASCII):
        raise InvalidSetting("fingerprint", f"must be the SHA-256 of a certificate, 64 hex digits, is {value!r}")


def _address(_instance: object, _attribute: object, value: str) -> None:
    if not value.startswith(("http://", "https://")):
        raise InvalidSetting("server", f"must begin with http:// or https://, is {value!r}")


def _type(_type: object, tokens: Sequence[Token]) -> str:
    return BackupType.parse(tokens[0].value).value


TypeWord = Annotated[Literal["FULL", "INC", "DIFF"], Parameter(converter=_type)]
"""A backup type on the command line, in any case; the words are there for completion."""


# Small archives wait for the server's disk, and a server lets those that wait together share the waiting; large ones
# keep a line busy with few.
AT_ONCE = 3
SMALL_AT_ONCE = 8
SMALL_BYTES = 8_000_000


@Parameter(name="*")
@frozen
class ClientSettings:
    """What every command that talks to a server takes."""

    server: Annotated[str, Parameter(env_var=["TARKEEP_SERVER", "SERVER_URL"])] = field(
        default="http://127.0.0.1:5000", validator=_address
    )
    """The server's address."""

    backup_dir: Annotated[Path, Parameter(env_var=["TARKEEP_BACKUP_DIR", "BACKUP_DIR"])] = Path("backups")
    """The folder whose FULL, INC and DIFF hold the local archives."""

    profile: str | None = None
    """The profile that commands are about when they name none."""

    jobs: int | None = field(default=None, validator=_positive)
    """How many archives are on their way at once. Default: 3, or 8 where all are below 8 MB."""

    retries: int = field(default=8, validator=_positive)
    """How often to try again when the line breaks and nothing moves in between."""

    limit_rate: Size | None = field(default=None, validator=_rate)
    """The most bytes per second to transfer, all archives together. Units K, M, G."""

    token_file: Path | None = None
    """A file that holds the token. TARKEEP_TOKEN holds it itself; it cannot be an option, which everybody could see."""

    token_command: str | None = None
    """A command that prints the token."""

    cacert: Path | None = None
    """A PEM file with the certificates by which the server's is trusted. Default: those the system trusts."""

    fingerprint: str | None = field(default=None, validator=_fingerprint)
    """The SHA-256 of the server's certificate, which then is trusted whoever signed it, and no other."""

    json: bool = False
    """Print JSON lines: for each archive how it gets on and what became of it, last a summary."""

    quiet: bool = False
    """Print errors only; list, stats and --safe-to-delete still print what they are asked for."""

    def token(self) -> str | None:
        """
        The token, where one is set.

        Raises:
            InvalidSetting: its file cannot be read, or its command fails.
        """
        if "TARKEEP_TOKEN" in os.environ:
            return os.environ["TARKEEP_TOKEN"].strip() or None
        if self.token_file is not None:
            try:
                text = self.token_file.expanduser().read_text()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is no text"
                raise InvalidSetting("token_file", f"{self.token_file}: {reason}") from error
            return _token("token_file", text, f"{self.token_file} holds no token")
        if self.token_command is not None:
            ran = subprocess.run(self.token_command, shell=True, stdout=subprocess.PIPE, text=True, check=False)
            if ran.returncode:
                raise InvalidSetting("token_command", f"it ended with {ran.returncode}")
            return _token("token_command", ran.stdout, "it printed no token")
        return None


def _token(setting: str, text: str, without: str) -> str:
    words = text.split()
    if not words:
        raise InvalidSetting(setting, without)
    if len(words) > 1 or not words[0].isascii():
        raise InvalidSetting(setting, "a token is one word of plain letters, digits and signs")
    return words[0]


def config_file() -> Path:
    """Where the client's settings are looked for."""
    return _home("XDG_CONFIG_HOME", ".config") / "tarkeep" / "config.toml"


def memory_file() -> Path:
    """Where the client keeps what it remembers between runs."""
    return _home("XDG_STATE_HOME", ".local/state") / "tarkeep" / "client.sqlite"


def _home(variable: str, otherwise: str) -> Path:
    named = os.environ.get(variable, "")
    return Path(named) if named.startswith("/") else Path.home() / otherwise
