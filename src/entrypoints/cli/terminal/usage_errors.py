"""
Usage errors in one plain sentence each: of the command line, an environment variable or a settings file.

cyclopts detects the error; this module words it like all other messages: where, what, and what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Literal, get_args, get_origin

from cyclopts import App, Argument, CoercionError, CycloptsError, MissingArgumentError, Token, UnknownOptionError
from cyclopts.exceptions import RepeatArgumentError, UnknownCommandError, UnusedCliTokensError

from ....domain.text.counted import counted, listed
from ...settings.client import ClientSettings
from ...settings.nearest import did_you_mean
from ...settings.server import ServerSettings, StorageSettings
from .. import commands

_SHOWN = 80
_OWN_OPTIONS = ("--config", "--help", "--version")
_SETTINGS = (StorageSettings, ServerSettings, ClientSettings)
_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


def sentence(error: CycloptsError) -> str:
    """The sentence for *error*: where it is, what is wrong, and what would be right."""
    called = " ".join(("tarkeep", *(error.command_chain or ())))
    match error:
        case UnknownCommandError():
            return _unknown_command(called, error)
        case UnknownOptionError():
            return _unknown_option(called, error)
        case CoercionError():
            return _wrong_value(error)
        case MissingArgumentError():
            return _missing(called, error)
        case RepeatArgumentError():
            return f"{_place(error.token, error.argument)} is given more than once; give it once"
        case UnusedCliTokensError():
            words = [repr(word[:_SHOWN]) for word in error.unused_tokens or ()]
            return f"{counted(len(words), 'word')} too many: {listed(words)}; see {called} --help"
    error.verbose = False
    said = str(error).strip().rstrip(".")
    return f"{said[:1].lower()}{said[1:]}; see {called} --help"


def _unknown_command(called: str, error: UnknownCommandError) -> str:
    word = (error.unused_tokens or [""])[0]
    if word.partition("=")[0] in _options_of_commands():
        return f"{word[:_SHOWN]} belongs after the command, as in tarkeep COMMAND {word[:_SHOWN]}"
    if word.startswith("-"):
        return _asking(f"there is no option {word[:_SHOWN]}", did_you_mean(word, _OWN_OPTIONS), called)
    depth = len(error.command_chain or ())
    chain = tuple(error.command_chain or ())
    known = [words[depth] for words in map(_split, commands.named()) if words[:depth] == chain and len(words) > depth]
    return _asking(f"there is no command {word[:_SHOWN]!r}", did_you_mean(word, known), called)


class OptionAmongFiles(Exception):
    """*word*, given in place of a file, looks like an option."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def no_option(app: App, command: str, word: str) -> str:
    """The rest of the sentence that *word*, given to *command*, is not one of its options."""
    known = [*_options(app[command].assemble_argument_collection(parse_docstring=False)), *_OWN_OPTIONS]
    called = f"tarkeep {command}"
    return _asking("there is no such option", did_you_mean(word.partition("=")[0], known), called)


def _options(arguments: Iterable[Argument]) -> list[str]:
    return [name for argument in arguments for name in argument.names if name.startswith("--")]


def _options_of_commands() -> set[str]:
    return {f"--{name.replace('_', '-')}" for kind in _SETTINGS for name in kind.__annotations__}


def _asking(said: str, question: str, called: str) -> str:
    return f"{said}{question} See {called} --help" if question else f"{said}; see {called} --help"


def _split(command: commands.Command) -> tuple[str, ...]:
    return tuple(command.name.split())


def _unknown_option(called: str, error: UnknownOptionError) -> str:
    word = error.token.keyword or error.token.value
    options = _options(error.argument_collection)
    if error.token.source in ("", "cli"):
        option = word.partition("=")[0]
        known = [*options, *_OWN_OPTIONS]
        return _asking(f"there is no option {option[:_SHOWN]}", did_you_mean(option, known), called)
    setting = _setting(word)
    known = [name.removeprefix("--").replace("-", "_") for name in options]
    return f"{error.token.source}: there is no setting {setting[:_SHOWN]}{did_you_mean(setting, known)}"


def _wrong_value(error: CoercionError) -> str:
    place = _place(error.token, error.argument)
    if error.msg is not None:
        return f"{place}: {error.msg}"
    wanted = _wanted(error.target_type)
    value = f", not {error.token.value[:_SHOWN]!r}" if error.token is not None else ""
    guess = did_you_mean(error.token.value, _choices(error.target_type)) if error.token is not None else ""
    return f"{place} must be {wanted}{value}{guess}"


def _wanted(kind: object) -> str:
    choices = _choices(kind)
    if choices:
        return listed(choices, "or")
    for one in (kind, *get_args(kind)):
        if isinstance(one, type) and one in _KINDS:
            return _KINDS[one]
    return "something else"


def _choices(kind: object) -> Sequence[str]:
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return list(kind.__members__)
    return ()


def _missing(called: str, error: MissingArgumentError) -> str:
    argument = error.argument
    given = error.keyword or (argument and next((token.keyword for token in argument.tokens if token.keyword), None))
    if given:
        return f"{given} needs a value; see {called} --help"
    return f"{called} needs {_name(argument)}; see {called} --help"


def _place(token: Token | None, argument: Argument | None) -> str:
    """The source of a value: an option, an environment variable, or a setting in a file."""
    if token is None:
        return _name(argument)
    if token.source in ("", "cli"):
        return token.keyword or _name(argument)
    if token.source == "env":
        return f"variable {token.keyword}"
    return f"{token.source}: {_setting(token.keyword or '')}"


def _name(argument: Argument | None) -> str:
    if argument is None:
        return "a value"
    name = max(argument.names, key=len)
    return name if name.startswith("-") else name.lstrip("-").upper()


def _setting(keyword: str) -> str:
    """The key of a settings file as ``a.b``; cyclopts writes it ``[a][b]``."""
    parts: Iterable[str] = re.findall(r"\[([^\]]*)\]", keyword)
    return ".".join(parts) or keyword
