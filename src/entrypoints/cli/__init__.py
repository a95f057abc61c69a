"""The command ``tarkeep``. What a call does not need is not imported, so that asking for the version takes no time."""

import sys

from ... import __version__


def main() -> None:
    """Run the command line and exit."""
    if sys.argv[1:] == ["--version"]:
        print(__version__)
        return
    from .main import run

    run()


__all__ = ["main"]
