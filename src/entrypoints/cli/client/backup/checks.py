"""``backup --check``: whether the server has what the directory has, and the FULL that follows if it has not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from attrs import frozen

from .....domain.client.backup.back_up import BackedUp
from .....domain.client.backup.check_dump import Checked
from .....domain.client.backup.verdict import DumpVerdict
from .....domain.client.ports.dumping import DumpSource
from .....domain.client.ports.memory import CheckNote
from .....domain.identity.archive_id import BackupType
from .....domain.tarkeep_error import TarkeepError
from .....domain.text.counted import counted
from .....domain.text.paths import path_text
from ....settings.backups import BackupSettings
from ...terminal.exits import DIFFERENT, OK, PARTLY
from ...terminal.hints import in_full
from ...terminal.output import Output

if TYPE_CHECKING:
    from ....wiring.client import Client
    from ....wiring.client_dumps import Dumping

_SHOWN = 100
_WEEK_SECONDS = 7 * 86400
_EARLY_SECONDS = 3600  # a timer is not always on the minute


@frozen
class Made:
    """A dump that was stored and reported with the exit code *code*; it began at *began_ns*, see `LiveTree.now_ns`."""

    done: BackedUp
    began_ns: int
    code: int
    verdict: DumpVerdict | None


@frozen
class Checks:
    """The checks of one *profile*: *wanted* by an option (``all``, ``some`` or None), or else by its settings."""

    _client: Client
    _output: Output
    _profile: str
    _how: BackupSettings
    _wanted: str | None

    @property
    def full_because(self) -> str:
        """Why the next dump must be a FULL; empty if the last check found nothing."""
        note = self._last
        if note is None or not note.missed:
            return ""
        names = counted(note.missed, "name")
        found = f"the check of {note.label} found that tar had missed {names}"
        return f"{found}: this is a FULL, so that all of it is backed up"

    def __call__(self, dumps: Dumping, made: Made, source: DumpSource) -> int:
        """Check the dump that was *made* of *source*, if that is due; the exit code of the backup."""
        id = made.done.archive.id
        last = self._last
        if last is not None and last.missed and id.type is BackupType.FULL:
            self._note(id.label, last.checked_at, 0)
        if not self._is_due(last):
            return made.code
        self._output.step(f"{id}: comparing it with {source.directory}")
        try:
            found = dumps.check(id, source, made.began_ns, made.done.unreadable, is_thorough=self._wanted == "all")
        except TarkeepError as error:
            self._output.error(f"{id}: stored, but it could not be compared with {source.directory}: {in_full(error)}")
            return made.code if made.code != OK else PARTLY
        self._note(id.label, int(time.time()), len(found.missed))
        self._report(found)
        return DIFFERENT if found.missed else made.code

    def _is_due(self, last: CheckNote | None) -> bool:
        if self._wanted is not None or self._how.check == "always":
            return True
        if self._how.check != "weekly":
            return False
        now = int(time.time())
        return last is None or not last.checked_at <= now < last.checked_at + _WEEK_SECONDS - _EARLY_SECONDS

    def _report(self, found: Checked) -> None:
        for one in found.missed[:_SHOWN] if not self._output.as_json else ():
            self._output.error(f"{found.id}: {path_text(one.path)} {one.what}")
        if len(found.missed) > _SHOWN:
            self._output.error(f"{found.id}: and {len(found.missed) - _SHOWN} more")
        compared = f"{counted(found.names, 'name')} and the bytes of {counted(found.contents, 'file')} compared"
        moved = f"; {counted(len(found.moved), 'name')} changed since the dump began" if found.moved else ""
        if found.links_left:
            moved += f"; hard links of {counted(found.links_left, 'file')} were not compared, as --check-all does"
        if found.missed:
            verdict = f"tar missed {counted(len(found.missed), 'name')}; the next dump of the type auto is a FULL"
        else:
            verdict = "all as in the directory"
        self._output.result(
            f"{found.id}: checked: {compared}, {verdict}{moved}",
            profile=found.id.profile,
            type=found.id.type.value,
            name=found.id.name,
            point=found.id.label,
            status="checked",
            compared=found.names,
            contents=found.contents,
            links_left=found.links_left,
            missed=[{"path": path_text(one.path), "what": one.what} for one in found.missed],
            moved=[path_text(path) for path in found.moved],
        )

    @property
    def _last(self) -> CheckNote | None:
        return self._client.memory.checks.of(self._client.remote.shown_url, self._profile)

    def _note(self, label: str, checked_at: int, missed: int) -> None:
        note = CheckNote(self._client.remote.shown_url, self._profile, label, checked_at, missed)
        self._client.memory.checks.put(note)
