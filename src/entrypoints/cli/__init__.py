"""The command ``tarkeep``. What a call does not need is not imported, so that asking for the version takes no time."""

import signal
import sys

from ... import __version__


def main() -> None:
    """Run the command line and exit."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is there yet that could put it into words
    hangups: list[int] = []
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        # of a server it is a wish, also while it starts; until it is known what runs, it is held
        signal.signal(signal.SIGHUP, lambda number, _frame: hangups.append(number))
    from . import process

    process.begin(hangups)
    if sys.argv[1:] == ["--version"]:
        print(__version__)
        process.end(0)
    from .main import run

    run()


__all__ = ["main"]
