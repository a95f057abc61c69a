"""
The layout of help: plain text like a manual page, as wide as the terminal, up to a width that reads easily.

Names are on the left with their explanations beside them, or below if there is no room. Nothing is repeated: a default
that the explanation mentions is not appended, nor that a switch is off by default.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import docstring_parser
from attrs import frozen

if TYPE_CHECKING:
    from cyclopts import Argument
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

_WIDEST = 100
_NARROW = 56
_LABELS = 24
_KINDS = {"INT": "N", "FLOAT": "N"}
_VALUES = {
    "--at": "WHEN",
    "--config": "FILE",
    "--data": "DIR",
    "--expires": "WHEN",
    "--into": "DIR",
    "--limit-rate": "RATE",
    "--profiles": "FILE",
    "--server": "URL",
    "--spool": "DIR",
    "--store": "URL",
    "--catalog": "URL",
    "--tar": "PROGRAM",
    "--work": "DIR",
    "--cacert": "FILE",
    "--exclude": "PATTERN",
    "--exclude-from": "FILE",
    "--full-every": "PERIOD",
    "--diff-every": "PERIOD",
    "--note": "TEXT",
    "--tls-certificate": "FILE",
    "--fingerprint": "SHA256",
    "--timezone": "ZONE",
}
"""The placeholder for an option's value, if no word of its name would do."""
_TOLD_BYTES = 1 << 20  # the text gives such a default itself, in readable units


def explanation(docstring: str) -> str:
    """The paragraphs of a command's *docstring*, without the section on parameters."""
    said = docstring_parser.parse(docstring)
    return "\n\n".join(part for part in (said.short_description, said.long_description) if part)


def usage(command: str, arguments: Iterable[Argument]) -> str:
    """The usage line of *command*: its required options, then its positional arguments in order."""
    options = [
        f"{_name(one)} {'|'.join(one.get_choices() or ()) or value_word(_name(one), 'STR')}"
        for one in arguments
        if one.required and one.names[0].startswith("-")
    ]
    words = []
    for one in arguments:
        if one.show and not one.names[0].startswith("-"):
            word = one.names[0] + ("..." if one.field_info.kind is one.field_info.VAR_POSITIONAL else "")
            words.append(word if one.required else f"[{word}]")
    return " ".join(["tarkeep", command, *options, "[OPTION...]", *words])


def _name(option: Argument) -> str:
    return max((name for name in option.names if name not in option.negatives), key=len)


@frozen
class PlainPages:
    """A help formatter for cyclopts."""

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:  # noqa: ARG002
        text = _plain(usage).strip().removeprefix("Usage: ")
        _print(console, *textwrap.wrap(f"Usage: {text}", _width(console), subsequent_indent=" " * 7), "")

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:  # noqa: ARG002
        for paragraph in _plain(description).strip().split("\n\n"):
            _print(console, *textwrap.wrap(" ".join(paragraph.split()), _width(console)), "")

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:  # noqa: ARG002
        entries = [(_label(entry, panel), _told(entry)) for entry in panel.entries]
        if not entries:
            return
        if panel.title:
            _print(console, f"{_plain(panel.title).strip()}:")
        width = _width(console)
        column = 2 + min(_LABELS, max(len(label) for label, _ in entries)) + 2
        for label, told in entries:
            _print(console, *_entry(label, told, 6 if width < _NARROW else column, width))
        _print(console, "")


def _entry(label: str, told: str, column: int, width: int) -> list[str]:
    indent = " " * column
    beside = len(label) + 4 <= column
    first = f"  {label}".ljust(column) if beside else indent
    lines = textwrap.wrap(
        told, width, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return lines or [f"  {label}"] if beside else [f"  {label}", *lines]


def _label(entry: HelpEntry, panel: HelpPanel) -> str:
    names = [*entry.shorts, *entry.names]
    if panel.format != "parameter":
        return ", ".join(sorted(names, key=len))
    if entry.positional_label and not names:
        return entry.positional_label
    value = f" {_placeholder(entry)}" if entry.metavar else ""
    return ", ".join(sorted(names, key=len)) + value


def _placeholder(entry: HelpEntry) -> str:
    """The placeholder for an option's value: its choices, else a word of its name."""
    if entry.choices:
        return "|".join(entry.choices)
    return value_word(max(entry.names, key=len), str(entry.metavar))


def value_word(option: str, kind: str) -> str:
    """The placeholder for the value of *option*, for which cyclopts would print *kind*."""
    kind = kind.removesuffix("...")
    if option in _VALUES:
        return _VALUES[option]
    return _KINDS.get(kind, kind) if kind not in ("STR", "PATH") else option.rpartition("-")[2].upper()


def _told(entry: HelpEntry) -> str:
    """The explanation of an entry, with its default and environment variables."""
    text = " ".join(_plain(entry.description).split())
    default = entry.default
    if default is not None and default not in ("False", "None", "()", '""') and "Default" not in text:
        is_told = default.isdigit() and int(default) >= _TOLD_BYTES and re.search(r"\(\d+[KMGT]\)", text)
        text += "" if is_told else f" Default: {default}."
    if entry.env_var:
        names = list(dict.fromkeys(entry.env_var))
        text += f" Variable{'s' if len(names) > 1 else ''}: {', '.join(names)}."
    return text + (" Required." if entry.required else "")


def _plain(shown: Any) -> str:
    """The plain text of *shown*, a string or a renderable of rich."""
    if shown is None or isinstance(shown, str):
        return shown or ""
    if hasattr(shown, "plain"):
        return str(shown.plain)
    primary = getattr(shown, "primary_renderable", None)
    return _plain(primary) if primary is not None else str(shown)


def _width(console: Console) -> int:
    return max(20, min(console.width, _WIDEST))


def _print(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
