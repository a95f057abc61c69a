"""
FULL, DIFF and INC of one tree in every order, each made from some snapshot file, without any declaration of which.

The restored tree is right, or the point says that it does not restore: contents tell which archive is the parent.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import frozen

from tarkeep.domain.archives.archive import BackupArchive, Contents, Kind
from tarkeep.domain.chains.links import link_archives
from tarkeep.domain.chains.points import restore_points
from tarkeep.domain.comparing.fit import Compatibility
from tarkeep.domain.comparing.fitting import overruled
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.profiles.rules import ProfileRules
from tarkeep.domain.tar.dumpdirs import Mark
from tarkeep.domain.tar.members import Member
from tests.support.histories import History, drawn, put_together
from tests.support.members import fit, merge, table
from tests.support.tar_oracle import members_of

HISTORIES = int(os.environ.get("TARKEEP_TEST_HISTORIES", "200"))
START = datetime(2026, 1, 1, tzinfo=UTC)


@frozen
class Dump:
    archive: BackupArchive
    members: list[Member]
    content: bytes
    live: dict[bytes, tuple[str, bytes]]

    def read(self) -> list[Member]:
        return self.members


def dumps_of(history: History, rng: random.Random) -> list[Dump]:
    """
    A FULL, then DIFF and INC; an INC starts from the snapshot file of any earlier archive, mostly of the last one.
    """
    left: list[tuple[BackupType, Path]] = []
    found: list[Dump] = []
    history.go_through(drawn(rng, ("write", "write", "make"), 12))
    for number in range(5):
        type = BackupType.FULL if not number else rng.choice([BackupType.DIFF, BackupType.INC, BackupType.INC])
        snapshot = history.place / f"{number}.snar"
        if type is BackupType.DIFF:
            shutil.copy(left[0][1], snapshot)
        elif type is BackupType.INC:
            shutil.copy(left[-1][1] if rng.randrange(4) else rng.choice(left)[1], snapshot)
        file = history.dump(f"{number}.tar", snapshot, posix=bool(rng.randrange(2)))
        left.append((type, snapshot))
        members = members_of(file.read_bytes())
        is_unchanged = any(Mark.UNCHANGED in one.listing.names.values() for one in members if one.listing)
        at = START + timedelta(days=number)
        archive = BackupArchive(
            ArchiveId("p", type, f"{number}.tar.gz"),
            1,
            Digests("0" * 32, "0" * 64),
            at,
            at,
            Contents(Kind.INCREMENTAL, len(members), 1024, None, is_unchanged, ("root",)),
        )
        found.append(Dump(archive, members, file.read_bytes(), history.live()))
        history.go_through(drawn(rng, ("write", "write", "change", "change", "remove", "make"), rng.randrange(1, 5)))
    return found


@pytest.mark.parametrize("part", range(-(-HISTORIES // 25)))
def test_contents_tell_what_a_dump_was_made_from(part: int, tmp_path: Path) -> None:
    """For every point: the right tree, or a report that it does not restore."""
    count: Counter[str] = Counter()
    for seed in range(part * 25, part * 25 + 25):
        place = tmp_path / str(seed)
        place.mkdir()
        dumps = dumps_of(History(place), random.Random(seed))
        by_id = {dump.archive.id: dump for dump in dumps}

        def compare(child: BackupArchive, parent: BackupArchive, by_id: dict[ArchiveId, Dump] = by_id) -> Compatibility:
            is_base = parent.id.type is BackupType.FULL
            return fit(lambda: by_id[child.id].members, lambda: by_id[parent.id].members, is_base=is_base)

        def carried(
            child: BackupArchive,
            between: BackupArchive,
            _base: BackupArchive,
            by_id: dict[ArchiveId, Dump] = by_id,
        ) -> tuple[bytes, ...]:
            return overruled(table(by_id[child.id].read)(), table(by_id[between.id].read)())

        archives = [dump.archive for dump in dumps]
        links = link_archives(archives, ProfileRules(), compare, carried)
        for point in restore_points(archives, links):
            if not point.is_restorable:
                count["refused"] += 1
                continue
            path = [by_id[id] for id in point.path]
            tree = merge([dump.read for dump in path], is_exact=True)
            if tree.losses:
                count["refused"] += 1
                continue
            made = put_together(tree, [(dump.members, dump.content) for dump in path])
            count["right" if made == by_id[point.archive.id].live else "wrong"] += 1
        shutil.rmtree(place)
    assert not count["wrong"]
