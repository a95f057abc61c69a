"""Help in the style of git: ``tarkeep help``, ``tarkeep help push``."""

from __future__ import annotations

from ...domain.errors.settings import UsageError
from ..settings.nearest import did_you_mean
from . import commands
from .terminal.exits import OK


def help_(*command: str) -> int:
    """
    Explain tarkeep, or one of its commands; the same as tarkeep COMMAND --help.

    Parameters
    ----------
    command
        The command, of one or two words. Default: tarkeep itself.
    """
    from .main import app, describe

    known = {tuple(one.name.split()) for one in commands.named()} | {(family,) for family in commands.FAMILIES}
    explained = next((command[:count] for count in (2, 1) if command[:count] in known), command)
    if command != explained:
        rest = command[len(explained)]
        below = [words[-1] for words in known if words[:-1] == explained]
        question = did_you_mean(rest, below)
        raise UsageError(
            rest, f"{' '.join(explained)} has no such command{question}" if below else "is a word too many"
        )
    if command:
        describe(command)
        app([*command, "--help"])
    else:
        app.meta(["--help"])
    return OK
