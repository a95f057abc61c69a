"""
Everything that archives without digests can reveal is revealed: small histories, with every possible parent.

For a few archives all series can be tried, and those ruled out that the archives contradict: by a name that is called
unchanged but is not in the parent, by another version between the two, by the times of directories. If Tarkeep silently
restores a wrong tree, it must be one that no archive contradicts.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import Lineage
from tarkeep.domain.chains.link import Evidence
from tarkeep.domain.chains.points import RestorePoint
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.tar.members import MemberType
from tarkeep.domain.tar.paths import canonical
from tarkeep.entrypoints.settings.server import StorageSettings
from tests.journeys.test_broken_chains import Dump as RealDump
from tests.journeys.test_broken_chains import described as described_real
from tests.journeys.test_broken_chains import points_of, told_by_server
from tests.support.histories import History, tar
from tests.support.members import earlier, merge
from tests.support.server import in_process
from tests.support.small_histories import SECOND, Dump, Machine, dumps_of, possible_trees, taken_at, truth
from tests.support.tar_oracle import members_of

HISTORIES = int(os.environ.get("TARKEEP_TEST_HISTORIES", "600")) // 10
KINDS = ("nothing", "missing", "swapped", "doubled", "two machines", "strange INC")


def given(dumps: list[Dump], point: RestorePoint) -> dict[bytes, int]:
    """The files that Tarkeep restores for *point*, with the times of their versions."""
    by_id = {dump.archive.id: dump for dump in dumps}
    path = [by_id[id] for id in point.path]
    tree = merge([dump.read for dump in path], is_exact=True, is_proven=True)
    found = {}
    for dump, taken in zip(path, tree.taken(), strict=True):
        at = {member.at: member for member in dump.members}
        for position in taken.positions:
            if at[position].type is MemberType.FILE:
                found[canonical(at[position].path)] = at[position].mtime_ns // SECOND
    return found


def broken(kind: str, rng: random.Random, mine: list[Dump], other: list[Dump]) -> list[Dump]:
    """The chain *mine* after some mishap; *other* is the chain of another machine."""
    which = rng.randrange(1, len(mine) - 1)
    if kind == "nothing":
        return mine
    if kind == "missing":
        return mine[:which] + mine[which + 1 :]
    if kind == "swapped":
        first, second = mine[which], mine[which + 1]
        return [*mine[:which], taken_at(second, which), taken_at(first, which + 1), *mine[which + 2 :]]
    if kind == "doubled":
        return [*mine, taken_at(mine[which], len(mine), "again")]
    between = [taken_at(dump, number + 0.5, f"other{number}") for number, dump in enumerate(other)]
    return sorted(
        [*mine, *(between if kind == "two machines" else between[1:])], key=lambda dump: dump.archive.taken_at
    )


def verdict(dumps: list[Dump], point: RestorePoint, *, digests: bool) -> str:
    dump = next(dump for dump in dumps if dump.archive.id == point.archive.id)
    if not point.is_restorable:
        return "refused"
    tree = given(dumps, point)
    if tree == truth(dump):
        return "right"
    if point.evidence is Evidence.UNCERTAIN or point.doubts:
        return "told"
    if digests:
        return "wrong"
    possible = possible_trees(dump, dumps)
    if tree not in possible:
        return "revealable"
    return "unrevealable" if all(other == tree for other in possible) else "ambiguous"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("excludes", [False, True], ids=["", "with excludes"])
def test_what_the_archives_could_reveal_is_revealed(kind: str, excludes: bool) -> None:
    """
    With digests no verdict is wrong; without them, each wrong tree that is restored silently is a possible one.

    *unrevealable* ones are all that are possible, and *ambiguous* ones are as possible as others. In whole histories
    without excludes, every point is right and no doubt is reported.
    """
    counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for number in range(HISTORIES):
        rng = random.Random(f"{kind} {excludes} {number}")
        machine = Machine()
        types = rng.choices((BackupType.INC, BackupType.DIFF), (3, 1), k=rng.randrange(3, 5))
        mine = dumps_of(machine, rng, types, "mine", excludes=excludes)
        other = dumps_of(Machine(machine.clock), rng, types, "other", excludes=excludes)
        dumps = broken(kind, rng, mine, other)
        for digests in (True, False):
            counts[digests].update(
                verdict(dumps, point, digests=digests) for point in points_of(dumps, digests=digests)
            )

    for digests in (True, False):
        about = f"{kind}{', excludes' * excludes}, {'with' if digests else 'without'} digests"
        print(f"{about}: {HISTORIES} histories, {dict(counts[digests].most_common())}")
    assert counts[True].keys() <= ({"right", "refused"} if kind in ("missing", "strange INC") else {"right"})
    assert not counts[False]["revealable"]
    if kind == "nothing" and not excludes:
        assert counts[False].keys() == {"right"}


def test_directories_of_an_earlier_time_are_reported(tmp_path: Path) -> None:
    """If two INCs are in the wrong order, the second is uncertain; so is one after a time that was set back."""
    history, snapshot = History(tmp_path), tmp_path / "snapshot"
    (history.root / "lasts").write_bytes(b"lasts")
    dumps = [real(history, 0, snapshot)]
    for number in (1, 2, 3):
        (history.root / "changes").write_bytes(b"%d" % number)
        (history.root / f"new{number}").touch()
        (history.root / f"new{number}").unlink(missing_ok=number == 1)
        dumps.append(real(history, number, snapshot))
    os.utime(history.root, ns=(0, 1_500_000_000_123_456_789))
    dumps.append(real(history, 4, snapshot))
    swapped = [dumps[0], moved(dumps[2], 1), moved(dumps[1], 2), dumps[3]]

    with in_process(StorageSettings(data=tmp_path / "data")) as (client, _):
        right = told_by_server(client, "right", dumps, digests=False)
        wrong = told_by_server(client, "swapped", swapped, digests=False)

    assert [point["evidence"] for point in right] == ["proven", *["inferred"] * 3, "uncertain"]
    assert [point["evidence"] for point in wrong] == ["proven", "inferred", "uncertain", "uncertain"]
    for point in (right[4], wrong[2]):
        (doubt,) = point["doubts"]
        assert doubt["code"] == "uncertain"
        assert "root is a directory of an earlier time" in doubt["detail"]


def test_names_that_are_left_out_and_mounts_are_no_matter_of_time(tmp_path: Path) -> None:
    """Excludes change the marks of listed names, not the set of names; a new folder may have any time."""
    history, snapshot = History(tmp_path), tmp_path / "snapshot"
    for folder in ("kept", "cache"):
        (history.root / folder).mkdir()
        (history.root / folder / "file").write_bytes(b"1")
    dumps = [real(history, 0, snapshot)]
    dumps.append(real(history, 1, snapshot, "--exclude=cache"))
    dumps.append(real(history, 2, snapshot))
    shutil.rmtree(history.root / "kept")
    (history.root / "kept").mkdir()
    (history.root / "kept" / "other").write_bytes(b"2")
    os.utime(history.root / "kept", ns=(0, 1_500_000_000_123_456_789))
    dumps.append(real(history, 3, snapshot))

    found = [earlier(child.read, parent.read) for parent, child in pairwise(dumps)]

    assert found == [b"", b"", b""]


def real(history: History, number: int, snapshot: Path, *options: str) -> RealDump:
    """The archive that GNU tar makes of *history*, as it is sent on the day *number*."""
    file = history.place / f"{number}.tar"
    tar(
        history.place,
        "--create",
        "--format=posix",
        f"--file={file}",
        f"--listed-incremental={snapshot}",
        *options,
        "root",
    )
    members = members_of(file.read_bytes())
    return RealDump(described_real(number, members, Lineage()), file, members, {})


def moved(dump: RealDump, number: int) -> RealDump:
    """*dump* as if it had been taken on another day."""
    at = dump.archive.taken_at + timedelta(days=number - int(dump.archive.id.name[0]))
    return evolve(dump, archive=evolve(dump.archive, taken_at=at))
