"""
Keeping the links of a profile: working out pending links, and the standings that follow from them.

The catalog says which links are pending (see `kept_links`); the rule is `chains.link_archive`. One thread at a time
works on a profile; another one waits, and then finds the work done.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from attrs import evolve, frozen

from ...archives.archive import ArchiveState, BackupArchive
from ...chains import links as chains
from ...chains.kept_links import LinkState, NewLink
from ...chains.link import Link, with_own
from ...chains.links import link_archive, link_archives
from ...chains.neighbours import Asked, ListedNeighbours, Neighbours, NotedNeighbours
from ...chains.seen import Seen
from ...chains.standing import PlacedArchive, placed, seen_of
from ...comparing import fitting as fitting
from ...comparing.fit import Compatibility
from ...identity.archive_id import ArchiveId
from ...ports.catalog import Catalog
from ...ports.system import Turns
from ...profiles.rules import Rules
from ...tarkeep_error import TarkeepError
from ..reading.archive_members import ArchiveMembers
from .compare import Comparing, EnoughCompared
from .see_point import EnoughMerged, Seeing

ALLOWED = 60
"""Comparisons allowed for one received archive; the rest waits until a client asks."""

FEW = 20
"""Up to this many pending links, neighbours are looked up; for more, all archives of the profile are read once."""

SETTLED_AT_ONCE = 500
"""Standings worked out for one received archive, at most."""

MERGED = 2
"""Points merged for one received archive, at most."""

_ALL = 1 << 40
_NO_SEEN: Mapping[ArchiveId, Seen] = {}
_NOT_SEEN = Seen(unseen="they cannot be read now")
_NOTHING_ASKED = Asked()


@frozen
class ProfileLinks:
    """
    The links of profiles, kept up to date for everything that asks for points.

    *comparing* makes what compares archives, *seeing* what examines the names of points. No use case: a receive
    asks for the place of one archive within a time limit, a client for all links of a profile.
    """

    catalog: Catalog
    members: ArchiveMembers
    rules: Rules
    turns: Turns
    patience: timedelta = timedelta(seconds=5)
    comparing: Callable[..., Comparing] = Comparing
    seeing: Callable[..., Seeing] = Seeing

    def update(self, profile: str) -> int | None:
        """
        Work out everything that is pending in *profile*. Returns its `version`.

        Raises:
            CatalogBusy, InsufficientStorage, ReadOnly, BackendUnavailable: the result cannot be kept.
        """
        state = self.catalog.link_state(profile)
        if self._is_done(profile, state):
            return state.version
        with self.turns.take(_turn(profile)):
            seeing = self.seeing(self.members)
            self._work_out(profile, seeing, None)
            self._settle(profile, seeing, _ALL)
        return self.version(profile)

    def version(self, profile: str) -> int | None:
        """The version of the archives of *profile*; None if any of their links is still pending."""
        state = self.catalog.link_state(profile)
        return state.version if self._is_done(profile, state) else None

    def place(self, archive: BackupArchive) -> PlacedArchive | None:
        """
        The place of *archive*, which was just stored; None if working it out takes too long.

        Makes few comparisons, however many archives the profile has. Never raises: the archive is stored.
        """
        profile = archive.id.profile
        try:
            seeing = self.seeing(self.members, MERGED)
            with self.turns.take(_turn(profile), self.patience):
                found = self._work_out(profile, seeing, ALLOWED).get(archive.id)
                if found is None or found.standing is None:
                    self._settle(profile, seeing, SETTLED_AT_ONCE)
                    found = self.catalog.placed([archive.id]).get(archive.id)
        except TarkeepError:
            return None
        return found if found is not None and found.standing is not None else None

    def compared(self, child: BackupArchive, parent: BackupArchive) -> Compatibility:
        """What comparing the listings of two archives of a profile shows; mostly a kept result."""
        return self.comparing(self.members)(child, parent)

    def in_memory(
        self,
        profile: str,
        *,
        without: Container[ArchiveId] = (),
        trashed: Container[ArchiveId] = (),
        before: Iterable[PlacedArchive] = (),
    ) -> list[PlacedArchive]:
        """
        The places of all archives of *profile* in order, worked out from scratch and not kept; as if those *without*
        did not exist, and those *trashed* were in the trash.

        *before* are places with everybody there. A point that still restores from the same archives by the same links
        shows what it showed, and its names are not looked at again.
        """
        entries = [
            evolve(archive, state=ArchiveState.TRASHED) if archive.id in trashed else archive
            for archive in self.catalog.entries(profile)
            if archive.id not in without
        ]
        comparing = self.comparing(self.members)
        archives = {archive.id: archive for archive in entries}
        links = link_archives(entries, self.rules.of(profile), comparing, comparing.overruled, comparing.carries)
        links = {id: with_own(link, comparing.alone(archives[id])) for id, link in links.items()}
        found = placed((archives[id], link) for id, link in links.items())
        seen = self._with_seen(
            found, {}, self.seeing(self.members), in_memory=True, unchanged=_unchanged(found, before)
        )
        return [seen[id] for id in links]

    def _is_done(self, profile: str, state: LinkState) -> bool:
        is_of_these_rules = state.rules == self._rules_of(profile) or not state.version
        return is_of_these_rules and not state.has_pending and not state.has_unsettled

    def _rules_of(self, profile: str) -> str:
        """Everything that links of *profile* depend on besides its archives."""
        most = self.members.max_names_bytes
        return f"{chains.RULE} {fitting.RULE} {self.rules.of(profile).inc_base.value} {most}"

    def _work_out(self, profile: str, seeing: Seeing, allowed: int | None) -> dict[ArchiveId, PlacedArchive]:
        """Link pending archives, those taken last first, with at most *allowed* comparisons; returns the new places."""
        rules = self._rules_of(profile)
        state = self.catalog.link_state(profile)
        if state.rules not in (None, rules):
            self.catalog.forget_links(profile, rules)
            state = self.catalog.link_state(profile)
        if not state.has_pending:
            return {}
        pending = self.catalog.pending(profile, FEW + 1)
        among = self.catalog.neighbours(profile)
        if len(pending) > FEW:
            pending = self.catalog.pending(profile, _ALL)
            among = ListedNeighbours(self.catalog.entries(profile))
        new = self._links(profile, pending, among, allowed)
        archives = {place.archive.id: place.archive for place in pending}
        links = {one.archive: one.link for one in new if one.link is not None}
        if any(one.is_another for one in new):
            # Archives that build on these have links and may form a circle with them: all are settled together.
            found = {id: PlacedArchive(archives[id], link) for id, link in links.items()}
        else:
            known = self._parents_outside(links)
            found = placed(((archives[id], link) for id, link in links.items()), known)
            found = self._with_seen(found, known, seeing)
        new = [evolve(one, standing=found[one.archive].standing) if one.archive in found else one for one in new]
        if new:
            self.catalog.keep_links(profile, state.version, rules, new)
        return found

    def _links(
        self, profile: str, pending: Sequence[PlacedArchive], among: Neighbours, allowed: int | None
    ) -> list[NewLink]:
        rules = self.rules.of(profile)
        comparing = self.comparing(self.members, allowed)
        new = []
        for place in pending:
            archive = place.archive
            if archive.state is ArchiveState.TRASHED:
                new.append(NewLink(archive.id, None, _NOTHING_ASKED))
                continue
            noted = NotedNeighbours(among)
            comparing.is_certain = True
            try:
                link = link_archive(archive, noted, rules, comparing, comparing.overruled, comparing.carries)
                link = with_own(link, comparing.alone(archive))
            except EnoughCompared:
                continue
            if comparing.is_certain or link != place.link:
                is_another = place.link is not None
                new.append(NewLink(archive.id, link, noted.asked, None, comparing.is_certain, is_another=is_another))
        return new

    def _settle(self, profile: str, seeing: Seeing, limit: int) -> None:
        """Work out unknown standings, unless there are more than *limit*."""
        state = self.catalog.link_state(profile)
        if not state.has_unsettled:
            return
        rows = self.catalog.unsettled(profile, limit + 1)
        if len(rows) > limit:
            return
        links = {row.archive.id: row.link for row in rows if row.link is not None}
        known = self._parents_outside(links)
        found = placed(((row.archive, row.link) for row in rows if row.link is not None), known)
        found = self._with_seen(found, known, seeing)
        standings = {id: place.standing for id, place in found.items() if place.standing is not None}
        if standings:
            self.catalog.keep_standings(profile, state.version, standings)

    def _parents_outside(self, links: Mapping[ArchiveId, Link]) -> dict[ArchiveId, PlacedArchive]:
        """The parents of *links* that are not among them."""
        outside = {link.parent for link in links.values() if link.parent is not None} - set(links)
        return self.catalog.placed(outside) if outside else {}

    def _with_seen(
        self,
        found: Mapping[ArchiveId, PlacedArchive],
        known: Mapping[ArchiveId, PlacedArchive],
        seeing: Seeing,
        *,
        in_memory: bool = False,
        unchanged: Mapping[ArchiveId, Seen] = _NO_SEEN,
    ) -> dict[ArchiveId, PlacedArchive]:
        """
        *found*, parents first, with what the names of each point show; *known* are their parents outside of *found*,
        and *unchanged* is what is known of the names of some.

        A point that could not be examined gets no standing; *in_memory*, when a client waits, it gets one all the same.
        """
        judged: dict[ArchiveId, PlacedArchive] = {}

        def path(id: ArchiveId) -> list[BackupArchive]:
            way: list[BackupArchive] = []
            at: ArchiveId | None = id
            while at is not None and at in found:
                way.append(found[at].archive)
                link = found[at].link
                at = None if link is None else link.parent
            before = [] if at is None else [place.archive for place in self.catalog.path(at)]
            return [*before, *reversed(way)]

        for id, place in found.items():
            if id in unchanged:
                judged[id] = seen_of(place, unchanged[id])
                continue
            parent = None
            if place.link is not None and place.link.parent is not None:
                parent = judged.get(place.link.parent) or known.get(place.link.parent)
            if parent is not None and parent.standing is None:
                judged[id] = evolve(place, standing=None)
                continue
            try:
                seen = seeing(place, parent, partial(path, id))
            except EnoughMerged:
                seen = None
            if seen is None and in_memory:
                seen = _NOT_SEEN
            judged[id] = evolve(place, standing=None) if seen is None else seen_of(place, seen)
        return judged


def _unchanged(found: Mapping[ArchiveId, PlacedArchive], before: Iterable[PlacedArchive]) -> dict[ArchiveId, Seen]:
    """What the names show of those of *found*, parents first, whose link and whole path are as *before*."""
    known = {place.archive.id: place for place in before}
    same: dict[ArchiveId, Seen] = {}
    for id, place in found.items():
        was = known.get(id)
        if was is None or was.standing is None or was.link is None or was.link != place.link:
            continue
        if was.link.parent is None or was.link.parent in same:
            same[id] = was.standing.seen
    return same


def _turn(profile: str) -> str:
    return f"links of {profile}"
