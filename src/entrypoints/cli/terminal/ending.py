"""Two abnormal ends of a command: Ctrl-C, and bugs of the program."""

from __future__ import annotations

import os

INTERRUPTED = 130


_WHOLE_TRACE = "TARKEEP_TRACEBACK"


_OURS = __name__.partition(".")[0] + "."


_interrupts = 0


def note_interrupt() -> None:
    """Ctrl-C was pressed."""
    global _interrupts
    _interrupts += 1


def was_interrupted() -> bool:
    """Whether Ctrl-C was pressed since `get_to_work`; other code may have swallowed the exception."""
    return _interrupts > 0


def fault(error: BaseException) -> str:
    """The line that reports *error*, an unexpected exception."""
    import traceback

    if os.environ.get(_WHOLE_TRACE):
        traceback.print_exception(error)
    places = [
        f"{frame.f_globals['__name__']}, line {line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).startswith(_OURS)
    ]
    text = " ".join(str(error).split())
    about = "".join([type(error).__name__, f" ({text})" if text else "", f" in {places[-1]}" if places else ""])
    return f"this is a bug in tarkeep; please report it: {about}; {_WHOLE_TRACE}=1 shows more"
