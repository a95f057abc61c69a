"""
The command as a process: how it begins, what Ctrl-C does at each moment, and the one way in which it ends.

Until its modules are there nothing has been done, and Ctrl-C ends it on the spot. Then it raises KeyboardInterrupt, so
that whoever is at work can clean up. Whatever goes wrong, the command ends with one line and an exit code: what an
error means stands in `exits`, and what stands nowhere is a fault of the program, told with its place.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from ..settings.secrets import keep_secret, keep_secrets_in
from .terminal import streams
from .terminal.ending import INTERRUPTED, fault, note_interrupt, was_interrupted

if TYPE_CHECKING:
    import threading
    from types import FrameType, TracebackType

SERVE = "serve"
_AT_ONCE = b"tarkeep: interrupted before anything was done; run the same command again\n"
_AT_THE_END = b"tarkeep: interrupted when its work was over; the same command again tells how it ended\n"
_STUCK_SECONDS = 3.0
_command = ""
_hangups: list[int] = []


def begin(hangups: list[int]) -> None:
    """
    Whatever comes from now on does not end in a traceback; to be called before anything else is imported.

    *hangups* are the SIGHUP that came and come until the command is known, see `works_at`.
    """
    global _hangups
    _hangups = hangups
    _on_ctrl_c(_stop_at_once)
    streams.make_fit()
    keep_secrets_in((*sys.argv[1:], *os.environ.values()))
    keep_secret(os.environ.get("TARKEEP_TOKEN", "").strip())
    sys.excepthook = _at_the_top
    sys.unraisablehook = _unraisable


def get_to_work() -> None:
    """All modules are there: from now on Ctrl-C is an exception."""
    import threading

    threading.excepthook = _in_a_thread
    _on_ctrl_c(_interrupt)
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    threading.Thread(target=_stop_what_is_stuck, args=(ours,), daemon=True).start()


def works_at(command: str, *, goes_on_without_output: bool) -> None:
    """It is *command* that runs, whose work may matter more than what it prints."""
    global _command
    _command = command
    _decide_on_hangups(command)
    if goes_on_without_output:
        streams.go_on_without_output()


def _decide_on_hangups(command: str) -> None:
    """A server does not end of one, nor has it anything to read anew before it serves; any other command ends."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # by the shell, as with nohup
        return
    if command == SERVE:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if _hangups:
        os.kill(os.getpid(), signal.SIGHUP)


def command() -> str:
    """The command that runs, as it was written; "" where none was."""
    return _command


def end(code: int) -> NoReturn:
    """End with *code*, which becomes another where all went well but standard output was not written."""
    from_now_on_ctrl_c_ends_at_once()
    lost = streams.lost_output()
    if lost is not None and code == 0:
        from .terminal.exits import without_output

        code, line = without_output(lost, goes_on=streams.goes_on_without_output())
        if line:
            say(line)
    if was_interrupted():
        sys.stderr.flush()
        os._exit(code)  # threads may still be at work, and Python would stumble over them
    _on_ctrl_c(signal.SIG_IGN)  # all is said, and nothing is left but to end
    sys.exit(code)


def from_now_on_ctrl_c_ends_at_once() -> None:
    """Nothing is left to clean up. What may still take time is whoever reads what is being said."""
    _on_ctrl_c(_stop_at_the_end)


def say(line: str) -> None:
    """A line for people on standard error, from the command as a whole."""
    print(f"tarkeep: {line}", file=sys.stderr, flush=True)


def _on_ctrl_c(what: object) -> None:
    # a shell gives SIGINT ignored to what it runs in the background: that stays so
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, what)  # type: ignore[arg-type]  # one of ours, or SIG_DFL


def _stop_at_once(_number: int, _frame: FrameType | None) -> NoReturn:
    try:
        os.write(streams.ERR, _AT_ONCE)
    finally:
        os._exit(INTERRUPTED)


def _stop_at_the_end(_number: int, _frame: FrameType | None) -> NoReturn:
    try:
        if not was_interrupted():
            os.write(streams.ERR, _AT_THE_END)
    finally:
        os._exit(INTERRUPTED)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    note_interrupt()
    streams.hurry()
    raise KeyboardInterrupt


def _stop_what_is_stuck(interrupts: int) -> None:
    """
    Ends the process where the main thread does not come to know that it is interrupted.

    Looking up the name of a host is a call into the system that nothing interrupts, and may take half a minute.
    """
    import time

    while signals := os.read(interrupts, 64):
        if signal.SIGINT in signals and signal.getsignal(signal.SIGINT) is _interrupt:
            time.sleep(_STUCK_SECONDS)
            if not was_interrupted():
                from .terminal.exits import last_words

                say(last_words(KeyboardInterrupt(), _command)[1])
                os._exit(INTERRUPTED)


def _at_the_top(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """For what is raised between two lines that catch everything, such as a second Ctrl-C."""
    if isinstance(error, KeyboardInterrupt):
        from_now_on_ctrl_c_ends_at_once()
        say("interrupted")
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    say(fault(error))


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Where Python can raise nothing, as when it throws an object away."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        import threading

        threading.Timer(0.01, _interrupt_again).start()  # when this here has ended, and it can be raised
    elif unraisable.exc_value is not None:
        say(fault(unraisable.exc_value))


def _interrupt_again() -> None:
    import threading

    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _in_a_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not was_interrupted():
        say(fault(ended.exc_value))
