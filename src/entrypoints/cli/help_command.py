"""Help as people ask for it in other programs: ``tarkeep help``, ``tarkeep help push``."""

from __future__ import annotations

from .exits import OK


def help_(*command: str) -> int:
    """
    Explain tarkeep, or one of its commands; the same as tarkeep COMMAND --help.

    Parameters
    ----------
    command
        The command, of one or two words. Default: tarkeep itself.
    """
    from .main import app, describe

    if command:
        describe(command)
        app([*command, "--help"])
    else:
        app.meta(["--help"])
    return OK
