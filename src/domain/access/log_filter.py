"""
Which lines of the audit log somebody asked for, and may see.

The rule: a line is about the profile of the archive that it names first. One that names no archive, such as
that a token was made, is about no profile, and only who sees everything sees it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from attrs import frozen

from .audit import AuditEntry

_ABOUT_ARCHIVE = re.compile(
    r"(?:snapshot file of |drill \S+ of )?([A-Za-z0-9][A-Za-z0-9._-]{0,63})/(?:FULL|INC|DIFF)/", re.ASCII
)


def profile_of(what: str) -> str | None:
    """The profile that a line about *what* concerns; None if it is about no archive."""
    found = _ABOUT_ARCHIVE.match(what)
    return None if found is None else found[1]


@frozen
class LogFilter:
    """Lines about *profile*, of the author *who*, whose result contains *said*; empty text lets every line through."""

    profile: str = ""
    who: str = ""
    said: str = ""

    @property
    def needle(self) -> bytes:
        """Bytes that every wanted line contains, and few others; empty if there are none."""
        if self.profile:
            return _in_json(self.profile + "/")
        if self.who:
            return b'"who": "' + _in_json(self.who) + b'"'
        return _in_json(self.said)

    def wants(self, entry: AuditEntry, sees: Callable[[str], bool] | None) -> bool:
        """Whether the line of *entry* is wanted by somebody who *sees* these profiles; None for who sees everything."""
        profile = profile_of(entry.what)
        if sees is not None and (profile is None or not sees(profile)):
            return False
        is_about = not self.profile or profile == self.profile
        return is_about and (not self.who or entry.who == self.who) and self.said in entry.result


def _in_json(text: str) -> bytes:
    return json.dumps(text)[1:-1].encode()
