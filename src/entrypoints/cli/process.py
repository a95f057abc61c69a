"""
The command as a process: how it starts, what Ctrl-C does at each stage, and the one way in which it ends.

While modules are being imported no work has been done, so Ctrl-C ends the process at once. Afterwards it raises
KeyboardInterrupt, so that running code can clean up. Every failure ends with one line and an exit code: `exits` has
the table of known errors; any other error is a bug of the program and is reported with its place in the code.
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
    From now on no failure ends in a traceback. Call this before importing anything else.

    *hangups* collects the SIGHUP received until the command is known, see `works_at`.
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
    """All modules are loaded: from now on Ctrl-C raises KeyboardInterrupt."""
    import threading

    threading.excepthook = _in_a_thread
    _on_ctrl_c(_interrupt)
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    threading.Thread(target=_stop_what_is_stuck, args=(ours,), daemon=True).start()


def works_at(command: str, *, goes_on_without_output: bool) -> None:
    """Note the *command* that runs; *goes_on_without_output* if its work matters more than what it prints."""
    global _command
    _command = command
    _decide_on_hangups(command)
    if goes_on_without_output:
        streams.go_on_without_output()


def _decide_on_hangups(command: str) -> None:
    """SIGHUP does not end a server, which before it serves has nothing to reload; any other command ends."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # set by the parent, as nohup does
        return
    if command == SERVE:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if _hangups:
        os.kill(os.getpid(), signal.SIGHUP)


def command() -> str:
    """The command that runs, as given on the command line; "" if none was given."""
    return _command


def end(code: int) -> NoReturn:
    """Exit with *code*, or with another if *code* is 0 but standard output could not be written."""
    from_now_on_ctrl_c_ends_at_once()
    lost = streams.lost_output()
    if lost is not None and code == 0:
        from .terminal.exits import without_output

        code, line = without_output(lost, goes_on=streams.goes_on_without_output())
        if line:
            say(line)
    if was_interrupted():
        sys.stderr.flush()
        os._exit(code)  # threads may still run, and would break Python's shutdown
    _on_ctrl_c(signal.SIG_IGN)  # everything is reported; only the exit is left
    sys.exit(code)


def from_now_on_ctrl_c_ends_at_once() -> None:
    """Nothing is left to clean up; only a slow reader of standard error can still delay the end."""
    _on_ctrl_c(_stop_at_the_end)


def say(line: str) -> None:
    """Print a line for people on standard error, on behalf of the whole command."""
    print(f"tarkeep: {line}", file=sys.stderr, flush=True)


def _on_ctrl_c(what: object) -> None:
    # a shell starts background jobs with SIGINT ignored: keep it ignored
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
    End the process if the main thread does not notice an interrupt within `_STUCK_SECONDS`.

    Resolving a host name is a system call that cannot be interrupted and may take half a minute.
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
    """Handle what is raised outside the handlers of `main.run`, such as a second Ctrl-C."""
    if isinstance(error, KeyboardInterrupt):
        from_now_on_ctrl_c_ends_at_once()
        say("interrupted")
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    say(fault(error))


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Handle exceptions where Python cannot raise them, as in a finalizer."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        import threading

        threading.Timer(0.01, _interrupt_again).start()  # after this hook has returned, when it can be raised
    elif unraisable.exc_value is not None:
        say(fault(unraisable.exc_value))


def _interrupt_again() -> None:
    import threading

    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _in_a_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not was_interrupted():
        say(fault(ended.exc_value))
