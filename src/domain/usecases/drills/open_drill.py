"""Choosing what a drill restores, and entering it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from attrs import frozen

from ...archives.archive import Kind
from ...drills.choice import DrillLimits, chosen_folders, chosen_point, chosen_way, next_profile
from ...drills.drill import Drill, DrilledArchive, DrillKind
from ...errors.archives import ProfileNotFound
from ...errors.restoring import PointNotFound
from ...ports.catalog import Catalog
from ...ports.system import Clock, IdSource
from ...ports.upkeep.drills import DrillTable
from ...profiles.rules import Rules
from ...tar.paths import split
from ...tar.read_headers import read_to_show
from ..reading.archive_members import ArchiveMembers
from ..restoring.load_points import LoadPoints
from ..restoring.open_point import OpenedPoint, OpenPoint


@frozen
class OpenDrill:
    """Say what is to be restored next."""

    catalog: Catalog
    table: DrillTable
    load_points: LoadPoints
    open_point: OpenPoint
    members: ArchiveMembers
    rules: Rules
    clock: Clock
    ids: IdSource
    limits: DrillLimits

    def __call__(self, sees: Callable[[str], bool], who: str | None, profile: str | None = None) -> Drill | None:
        """
        A drill of *profile*, or of the one that *sees* accepts and that waits longest; None if none is due. A profile
        that is named is due always.

        Raises:
            ProfileNotFound: *profile* has no stored archive, or is not seen.
            PointNotFound: *profile* has no point that restores.
            PointNotRestorable, ArchiveCorrupt: the chosen point turned out not to restore.
        """
        last = self.table.latest(DrillKind.DRILL)
        if profile is not None:
            if not sees(profile) or not self.catalog.totals(profile):
                raise ProfileNotFound(profile)
            return self._of(profile, last.get(profile), who)
        now = self.clock.now()
        waiting = [one for one in sorted({row.profile for row in self.catalog.totals()}) if sees(one)]
        due_before = {one: self.limits.every_of(one, self.rules).due_before(now) for one in waiting}
        while (found := next_profile(waiting, last, due_before)) is not None:
            try:
                return self._of(found, last.get(found), who)
            except (PointNotFound, ProfileNotFound):  # nothing of it restores, which its light says
                waiting.remove(found)
        return None

    def _of(self, profile: str, before: Drill | None, who: str | None) -> Drill:
        id, turn = self.ids.new(), 0 if before is None else before.turn + 1
        points = [
            place.archive.id
            for place in self.load_points(profile).places()
            if place.standing is not None and place.standing.is_restorable
        ]
        if not points:
            raise PointNotFound(at=profile, earliest=None)
        point = chosen_point(points, turn, id)
        opened = self.open_point(profile, point)
        folders, share = self._folders(opened, id)
        drill = Drill(
            id,
            DrillKind.DRILL,
            point,
            turn,
            chosen_way(turn, is_sound=opened.plan.is_sound, is_part=bool(folders)),
            drilled_archives(opened),
            self.clock.now(),
            who,
            opened.way.is_exact,
            folders,
            share,
        )
        self.table.begin(drill)
        return drill

    def _folders(self, opened: OpenedPoint, seed: str) -> tuple[tuple[bytes, ...], float]:
        """The parts of the tree to restore, all of it if there are none, and their share of its bytes."""
        most = self.limits.most_bytes
        unpacked = sum(archive.contents.unpacked_bytes for archive in opened.archives if archive.contents is not None)
        if unpacked <= most:
            return (), 1.0
        sizes: Counter[bytes] = Counter()
        for path, size in self._sizes(opened):
            directory = path
            while directory:
                directory = split(directory)[0]
                sizes[directory] += size
        total = sizes[b""]
        if total <= most:
            return (), 1.0
        folders = chosen_folders(sizes, most, seed)
        return folders, sum(sizes[folder] for folder in folders) / total if folders else 1.0

    def _sizes(self, opened: OpenedPoint) -> Iterable[tuple[bytes, int]]:
        """The paths of all files, and their sizes; of a file with several names, the size counts for the first."""
        for archive, taken in zip(opened.archives, opened.tree.taken(), strict=True):
            own = set(taken.positions)
            for record in self.members.at(archive, sorted(own.union(taken.elsewhere))):
                member = read_to_show(record)
                path = taken.elsewhere[record.at][0] if record.at in taken.elsewhere else member.path
                yield path, member.size_bytes


def drilled_archives(opened: OpenedPoint) -> tuple[DrilledArchive, ...]:
    """The archives that *opened* is put together from."""
    return tuple(
        DrilledArchive(
            archive.id,
            archive.digests.sha256,
            archive.size_bytes,
            archive.contents is not None and archive.contents.kind is Kind.INCREMENTAL,
        )
        for archive in opened.archives
    )
