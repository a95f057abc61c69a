"""Telling whether anything may be otherwise than a page shows it, without looking at what that is."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from attrs import frozen

from .check_profile import CheckServer
from .profile_look import ProfileLook
from .read_fleet import is_long_ago, last_look
from .watch import stamp_of


@frozen
class ChangeMark:
    """*word* is another one as soon as profiles or the server may be otherwise; *looked_at* as in `Fleet`."""

    word: str
    looked_at: datetime | None


@frozen
class MarkChanges:
    """Say by a word how everything is, to be compared with the word of another time. *watch* is as in `ReadFleet`."""

    look: ProfileLook
    check_server: CheckServer
    watch: str

    def __call__(self, profile: str | None = None, *, with_server: bool = False) -> ChangeMark:
        """
        The mark of *profile*, or of all profiles; *with_server* also of what is wrong with the server.

        What follows from the time alone changes it when the job that looks at profiles has seen it, and at midnight.

        Cost: a pass over the profiles, less than a microsecond each; none over their archives.

        Raises:
            BackendUnavailable: the catalog cannot be read.
        """
        look, now = self.look, self.look.clock.now()
        looked_at = last_look(look.jobs, self.watch)
        said = [
            look.statuses.mark(profile),
            stamp_of(look.rules.fingerprint, look.statuses.absences()),
            f"{now.astimezone(UTC):%Y-%m-%d}",
            str(is_long_ago(looked_at, now)),
            *(concern.text for concern in (self.check_server() if with_server else ())),
        ]
        return ChangeMark(hashlib.sha256("\n".join(said).encode()).hexdigest()[:16], looked_at)
