"""
Describing an archive whose side-car is missing, or is not to be believed.

The bytes are read once. What is known of the archive is believed as far as they agree: what the catalog says first,
then what can still be read of the side-car. One digest of two that agrees proves the bytes, and then the rest is taken
on its word; where none does, the archive is damaged. Nothing is made up: an archive of which nothing is known must at
least be a whole ``.tar.gz`` to be described anew in the place of a side-car that cannot be read.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import datetime

from attrs import evolve, frozen

from ...archives import sidecar
from ...archives.archive import ArchiveState, BackupArchive, Contents
from ...errors.archives import ArchiveCorrupt, ArchiveNotFound, InvalidSidecar
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
    """What an archive is described as now, and *how* that was found out, in words."""

    archive: BackupArchive
    how: str
    is_new: bool = False  # nothing was known of it before


@frozen
class MendSidecar:
    """Give an archive a side-car that is right."""

    store: ArchiveStore
    catalog: Catalog
    hasher: Hasher
    inspector: Inspector
    clock: Clock
    rules: Rules = NO_RULES

    def __call__(self, stored: StoredArchive) -> Mended:
        """
        What *stored* is, which its side-car says from now on.

        Raises:
            InvalidSidecar: nothing that is known of it can be believed.
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
        try:
            return self.catalog.find(id)
        except ArchiveNotFound:
            return None

    def _looked_at(self, stored: StoredArchive) -> tuple[Digests | None, Contents | None]:
        """The digests of the bytes, None where they cannot all be read; and what is in them, where that can be seen."""
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
            raise InvalidSidecar("it cannot be read, and its archive is no whole .tar.gz")
        zone = self.rules.of(stored.id.profile).time_zone
        archive = BackupArchive.described(stored.id, stored.size_bytes, found, self.clock.now(), contents, zone=zone)
        if stored.sidecar is not None:
            return Mended(archive, "side-car could not be read, and is made of the archive alone")
        unread = "" if contents is not None else "; it is no whole .tar.gz"
        return Mended(archive, f"described anew, had no side-car{unread}", is_new=True)


def _agreeing(
    stored: StoredArchive,
    entry: BackupArchive | None,
    found: Digests | None,
    contents: Contents | None,
    now: datetime,
) -> Mended | None:
    """What is known of an archive and agrees with its bytes; the catalog goes first, since it is whole."""
    if found is None:
        return None
    how = "side-car was wrong and is mended, the archive is whole"
    if entry is not None and agree(entry.digests, found):
        right = evolve(entry, digests=found, size_bytes=stored.size_bytes, state=ArchiveState.STORED)
        return Mended(right, how)
    salvaged = _salvaged(stored, found, contents, now)
    if salvaged is not None:
        return Mended(salvaged, f"{how}; it said when it was taken and what it builds on, which may be what was wrong")
    return None


def _salvaged(stored: StoredArchive, found: Digests, contents: Contents | None, now: datetime) -> BackupArchive | None:
    """
    What a side-car says that some member of which was changed, if one of its digests is that of the bytes; or if both
    are what cannot be read, and the bytes are a whole ``.tar.gz``.

    What the bytes tell is taken from them; another member is left out where it alone makes the rest unreadable.
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
"""Members that a side-car may do without, and what stands for them."""


def _members(content: bytes | None) -> dict[str, object]:
    """The members of a side-car that may be damaged, each that can be read by itself."""
    text = (content or b"").decode(errors="replace").strip().removeprefix("{").removesuffix("}")
    members: dict[str, object] = {}
    for member in _MEMBER_BEGINS.split(text):
        with suppress(ValueError, RecursionError):
            members |= json.loads(f"{{{member.strip().removesuffix(',')}}}", strict=False)
    return members


_MEMBER_BEGINS = re.compile(r'\n  (?=")')  # as a side-car is laid out: what belongs to a member is further in


def _refuse_foreign(stored: StoredArchive) -> None:
    """
    Raises:
        InvalidSidecar: the side-car is one that nobody changed, of another archive.
    """
    try:
        said = sidecar.decode(stored.sidecar or b"")
    except InvalidSidecar:
        return
    if said.id != stored.id:
        raise InvalidSidecar(f"it describes {said.id}")


def _damaged(stored: StoredArchive, entry: BackupArchive | None) -> Mended | None:
    """What is known of an archive, none of whose bytes' digests it names: then these are wrong."""
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
    """Whether one digest of two is the same: by chance it is not."""
    return one.sha256 == other.sha256 or one.md5 == other.md5
