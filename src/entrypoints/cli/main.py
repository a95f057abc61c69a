"""
The command ``tarkeep``: its commands, where their settings come from, and how errors end it.

Commands are named here and imported when they run: the server's take 300 ms that no client need pay.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import cyclopts
from cyclopts import App, ArgumentCollection, Parameter

from ... import __version__
from ...domain.errors import InvalidSetting
from ...domain.path_text import printable
from ..setting_files import expanded, read_setting_text
from ..settings import ServerSettings, StorageSettings
from . import process
from .client_settings import ClientSettings, config_file
from .exits import FAILED, last_words

ENVIRONMENT = "TARKEEP_"
DEFAULT_FILE = Path("tarkeep.toml")
SERVER_COMMANDS = {
    "serve": "server_commands:serve",
    "rebuild": "server_commands:rebuild",
    "import": "server_commands:import_",
    "token create": "access_commands:create_token",
    "token list": "access_commands:list_tokens",
    "token revoke": "access_commands:revoke_token",
    "audit verify": "access_commands:verify_audit",
    "audit head": "access_commands:audit_head",
    "tls self-signed": "access_commands:self_signed",
}
GROUPS = {"token": "Make, list and revoke tokens.", "audit": "Check the log of writes.", "tls": "Make a certificate."}
CLIENT_COMMANDS = {
    "push": "client_push:push",
    "pull": "client_pull:pull",
    "verify": "client_verify:verify",
    "status": "client_status:status",
    "list": "client_list:list_",
    "stats": "client_list:stats",
    "backup": "client_backup:backup",
    "restore": "client_restore:restore",
    "points": "client_points:points",
    "ls": "client_look:ls",
    "find": "client_look:find",
    "history": "client_look:history",
    "cat": "client_look:cat",
}
COMPLETION = "completion"
# What these do matters more than what they say of it: a full disk under standard output is no reason to stop.
WITHOUT_OUTPUT = {"push", "pull", "backup", "restore", "import", "rebuild", "serve"}

app = App(
    name="tarkeep",
    help="Keeps backup archives made with plain tar, and can prove that they restore.",
    version=__version__,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
app.meta.suppress_keyboard_interrupt = False
for _name, _what in GROUPS.items():
    app.command(App(name=_name, help=_what, default_parameter=app.default_parameter))
for _name, _place in (SERVER_COMMANDS | CLIENT_COMMANDS).items():
    _group, _, _command = _name.rpartition(" ")
    (app[_group] if _group else app).command(f"{__package__}.{_place}", name=_command)
app.command(f"{__package__}.{COMPLETION}:completion", name=COMPLETION)


@app.meta.default
def with_config(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(env_var="TARKEEP_CONFIG")] = None,
) -> int:
    """
    Read the settings file, then run the command.

    Parameters
    ----------
    config
        A TOML file with settings. Default: of the server's commands tarkeep.toml in the working directory, of the
        client's ~/.config/tarkeep/config.toml; if there is one.
    """
    command = tokens[0] if tokens else ""
    process.works_at(command, goes_on_without_output=command in WITHOUT_OUTPUT)
    if command == COMPLETION:  # has no settings, and minds none
        return int(app(tokens))
    file = config or (config_file() if command in CLIENT_COMMANDS else DEFAULT_FILE)
    app.config = (_Environment(ENVIRONMENT, command=False),)
    if file is not None:
        app.config += (_File(_table(file, must_exist=config is not None), source=str(file)),)
    result: int = app(tokens)
    return result


class _File(cyclopts.config.Dict):
    """The settings of a file: all of them, one table for every command."""

    def __init__(self, table: dict[str, object], source: str) -> None:
        super().__init__(table, source=source, use_commands_as_keys=False, allow_unknown=False)


class _Environment(cyclopts.config.Env):
    """Variables are settings, which have an option; what a command is about comes from its own line alone."""

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        options = [one for one in arguments if not one.field_info.is_positional_only]
        super().__call__(app, commands, ArgumentCollection(options))  # type: ignore[no-untyped-call]


def command_table(name: str) -> Mapping[str, object]:
    """
    What the settings file has under the name of a command, which is no option of any.

    Raises:
        InvalidSetting: it is no table.
    """
    files = [config.config for config in app.config if isinstance(config, _File)]
    table = files[0].get(name, {}) if files else {}
    if not isinstance(table, dict):
        raise InvalidSetting(name, "must be a table in the settings file")
    return table


def _table(file: Path, *, must_exist: bool) -> dict[str, object]:
    try:
        return tomllib.loads(read_setting_text("config", expanded("config", file)))
    except FileNotFoundError:
        if must_exist:
            raise InvalidSetting("config", f"there is no file {file}") from None
        return {}
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidSetting("config", f"{file} cannot be read as TOML: {error}") from error


def run() -> NoReturn:
    """Run the command line and exit."""
    process.get_to_work()
    try:
        _refuse_unknown_variables()
        code = app.meta()
    except SystemExit as ended:  # which is how cyclopts ends, well or not
        code = ended.code
    except BaseException as error:  # whatever it is, a person gets one line of it
        process.from_now_on_ctrl_c_kills()
        code, line = last_words(error, process.command())
        for said in (line, *getattr(error, "__notes__", ())):
            if said:
                process.say(printable(said))
    process.end(code if isinstance(code, int) else FAILED)


def _refuse_unknown_variables() -> None:
    kinds = (StorageSettings, ServerSettings, ClientSettings)
    known = {f"{ENVIRONMENT}{name.upper()}" for kind in kinds for name in kind.__annotations__}
    known |= {f"{ENVIRONMENT}{name}" for name in ("CONFIG", "TIMEZONE", "TOKEN", "TRACEBACK")}
    for name in os.environ:
        if name.startswith(ENVIRONMENT) and name not in known:
            raise InvalidSetting(name, "this environment variable is not a setting; see tarkeep COMMAND --help")
