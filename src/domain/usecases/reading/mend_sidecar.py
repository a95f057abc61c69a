"""
Repairing the side-car of an archive that is missing or not credible.

The bytes are read once. Earlier descriptions are believed as far as they agree with the bytes: first the catalog's,
then what can still be read of the side-car. If one of the two digests agrees, it proves the bytes, and the rest of the
description is accepted; if none does, the archive is damaged. Nothing is made up: to replace an unreadable side-car
without any other description, the archive must at least be a whole ``.tar.gz``.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import datetime

from attrs import evolve, frozen

from ...archives import sidecar
from ...archives.archive import ArchiveState, BackupArchive, Contents
from ...errors.archives import ArchiveCorrupt, InvalidSidecar
from ...identity.archive_id import ArchiveId
from ...identity.digests import Digests
from ...ports.catalog import Catalog
from ...ports.inspection import Hasher, Inspector
from ...ports.store import ArchiveStore, StoredArchive
from ...ports.system import Clock
from ...profiles.rules import NO_RULES, Rules
from ...tarkeep_error import TarkeepError
from ...text.times import rfc3339


@frozen
class Mended:
    """The new description of an archive, and in words *how* it was found."""

    archive: BackupArchive
    how: str
    is_new: bool = False  # the archive had no earlier description


@frozen
class MendSidecar:
    """Give an archive a correct side-car."""

    store: ArchiveStore
    catalog: Catalog
    hasher: Hasher
    inspector: Inspector
    clock: Clock
    rules: Rules = NO_RULES

    def __call__(self, stored: StoredArchive) -> Mended:
        """
        Describe *stored* and write that as its side-car.

        Raises:
            InvalidSidecar: no credible description can be found.
        """
        entry = self._entry(stored.id)
        found, contents = self._looked_at(stored)
        mended = (
            _agreeing(stored, entry, found, contents, self.clock.now())
            or _damaged(stored, entry)
            or self._anew(stored, found, contents)
        )
        self.store.annotate(stored.id, sidecar.encode(mended.archive), stored.sidecar)
        return mended

    def _entry(self, id: ArchiveId) -> BackupArchive | None:
        return self.catalog.neighbours(id.profile).named(id)  # also while it is hidden, on its way out of the trash

    def _looked_at(self, stored: StoredArchive) -> tuple[Digests | None, Contents | None]:
        """The digests of the bytes, None if they cannot all be read; and the contents, None if not a whole archive."""
        contents = None
        with (
            self.store.read(stored.id) as reader,
            self.hasher.start() as digests,
            self.inspector.start() as inspection,
        ):
            readable = True
            try:
                for block in reader:
                    digests.update(block)
                    if readable:
                        try:
                            inspection.feed(block)
                        except TarkeepError:
                            readable = False
            except ArchiveCorrupt:
                return None, None
            if readable:
                with suppress(TarkeepError):
                    contents = inspection.finish()
            return digests.finish(), contents

    def _anew(self, stored: StoredArchive, found: Digests | None, contents: Contents | None) -> Mended:
        if found is None:
            raise InvalidSidecar("neither it nor its archive can be read; restore both from another copy")
        if stored.sidecar is not None and contents is None:
            raise InvalidSidecar("it cannot be read, and its archive is not a whole .tar.gz")
        zone = self.rules.of(stored.id.profile).time_zone
        archive = BackupArchive.described(stored.id, stored.size_bytes, found, self.clock.now(), contents, zone=zone)
        if stored.sidecar is not None:
            return Mended(archive, "side-car could not be read, and was made anew from the archive alone")
        unread = "" if contents is not None else "; it is not a whole .tar.gz"
        return Mended(archive, f"described anew, had no side-car{unread}", is_new=True)


def _agreeing(
    stored: StoredArchive,
    entry: BackupArchive | None,
    found: Digests | None,
    contents: Contents | None,
    now: datetime,
) -> Mended | None:
    """The description that agrees with the bytes; the catalog's is tried first, since it is complete."""
    if found is None:
        return None
    how = "side-car was wrong and is mended, the archive is whole"
    if entry is not None and agree(entry.digests, found):
        right = evolve(
            entry,
            digests=found,
            size_bytes=stored.size_bytes,
            contents=entry.contents or contents,
            state=ArchiveState.STORED,
        )
        return Mended(right, how)
    salvaged = _salvaged(stored, found, contents, now)
    if salvaged is not None:
        return Mended(salvaged, f"{how}; it said when it was taken and what it builds on, which may be what was wrong")
    return None


def _salvaged(stored: StoredArchive, found: Digests, contents: Contents | None, now: datetime) -> BackupArchive | None:
    """
    A side-car with some changed members is salvaged if one of its digests is that of the bytes, or if both digests are
    unreadable and the bytes are a whole ``.tar.gz``.

    Facts that the bytes tell are taken from them; another member is dropped if it alone makes the rest unreadable.
    """
    members = _members(stored.sidecar)
    said = {members.get("sha256"), members.get("md5")}
    if not said & {found.sha256, found.md5} and not (members and said == {None} and contents is not None):
        return None
    _refuse_foreign(stored)
    facts = {
        "profile": stored.id.profile,
        "type": stored.id.type.value,
        "name": stored.id.name,
        "size": stored.size_bytes,
        "md5": found.md5,
        "sha256": found.sha256,
    }
    for spoiled in ({}, *({name: default} for name, default in _DISPENSABLE.items())):
        tried = {**members, **facts, "format": sidecar.FORMAT, **spoiled}
        for one, other in (("received_at", "taken_at"), ("taken_at", "received_at")):
            tried[one] = tried.get(one) or members.get(other) or rfc3339(now)
        with suppress(InvalidSidecar):
            archive = sidecar.decode(json.dumps(tried).encode(), is_doubtful=True)
            return evolve(archive, contents=contents or archive.contents, state=ArchiveState.STORED)
    return None


_DISPENSABLE: dict[str, object] = {
    "contents": None,
    "parent": None,
    "snapshot_before": None,
    "snapshot_after": None,
    "notes": [],
    "state": ArchiveState.STORED.value,
    "taken_at": "",
    "received_at": "",
}
"""Members that a side-car can do without, with their replacements."""


def _members(content: bytes | None) -> dict[str, object]:
    """The readable members of a side-car that may be damaged; each is read by itself."""
    text = (content or b"").decode(errors="replace").strip().removeprefix("{").removesuffix("}")
    members: dict[str, object] = {}
    for member in _MEMBER_BEGINS.split(text):
        with suppress(ValueError, RecursionError):
            members |= json.loads(f"{{{member.strip().removesuffix(',')}}}", strict=False)
    return members


_MEMBER_BEGINS = re.compile(r'\n  (?=")')  # in the layout of a side-car: nested values are indented further


def _refuse_foreign(stored: StoredArchive) -> None:
    """
    Raises:
        InvalidSidecar: the side-car is intact, but describes another archive.
    """
    try:
        said = sidecar.decode(stored.sidecar or b"")
    except InvalidSidecar:
        return
    if said.id != stored.id:
        raise InvalidSidecar(f"it describes {said.id}")


def _damaged(stored: StoredArchive, entry: BackupArchive | None) -> Mended | None:
    """The known description of an archive whose bytes agree with none of its digests: the bytes are damaged."""
    known = entry
    if known is None:
        with suppress(InvalidSidecar):
            known = sidecar.decode(stored.sidecar or b"", is_doubtful=True)
    if known is None:
        return None
    _refuse_foreign(stored)
    right = evolve(known, id=stored.id, state=ArchiveState.DAMAGED)
    return Mended(right, "side-car was wrong and is mended, the archive is damaged")


def agree(one: Digests, other: Digests) -> bool:
    """Whether at least one of the two digests is the same; that does not happen by chance."""
    return one.sha256 == other.sha256 or one.md5 == other.md5
