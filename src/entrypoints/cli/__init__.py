"""The command ``tarkeep``. A call imports only what it needs, so that ``tarkeep --version`` is instant."""

import signal
import sys

from ... import __version__


def main() -> None:
    """Run the command line and exit."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # no module is loaded yet that could report it
    hangups: list[int] = []
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        # to a server SIGHUP means reload, even while it starts; it is held until the command is known
        signal.signal(signal.SIGHUP, lambda number, _frame: hangups.append(number))
    from . import process

    process.begin(hangups)
    if sys.argv[1:] == ["--version"]:
        print(__version__)
        process.end(0)
    from .main import run

    run()


__all__ = ["main"]
