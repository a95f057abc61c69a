"""The application ``tarkeep``: its commands, the sources of their settings, and how errors end it."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import cyclopts
from cyclopts import App, ArgumentCollection, Parameter

from ... import __version__
from ...domain.errors.settings import InvalidSetting, UsageError
from ...domain.tarkeep_error import TarkeepError
from ...domain.text.paths import printable
from ..settings.client import ClientSettings, config_file
from ..settings.nearest import did_you_mean
from ..settings.server import ServerSettings, StorageSettings
from ..settings.shown.effective import ENVIRONMENT, origin_of
from . import commands, process
from .shared.needed_scopes import needs
from .shared.settings_file import read_settings_file, settings_file
from .terminal.exits import FAILED, USAGE, last_words, word_of
from .terminal.help_page import PlainPages, explanation, usage
from .terminal.output import Output
from .terminal.streams import OutputLost
from .terminal.usage_errors import OptionAmongFiles, no_option, sentence

DEFAULT_FILE = Path("tarkeep.toml")
SERVER_COMMANDS = {one.name: one.place for one in commands.GROUPS[commands.SERVERS]}
CLIENT_COMMANDS = {
    one.name: one.place
    for group, its in commands.GROUPS.items()
    for one in its
    if group not in (commands.SERVERS, commands.HELP)
}
HELP, COMPLETION = "help", "completion"
# The work of these commands matters more than their output: they continue if standard output cannot be written.
WITHOUT_OUTPUT = {"push", "pull", "backup", "restore", "import", "rebuild", "serve"}

ALWAYS = cyclopts.Group("Options of every command", sort_key=30)
app = App(
    name="tarkeep",
    help="Keeps backup archives made with plain tar, and can prove that they restore.",
    version=__version__,
    default_parameter=Parameter(negative=(), negative_iterable=()),
    help_format="plaintext",
    help_formatter=PlainPages(),
    group_parameters=cyclopts.Group("Options", sort_key=10),
    suppress_keyboard_interrupt=False,
    exit_on_error=False,
    print_error=False,
)
app.meta.suppress_keyboard_interrupt = False
app.meta.exit_on_error = app.meta.print_error = False
for _place, (_title, _commands) in enumerate(commands.GROUPS.items()):
    _group = cyclopts.Group(_title, sort_key=_place)
    for _order, _one in enumerate(_commands):
        _family, _, _name = _one.name.rpartition(" ")
        if _family and _family not in app:
            app.command(
                App(
                    name=_family,
                    help=commands.FAMILIES[_family],
                    default_parameter=app.default_parameter,
                    group=_group,
                    sort_key=_order,
                )
            )
        (app[_family] if _family else app).command(
            f"{__package__}.{_one.place}",
            name=_name,
            help=_one.line,
            group="Commands" if _family else _group,
            sort_key=_order,
        )
for _flag in ("--help", "--version"):
    app[_flag].group = ALWAYS


@app.meta.default
def with_config(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(env_var="TARKEEP_CONFIG", group=ALWAYS)] = None,
) -> int:
    """
    Read the settings file, then run the command.

    Parameters
    ----------
    config
        A TOML file with settings. Default: tarkeep.toml in the working directory for the server's commands,
        ~/.config/tarkeep/config.toml for the client's, if it exists.
    """
    command = tokens[0] if tokens else ""
    process.works_at(command, goes_on_without_output=command in WITHOUT_OUTPUT)
    if command in (HELP, COMPLETION):  # these have no settings, and ignore invalid ones
        return int(app(tokens))
    file = config or (config_file() if command in CLIENT_COMMANDS else DEFAULT_FILE)
    app.config = (_Environment(ENVIRONMENT, command=False),)
    if file is not None:
        app.config += (read_settings_file(file, must_exist=config is not None),)
    try:
        result: int = app(tokens)
    except OptionAmongFiles as error:
        raise UsageError(error.word, no_option(app, command, error.word)) from None
    return result


def describe(words: Sequence[str]) -> None:
    """
    Set the full help of the command named in *words*, if any, from its docstring.

    Until then it has only its line from the table of commands, which needs no import of its module.
    """
    known = {one.name for one in commands.named()}
    pairs = (" ".join(pair) for pair in itertools.pairwise(words))
    name = next((said for said in (*pairs, *words) if said in known), None)
    if name is None:
        return
    called = app
    for word in name.split():
        called = called[word]
    called.help = None  # makes cyclopts read the docstring
    said = explanation(called.help or "")
    called.help = f"{said}\n\n{needs(name)}" if name in CLIENT_COMMANDS else said
    called.usage = usage(name, called.assemble_argument_collection(parse_docstring=False))


class _Environment(cyclopts.config.Env):
    """Environment variables set options only; positional arguments come from the command line alone."""

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        options = [one for one in arguments if not one.field_info.is_positional_only]
        super().__call__(app, commands, ArgumentCollection(options))  # type: ignore[no-untyped-call]


def _placed(error: BaseException) -> BaseException:
    """*error*, with the source named if it concerns a setting from a file or an environment variable."""
    file = settings_file()
    if not isinstance(error, InvalidSetting):
        return error
    table, source = ({}, "") if file is None else (file.config, file.source)
    origin = origin_of(error.name, sys.argv, os.environ, table, source)
    if origin.startswith("variable "):
        return InvalidSetting(f"{error.name} ({origin})", error.reason)
    if origin.startswith("file "):
        return InvalidSetting(f"{error.name} in {source}", error.reason)
    return error


def run() -> NoReturn:
    """Run the command line and exit."""
    process.get_to_work()
    try:
        _refuse_unknown_variables()
        if {"--help", "-h"} & set(sys.argv):
            describe(sys.argv[1:])
        code = app.meta()
    except SystemExit as ended:  # cyclopts exits like this after printing help
        code = ended.code
    except cyclopts.CycloptsError as error:
        code = USAGE
        process.say(printable(line := sentence(error)))
        _tell_programs("usage-error", line, line, code)
    except BaseException as error:  # any error is reported in one line
        process.from_now_on_ctrl_c_ends_at_once()
        code, line = last_words(placed := _placed(error), process.command())
        error_line = str(placed) if isinstance(placed, TarkeepError) else line
        _tell_programs(word_of(placed), error_line, line, code)
        for said in (line, *getattr(error, "__notes__", ())):
            if said:
                process.say(printable(said))
    process.end(code if isinstance(code, int) else FAILED)


def _tell_programs(word: str, error: str, in_full: str, exit_code: int) -> None:
    """
    With ``--json``, an error that ends a command is a JSON object as well: no program has to read standard error.

    *in_full* is *error* with what to do about it.
    """
    if in_full and _wants_json():
        members = {"summary": True, "code": word, "error": error, "detail": in_full, "exit_code": exit_code}
        with suppress(OutputLost):  # nobody reads
            Output(as_json=True, quiet=False).result("", **members)


def _wants_json() -> bool:
    """Whether JSON was asked for by an option, a variable or a file; it may be what follows that is wrong."""
    words = list(itertools.takewhile(lambda word: word != "--", sys.argv[1:]))
    file = settings_file()
    return (
        "--json" in words
        or os.environ.get(ENVIRONMENT + "JSON", "").lower() in ("1", "true", "yes")
        or (file is not None and file.config.get("json") is True)
    )


def _refuse_unknown_variables() -> None:
    kinds = (StorageSettings, ServerSettings, ClientSettings)
    known = {f"{ENVIRONMENT}{name.upper()}" for kind in kinds for name in kind.__annotations__}
    known |= {f"{ENVIRONMENT}{name}" for name in ("CONFIG", "TIMEZONE", "TOKEN", "TRACEBACK")}
    for name in os.environ:
        if name.startswith(ENVIRONMENT) and name not in known:
            question = did_you_mean(name, known) or "; tarkeep COMMAND --help shows those of each command"
            raise InvalidSetting(name, f"this environment variable is not a setting{question}")
