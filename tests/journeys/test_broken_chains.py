"""
Real chains that lack an archive: GNU tar restores them silently, and this is what Tarkeep reports.

Each history is a FULL and three INCs with changes between, every other one with renames of directories; then one INC in
the middle is removed. The histories are drawn from fixed seeds.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from attrs import evolve, frozen
from starlette.testclient import TestClient

from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Contents, Kind, Lineage
from tarkeep.domain.chains.link import Evidence
from tarkeep.domain.chains.links import link_archives
from tarkeep.domain.chains.points import RestorePoint, restore_points
from tarkeep.domain.chains.standing import DoubtKind, Fidelity
from tarkeep.domain.comparing.fit import Compatibility
from tarkeep.domain.comparing.fitting import overruled
from tarkeep.domain.errors.archives import ArchiveCorrupt
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.profiles.rules import ProfileRules
from tarkeep.domain.tar.dumpdirs import Mark
from tarkeep.domain.tar.members import Member
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import legacy_folder
from tests.support.assembled import InMemory
from tests.support.histories import History, drawn, put_together
from tests.support.members import earlier, fit, merge, table
from tests.support.require import require
from tests.support.server import in_process
from tests.support.tar_oracle import members_of
from tests.support.tars import gnu_tar, gz

HISTORIES = 120
START = datetime(2026, 1, 1, tzinfo=UTC)
RENAMING = ("move", "replace")
OTHERS = ("write", "write", "change", "change", "make", "remove", "move-file", "remove-tree")


@frozen(eq=False)
class Dump:
    archive: BackupArchive
    file: Path
    members: list[Member]
    live: dict[bytes, tuple[str, bytes]]

    def read(self) -> list[Member]:
        return self.members


def sha256_of(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else None


def dumps_of(history: History, rng: random.Random, *, renames: bool) -> list[Dump]:
    snapshot = history.place / "snapshot"
    history.go_through(drawn(rng, ("write", "write", "make"), 20))
    taken = []
    for number in range(4):
        before = sha256_of(snapshot)
        file = history.dump(f"{number}.tar", snapshot, posix=bool(rng.randrange(2)))
        members = members_of(file.read_bytes())
        taken.append(
            Dump(described(number, members, Lineage(None, before, sha256_of(snapshot))), file, members, history.live())
        )
        history.go_through(drawn(rng, OTHERS + RENAMING * renames, rng.randrange(2, 7)))
    return taken


def described(number: int, members: list[Member], lineage: Lineage) -> BackupArchive:
    at = START + timedelta(days=number)
    unchanged = any(
        mark is Mark.UNCHANGED for member in members if member.listing for mark in member.listing.names.values()
    )
    return BackupArchive(
        ArchiveId("p", BackupType.INC if number else BackupType.FULL, f"{number}.tar.gz"),
        1,
        Digests("0" * 32, "0" * 64),
        at,
        at,
        Contents(Kind.INCREMENTAL, len(members), 1024, None, unchanged, ("root",)),
        lineage=lineage,
    )


def last_point(dumps: list[Dump], *, digests: bool) -> RestorePoint:
    """The verdict on the last archive."""
    return points_of(dumps, digests=digests)[-1]


class Taken(Protocol):
    """An archive, and its members."""

    @property
    def archive(self) -> BackupArchive: ...

    def read(self) -> Sequence[Member]: ...


def points_of(dumps: Sequence[Taken], *, digests: bool) -> tuple[RestorePoint, ...]:
    """The points of all archives, with or without the digests of snapshot files."""
    members = {dump.archive.id: dump.read for dump in dumps}
    archives = [dump.archive if digests else evolve(dump.archive, lineage=Lineage()) for dump in dumps]

    def compare(child: BackupArchive, parent: BackupArchive) -> Compatibility:
        found = fit(members[child.id], members[parent.id], is_base=parent.id.type is BackupType.FULL)
        return evolve(found, earlier=earlier(members[child.id], members[parent.id]))

    def carries(archive: BackupArchive, paths: tuple[bytes, ...]) -> bool:
        return any(member.path in paths for member in members[archive.id]() if member.listing is None)

    def carried(child: BackupArchive, between: BackupArchive, base: BackupArchive) -> tuple[bytes, ...]:
        paths = overruled(table(members[child.id])(), table(members[between.id])(), 1000)
        if between.id.type is not BackupType.FULL:
            return paths
        there, here = (
            {one.path: (one.size_bytes, one.mtime_ns // 10**9) for one in members[id]()} for id in (between.id, base.id)
        )
        return tuple(path for path in paths if path in here and here[path] != there[path])

    return restore_points(archives, link_archives(archives, ProfileRules(), compare, carried, carries))


def merged(dumps: list[Dump], point: RestorePoint) -> dict[bytes, tuple[str, bytes]]:
    """The result of restoring *point*. Every name must have content."""
    by_id = {dump.archive.id: dump for dump in dumps}
    path = [by_id[id] for id in point.path]
    tree = merge([dump.read for dump in path], is_exact=True, is_proven=point.standing.is_whole)
    assert not tree.losses
    return put_together(tree, [(dump.members, dump.file.read_bytes()) for dump in path])


def told_by_server(client: TestClient, profile: str, dumps: list[Dump], *, digests: bool) -> list[dict[str, Any]]:
    """The points of *profile* after the server has received *dumps*."""
    for dump in dumps:
        said = dump.archive.lineage
        headers = {"Tarkeep-Taken-At": dump.archive.taken_at.isoformat()}
        if digests:
            headers |= {"Tarkeep-Snapshot-After": said.snapshot_after or ""}
            headers |= {"Tarkeep-Snapshot-Before": said.snapshot_before} if said.snapshot_before else {}
        url = f"/api/v1/profiles/{profile}/archives/{dump.archive.id.type.value}/{dump.archive.id.name}"
        assert client.put(url, content=gz(dump.file.read_bytes()), headers=headers).status_code == 201
    points: list[dict[str, Any]] = client.get(f"/api/v1/profiles/{profile}/points").json()["points"]
    return points


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    data = tmp_path_factory.mktemp("verdicts") / "data"
    with in_process(StorageSettings(data=data, store="memory:", catalog="memory:")) as (talking, _):
        yield talking


def test_a_missing_archive_is_never_overlooked_with_digests_and_seldom_without(
    tmp_path: Path, client: TestClient
) -> None:
    """
    With the digests of snapshot files no verdict is wrong, neither for whole chains nor for broken ones.

    Without digests, names that are in no archive reveal many broken chains, and no verdict overlooks such a name: it is
    uncertain whether they were left out or an archive is missing. Content that changed in the missing archive under an
    unchanged name leaves no trace, so a chain that looks restorable is called inferred and never proven. The server
    reports the same for each.
    """
    wrong = silent = flagged = 0
    for number in range(HISTORIES):
        rng = random.Random(number)
        place = tmp_path / str(number)
        place.mkdir()
        history = History(place)
        whole = dumps_of(history, rng, renames=bool(number % 2))
        live = whole[-1].live
        for digests in (True, False):
            point = last_point(whole, digests=digests)
            assert point.is_restorable
            assert merged(whole, point) == live

        missing = rng.choice((1, 2))
        broken = whole[:missing] + whole[missing + 1 :]
        proven, inferred = last_point(broken, digests=True), last_point(broken, digests=False)

        for point, digests in ((proven, True), (inferred, False)):
            told = told_by_server(client, f"p{number}-{digests}", broken, digests=digests)[-1]
            assert (told["restorable"], told["evidence"]) == (point.is_restorable, point.evidence.value)
        if proven.is_restorable:
            assert merged(broken, proven) == live
        if inferred.is_restorable:
            assert inferred.evidence in (Evidence.INFERRED, Evidence.UNCERTAIN)
        by_tar = history.restored([dump.file for dump in broken])
        if by_tar != live:
            wrong += 1
            silent += by_tar is not None  # tar exited with 0
            is_told = inferred.evidence is Evidence.UNCERTAIN or not inferred.is_restorable
            flagged += is_told or merged(broken, inferred) == live

    print(f"GNU tar restored {wrong} of {HISTORIES} broken chains wrongly, and ended with 0 in {silent} of these")
    print(f"without digests {flagged} of these are flagged")
    assert wrong > HISTORIES // 2
    assert silent > wrong * 9 // 10
    assert flagged > wrong // 3


def taken_at(dump: Dump, number: float, name: str | None = None) -> Dump:
    """*dump* as if it had been taken on another day, and maybe under another name."""
    at = START + timedelta(days=number)
    id = evolve(dump.archive.id, name=name or dump.archive.id.name)
    return evolve(dump, archive=evolve(dump.archive, id=id, taken_at=at, received_at=at))


def broken(kind: str, rng: random.Random, mine: list[Dump], other: list[Dump]) -> list[Dump]:
    """The chain *mine* after some mishap; *other* is the chain of another machine."""
    which = rng.choice((1, 2))
    if kind == "missing":
        return mine[:which] + mine[which + 1 :]
    if kind == "swapped":
        first, second = mine[which], mine[which + 1]
        return [*mine[:which], taken_at(second, which), taken_at(first, which + 1), *mine[which + 2 :]]
    if kind == "doubled":
        return [*mine, taken_at(mine[which], which + 1.5, "again.tar.gz")]
    between = [taken_at(dump, number + 0.5, f"other{number}.tar.gz") for number, dump in enumerate(other)]
    return [*mine, *(between if kind == "two machines" else between[1:])]


@pytest.mark.parametrize("kind", ["missing", "swapped", "doubled", "two machines", "strange INC"])
def test_no_digest_no_proof_but_with_them_no_verdict_is_wrong(kind: str, tmp_path: Path) -> None:
    """For every point of a chain after a mishap, the restored tree is right, or the point does not restore."""
    count: Counter[str] = Counter()
    for number in range(HISTORIES // 4):
        rng = random.Random(number)
        chains = []
        for machine in ("mine", "other"):
            place = tmp_path / f"{number} {machine}"
            place.mkdir()
            chains.append(dumps_of(History(place), rng, renames=bool(number % 2)))
        dumps = broken(kind, rng, *chains)
        live = {dump.archive.id: dump.live for dump in dumps}
        for digests in (True, False):
            for point in points_of(dumps, digests=digests):
                with_or_without = "with" if digests else "without"
                if not point.is_restorable:
                    count[f"refused {with_or_without}"] += 1
                elif merged(dumps, point) == live[point.archive.id]:
                    count[f"right {with_or_without}"] += 1
                else:
                    is_told = point.evidence is Evidence.UNCERTAIN or bool(point.doubts)
                    count[f"{'told' if is_told else 'wrong'} {with_or_without}"] += 1
    assert not count["wrong with"]
    assert count["right with"]


def test_what_happens_to_one_archive_changes_what_restores(tmp_path: Path, client: TestClient) -> None:
    """A middle INC missing, sent late, and under another's name: each time the points report the result."""
    history = History(tmp_path)
    dumps = dumps_of(history, random.Random(1), renames=False)

    before = told_by_server(client, "late", [*dumps[:1], *dumps[2:]], digests=True)
    after = told_by_server(client, "late", dumps[1:2], digests=True)
    first, second = dumps[1:3]
    swapped = [
        dumps[0],
        evolve(first, archive=evolve(first.archive, id=second.archive.id)),
        evolve(second, archive=evolve(second.archive, id=first.archive.id)),
        dumps[3],
    ]
    by_digest = told_by_server(client, "swapped", swapped, digests=True)

    assert [point["restorable"] for point in before] == [True, False, False]
    assert before[1]["obstacles"][0]["code"] == "missing-parent"
    assert [(point["restorable"], point["evidence"]) for point in after] == [(True, "proven")] * 4
    # Names do not matter: each is linked to what it started from, and restores its own content.
    assert all(point["restorable"] for point in by_digest)
    assert [point["link"]["parent"] and point["link"]["parent"]["name"] for point in by_digest] == [
        None,
        "0.tar.gz",
        "2.tar.gz",
        "1.tar.gz",
    ]


def test_a_damaged_or_removed_archive_takes_what_builds_on_it_with_it(tmp_path: Path) -> None:
    """A reader finds flipped bytes, and from then on the points report them; the same for a removed archive."""
    with in_process(StorageSettings(data=tmp_path / "data")) as (talking, tarkeep):
        place = tmp_path / "history"
        place.mkdir()
        dumps = dumps_of(History(place), random.Random(2), renames=False)
        told_by_server(talking, "flipped", dumps, digests=True)
        told_by_server(talking, "removed", dumps, digests=True)
        stored = tmp_path / "data/archives/flipped/INC/1.tar.gz"
        content = bytearray(stored.read_bytes())
        content[len(content) // 2] ^= 1
        stored.chmod(0o600)
        stored.write_bytes(content)

        opened = tarkeep.open_point("flipped")
        with pytest.raises(ArchiveCorrupt):
            b"".join(tarkeep.restore_tar(opened))
        flipped = talking.get("/api/v1/profiles/flipped/points").json()["points"]
        gone = ArchiveId("removed", BackupType.INC, "1.tar.gz")
        tarkeep.receive.begin_intake.settle.catalog.mark(gone, ArchiveState.TRASHED)
        tarkeep.receive.store.remove(gone)
        removed = talking.get("/api/v1/profiles/removed/points").json()["points"]

        assert [point["restorable"] for point in flipped] == [True, False, False, False]
        assert flipped[3]["obstacles"][0]["code"] == "damaged"
        assert [point["restorable"] for point in removed] == [True, False, False]


def test_chains_of_the_first_scripts_are_laid_over_each_other_in_order() -> None:
    """A store of the original server: plain archives, one with other roots, restored in order, with doubts reported."""
    real = Path(__file__).parents[3] / "shared" / "legacy-store"
    require("legacy-store", real.is_dir(), "put a store of the original server at ../shared/legacy-store")
    tarkeep = InMemory().tarkeep

    tarkeep.import_folder(legacy_folder(real, UTC, "document"))
    points = tarkeep.load_points("document").all()

    assert [point.archive.id.type for point in points] == [BackupType.FULL, BackupType.INC, BackupType.DIFF]
    assert all(point.is_restorable and point.fidelity is Fidelity.OVERLAY for point in points)
    assert all(point.path[0] == points[0].archive.id for point in points)
    for point in points:
        opened = tarkeep.open_point("document", point.archive.id)
        restored = gnu_tar("-t", "-f", "-", stdin=b"".join(tarkeep.restore_tar(opened)))
        assert {line.rstrip(b"/") for line in restored.splitlines()} >= {
            line.rstrip(b"/")
            for id in point.path
            for line in gnu_tar("-t", "-z", "-f", real / id.type.value / id.name).splitlines()
        }
    assert {doubt.kind for doubt in points[2].doubts} == {DoubtKind.OTHER_ROOTS}
