"""
Make docs/man/tarkeep.1, the manual page, from the commands and settings as they are.

    python scripts/make_man_page.py

Commands, options and their explanations stand in the code alone; a test fails while the page differs from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docstring_parser
from attrs import fields

from tarkeep.entrypoints.cli.main import CLIENT_COMMANDS, SERVER_COMMANDS, app
from tarkeep.entrypoints.cli.shared.needed_scopes import needs
from tarkeep.entrypoints.cli.terminal import exits
from tarkeep.entrypoints.cli.terminal.help_page import value_word
from tarkeep.entrypoints.settings.client import ClientSettings
from tarkeep.entrypoints.settings.server import ServerSettings, StorageSettings

PAGE = Path(__file__).parent.parent / "docs" / "man" / "tarkeep.1"
HEAD = """\
.\\" Made by scripts/make_man_page.py from the commands in src/entrypoints/cli: change those, then run it.
.TH TARKEEP 1 "" Tarkeep "User Commands"
.SH NAME
tarkeep \\- keep backup archives made with plain tar, and prove that they restore
.SH SYNOPSIS
.B tarkeep
.RB [ \\-\\-config
.IR FILE ]
.I COMMAND
.RI [ ARGUMENT ...]
.br
.B tarkeep \\-\\-help
|
.B \\-\\-version
"""
DESCRIPTION = """\
A machine makes archives with tar \\-cz: a FULL one, then INC and DIFF archives of the same tree. tarkeep push sends
them to a Tarkeep server, which stores each once and unchanged; verify and status say whether all that lies here is
safe there; pull gets archives back. backup makes the archives as well and sends what tar writes; points, ls, find,
history and cat look into what is stored; restore gives a tree back. serve is the server, and token says who may use
it. Every command explains itself: tarkeep help COMMAND.
"""
EXIT_CODES = {
    exits.OK: "Done; everything is in order.",
    exits.FAILED: "Failed.",
    exits.USAGE: "Wrong usage, or a wrong setting; nothing was done.",
    exits.PARTLY: "Partly done; standard error says what was not done.",
    exits.NOT_FOUND: "There is no such archive, profile, point, path or token.",
    exits.UNAUTHORIZED: "The server requires a token, or another one.",
    exits.DIFFERENT: "verify and status: something local is missing there, differs or is damaged there, or cannot be "
    "read here. restore --check: something differs. backup --check: tar missed something.",
    exits.NO_ANSWER: "The server did not answer, or asked to try again later, even after retries.",
    exits.PAUSED: "A prune plan waits for a person, and nothing was removed.",
    exits.INTERRUPTED: "Interrupted; the same command continues where it stopped.",
    exits.NOT_READ: "The program that read standard output has ended, as head does; others end in the same way.",
}
FILES = {
    "~/.config/tarkeep/config.toml": 'Settings of the client, such as server = "http://backup:5000". '
    "A table [backup.PROFILE] for each profile that tarkeep backup --all backs up. "
    "Below XDG_CONFIG_HOME if that is set.",
    "tarkeep.toml": "Settings of the server, in the working directory.",
    "DATA/tokens.json": "The tokens that the server knows, in its data directory: their SHA-256 only.",
    "~/.local/state/tarkeep/client.sqlite": "What the client remembers: digests of files, and where unfinished uploads "
    "are. It can be removed at any time. Below XDG_STATE_HOME where that is set.",
    "DIR.tarkeep-work": "The archives of a restore into DIR, until it is done.",
    "BACKUP_DIR/{FULL,INC,DIFF}/*.tar.gz": "The local archives; beside them NAME.part, what has arrived of a download.",
}
EXAMPLES = {
    "Send the newest archive of each type, and see that all is safe:": "tarkeep push laptop && tarkeep status laptop",
    "Send what tar writes, without a file in between:": "tar -cz -C /home document | tarkeep push laptop - "
    "--name full_now.tar.gz --type FULL",
    "Remove local archives that are stored, undamaged, with the same bytes:": "tarkeep verify laptop --safe-to-delete "
    "-0 | xargs -0 -r rm --",
    "Back up a directory, in the way that its age asks for:": "tarkeep backup laptop /home/me/document",
    "Give the newest tree back, and compare it with what the server knows:": "tarkeep "
    " restore laptop --into back --check",
    "Get everything back, and unpack a FULL archive:": "tarkeep pull laptop --into back && tar -xzf back/FULL/NAME "
    "--listed-incremental=/dev/null",
}


def page() -> str:
    """The whole page as roff."""
    lines = [HEAD + ".SH DESCRIPTION\n" + DESCRIPTION.rstrip()]
    lines += [".SH COMMANDS OF THE CLIENT"]
    for name in [*CLIENT_COMMANDS, "help", "completion"]:
        lines += command(name, ClientSettings)
    lines += [".SH OPTIONS OF THE CLIENT", "Taken by every command of the client.", *options("push", ClientSettings)]
    lines += [".SH COMMANDS OF THE SERVER"]
    for name in SERVER_COMMANDS:
        lines += command(name, StorageSettings, ServerSettings)
    lines += [".SH OPTIONS OF THE SERVER", "Taken by every command of the server; those of listening by serve."]
    lines += options("serve", StorageSettings, ServerSettings)
    lines += [
        ".SH SETTINGS",
        text(
            "Every option that is not a command's own may be given as an option, as a variable of the environment "
            '(--limit-rate is TARKEEP_LIMIT_RATE) or in a file (limit_rate = "2M"); the first that is given counts, '
            "in this order. --config or TARKEEP_CONFIG names another file. NO_COLOR takes the colours away."
        ),
        ".TP\n.B TARKEEP_TOKEN",
        text("The token for the server. It cannot be an option, which everybody could see."),
        ".SH EXIT STATUS",
    ]
    lines += [f".TP\n.B {code}\n{text(meaning)}" for code, meaning in EXIT_CODES.items()]
    lines += [".SH FILES", *(f".TP\n.I {text(name)}\n{text(what)}" for name, what in FILES.items())]
    lines += [".SH EXAMPLES"]
    lines += [f".PP\n{text(what)}\n.PP\n.nf\n.RS\n{text(line)}\n.RE\n.fi" for what, line in EXAMPLES.items()]
    lines += [".SH SEE ALSO", ".BR tar (1),", ".BR curl (1)"]
    return "\n".join(lines) + "\n"


def command(name: str, *shared: Any) -> Iterator[str]:
    """One command: how it is called, what it does, and the options that are not fields of *shared*."""
    own = [one for one in arguments(name) if not is_field_of(one, *shared)]
    called = " ".join(
        [name, "[OPTION...]"]
        + [placeholder(one) if one.required else f"[{placeholder(one)}]" for one in own if is_positional(one)]
    )
    yield f".SS tarkeep {text(called)}"
    said = docstring_parser.parse(called_app(name).help)
    yield text(said.short_description or "")
    if said.long_description:
        for paragraph in said.long_description.split("\n\n"):
            yield f".PP\n{text(paragraph)}"
    if name in CLIENT_COMMANDS:
        yield f".PP\n{text(needs(name))}"
    yield from map(option, own)


def options(name: str, *kinds: Any) -> Iterator[str]:
    """The options of command *name* that are fields of *kinds*."""
    yield from (option(one) for one in arguments(name) if is_field_of(one, *kinds))


def is_field_of(one: Any, *kinds: Any) -> bool:
    return not is_positional(one) and one.field_info.name in {field.name for kind in kinds for field in fields(kind)}


def called_app(name: str) -> Any:
    """The command of one or two words."""
    found: Any = app
    for word in name.split():
        found = found[word]
    found.help = None  # in place of its line in the list of commands, what it says of itself
    return found


def arguments(name: str) -> list[Any]:
    collected = called_app(name).assemble_argument_collection(
        default_parameter=app.default_parameter, parse_docstring=True
    )
    return [one for one in collected if one.show]


def option(one: Any) -> str:
    said = one.parameter.help or ""
    default = one.field_info.default
    is_told = "Default" in said or (isinstance(default, int) and default >= 1 << 24)  # such sizes stand in the text
    if isinstance(default, str | int | float | Path) and not isinstance(default, bool) and not is_told:
        said += f" Default: {default}."
    if one.parameter.env_var:
        said += f" Variables: {', '.join(one.parameter.env_var)}."
    return f".TP\n{spelled(one)}\n{text(said)}"


def spelled(one: Any) -> str:
    if is_positional(one):
        return f".I {text(placeholder(one))}"
    names = ", ".join(f"\\fB{text(name)}\\fR" for name in sorted(one.names, key=len))
    if one.hint is bool:
        return names
    choices = one.get_choices()
    word = "|".join(choices) if choices else value_word(max(one.names, key=len), kind(one))
    return f"{names} \\fI{text(word)}\\fR"


def kind(one: Any) -> str:
    """What cyclopts would call its value."""
    if one.parameter.metavar:
        return str(one.parameter.metavar)
    return "INT" if one.hint is int else "FLOAT" if one.hint is float else "STR"


def is_positional(one: Any) -> bool:
    return not one.names[0].startswith("-")


def placeholder(one: Any) -> str:
    return str(one.names[0]) + ("..." if one.field_info.kind is one.field_info.VAR_POSITIONAL else "")


def text(plain: str) -> str:
    """*plain* as roff that shows exactly that, lines joined."""
    joined = re.sub(r"\s+", " ", plain).strip()
    escaped = joined.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("~", "\\(ti")
    return "\\&" + escaped if escaped.startswith(".") else escaped


if __name__ == "__main__":
    PAGE.write_text(page())
