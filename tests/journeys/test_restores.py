"""
Every way of restoring, for every point of histories that Hypothesis draws, compared with the original directory.

A history is a real directory that changes, and a FULL with INCs and DIFFs of it by GNU tar. Each archive is received
with the digests of tar's snapshot file. Then every point is restored in every way, and all must give the directory as
it was when the archive was taken: names, types, contents, modes, owners, times, links, attributes.

``make test-long`` draws ten times as many; see CONTRIBUTING.md.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest
from attrs import evolve, frozen
from hypothesis import HealthCheck, Phase, event, given, seed, settings
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import Lineage, Offer
from tarkeep.domain.chains.standing import DoubtKind, Fidelity
from tarkeep.domain.comparing.fit import Agreement, Compatibility
from tarkeep.domain.errors.restoring import PointNotRestorable
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.tar.members import Member
from tarkeep.domain.trees.tree import Tree
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.assembled import InMemory
from tests.support.histories import History, Step, steps, tar
from tests.support.members import fit
from tests.support.portraits import (
    Look,
    Portrait,
    portrait,
    to_the_second,
    without_attributes,
    without_times_of_directories,
)
from tests.support.require import require
from tests.support.server import LiveServer, live_server
from tests.support.tar_oracle import members_of

HISTORIES = int(os.environ.get("TARKEEP_TEST_HISTORIES", "200"))
SEED = int(os.environ.get("TARKEEP_TEST_SEED", "0"))
PER_TEST = 25
PARTS = range(-(-HISTORIES // PER_TEST))
UNPACK = ("tar", "--extract", "--preserve-permissions", "--xattrs", "--file=-")
TAKEN_FROM = datetime(2026, 1, 1, tzinfo=UTC)

Test = TypeVar("Test", bound=Callable[..., None])
Further = list[tuple[str, bool, list[Step]]]

starts = steps(3, 18, growing=True, odd=True)
formats = st.sampled_from(["gnu", "posix", "mixed"])
dumps = st.lists(
    st.tuples(st.sampled_from(["INC", "INC", "DIFF"]), st.booleans(), steps(1, 7, odd=True)), min_size=1, max_size=3
)


def histories(part: int, count: int = PER_TEST) -> Callable[[Test], Test]:
    """*count* drawn histories, different for each part; the same seed always gives the same."""
    drawn = settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    return lambda test: seed(SEED * 100_003 + part)(drawn(test))


@frozen(eq=False)
class Dump:
    """One archive of a history, and the directory at that time."""

    type: BackupType
    file: Path
    parent: Dump | None
    is_posix: bool
    before: str | None
    after: str | None
    live: Portrait
    members: list[Member]

    @property
    def name(self) -> str:
        return f"{self.file.name}.gz"

    @property
    def path(self) -> list[Dump]:
        """The dumps that restore it, as they were made."""
        return [*(self.parent.path if self.parent else ()), self]

    @property
    def packed(self) -> bytes:
        return gzip.compress(self.file.read_bytes(), 1, mtime=0)

    def read(self) -> list[Member]:
        return self.members

    @property
    def fits(self) -> bool:
        """Whether tar forgot nothing, and can carry out what it wrote."""
        return self.has_all and all(one.is_sound for one in self._compared)

    @property
    def has_all(self) -> bool:
        """Whether tar forgot nothing."""
        return all(one.verdict is Agreement.FITS for one in self._compared)

    @property
    def _compared(self) -> list[Compatibility]:
        return [fit(one.read, one.parent.read) for one in self.path if one.parent is not None]

    def told(self, restored: Portrait) -> Portrait:
        """*restored*, or the live directory, without what the formats of the path cannot keep."""
        if all(one.is_posix for one in self.path):
            return restored
        return without_attributes(to_the_second(restored))


def taken(history: History, start: list[Step], format: str, further: Further) -> list[Dump]:
    """A FULL and later dumps, each with the directory as it was."""
    snapshot, full_snapshot, copy = (history.place / name for name in ("snapshot", "full", "copy"))
    found: list[Dump] = []
    newest: Dump | None = None
    for number, (kind, mixed, changes) in enumerate([("FULL", False, start), *further]):
        history.go_through(changes)
        used = copy if kind == "DIFF" else snapshot
        if kind == "DIFF":
            shutil.copyfile(full_snapshot, copy)
        before = sha256_of(used)
        is_posix = format == "posix" or (format == "mixed" and mixed)
        file = history.dump(f"archive_{number}.tar", used, posix=is_posix, odd=True)
        one = Dump(
            BackupType(kind),
            file,
            found[0] if kind == "DIFF" else newest,
            is_posix,
            before,
            sha256_of(used),
            portrait(history.root),
            members_of(file.read_bytes()),
        )
        if kind == "FULL":
            shutil.copyfile(snapshot, full_snapshot)
        if kind != "DIFF":
            newest = one
        found.append(one)
    return found


def sha256_of(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else None


def received(dumps: list[Dump]) -> Tarkeep:
    tarkeep = InMemory().tarkeep
    for number, dump in enumerate(dumps):
        lineage = Lineage(None, dump.before, dump.after)
        offer = Offer(id_of(dump), taken_at=TAKEN_FROM + timedelta(days=number), lineage=lineage)
        tarkeep.receive(offer, [dump.packed])
    return tarkeep


def id_of(dump: Dump, profile: str = "p") -> ArchiveId:
    return ArchiveId(profile, dump.type, dump.name)


# -- ways to restore -------------------------------------------------------------------------------------------------


def unpacked(content: bytes, *command: str) -> Portrait:
    """What *command*, or GNU tar, extracts from a tar into an empty directory."""
    with tempfile.TemporaryDirectory() as into:
        # libarchive converts names to the character set of the locale
        environment = os.environ | {"LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            command or UNPACK, cwd=into, input=content, env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return portrait(Path(into) / "root")


def by_hand(history: History, dumps: list[Dump], *options: str, complains: bool = False) -> Portrait:
    """What GNU tar extracts from the archives in order; *complains* if it may complain."""
    into = history.place / "restored"
    into.mkdir()
    ended: list[int] = []
    try:
        for dump in dumps:
            ended.append(
                tar(
                    into,
                    "--extract",
                    "--preserve-permissions",
                    "--xattrs",
                    *options,
                    f"--file={dump.file}",
                    check=not complains,
                )
            )
        assert any(ended) is complains
        return portrait(into / "root")
    finally:
        shutil.rmtree(into)


def names_by_tarfile(content: bytes) -> set[bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        return {os.fsencode(member.name) for member in opened}


def with_links_of_archives(live: Portrait, tree: Tree) -> Portrait:
    """
    *live* with only those links between names that are in the same archive.

    If a dump holds one name of a file and calls another unchanged, it does not tell that the two are one file. tar
    dumps directories that it takes for new in this way.
    """
    archives = {path: entry.content_archive for path in live if (entry := tree.entry(path)) is not None}
    return {
        path: evolve(look, links=tuple(name for name in look.links if archives.get(name) == archives.get(path)))
        for path, look in live.items()
    }


# -- the proof -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_every_point_is_given_back_as_it_was(part: int) -> None:
    """
    ``restore.tar`` is the directory as it was when the archive was taken, and what GNU tar extracts from the chain.

    If GNU tar itself forgot to archive something, the point says so; nothing else is ever left out.
    """

    @histories(part)
    @given(starts, formats, dumps)
    def each(start: list[Step], format: str, further: Further) -> None:
        with tempfile.TemporaryDirectory() as place:
            history = History(Path(place))
            dumps = taken(history, start, format, further)
            tarkeep = received(dumps)
            for dump in dumps:
                check_point(history, tarkeep, dump)

    each()


def check_point(history: History, tarkeep: Tarkeep, dump: Dump) -> None:
    opened = tarkeep.open_point("p", id_of(dump))
    assert opened.plan.archives == tuple(id_of(one) for one in dump.path)
    assert opened.plan.point.fidelity is Fidelity.EXACT

    whole = b"".join(tarkeep.restore_tar(opened))
    packed = b"".join(tarkeep.pack(tarkeep.restore_tar(opened)))

    restored = unpacked(whole)
    is_doubted = DoubtKind.NOT_ARCHIVED in {doubt.kind for doubt in opened.plan.point.doubts}
    assert is_doubted is not dump.has_all
    if is_doubted:
        event("tar did not archive what it should")
        assert names_by_tarfile(whole) <= set(dump.live)
        return
    assert dump.told(with_links_of_archives(dump.live, opened.tree)) == dump.told(restored)
    assert gzip.decompress(packed) == whole
    assert names_by_tarfile(whole) == set(dump.live)
    if dump.fits:
        hand = by_hand(history, dump.path, "--listed-incremental=/dev/null")
        # tar does not remove an attribute that a directory has lost.
        assert without_attributes(restored, of_directories_only=True) == without_attributes(
            hand, of_directories_only=True
        )
    else:
        event("tar carries out other renames than it meant")


@pytest.mark.parametrize("part", range(-(-HISTORIES // PER_TEST)))
def test_plain_archives_are_given_back_as_tar_lays_them_over_each_other(part: int) -> None:
    """Without listings nothing is deleted: ``restore.tar`` is what GNU tar extracts from the archives in order."""

    @histories(part, 5)
    @given(starts, st.lists(st.tuples(st.booleans(), steps(1, 6, odd=True)), min_size=1, max_size=3))
    def each(start: list[Step], further: list[tuple[bool, list[Step]]]) -> None:
        with tempfile.TemporaryDirectory() as place:
            history = History(Path(place))
            dumps: list[Dump] = []
            for number, (is_posix, changes) in enumerate([(False, start), *further]):
                history.go_through(changes)
                file = history.dump(f"archive_{number}.tar", None, posix=is_posix, odd=True)
                type = BackupType.INC if number else BackupType.FULL
                parent = dumps[-1] if dumps else None
                dumps.append(Dump(type, file, parent, is_posix, None, None, portrait(history.root), []))
            tarkeep = received(dumps)
            for dump in dumps:
                opened = tarkeep.open_point("p", id_of(dump))
                restored = unpacked(b"".join(tarkeep.restore_tar(opened)))

                assert opened.plan.point.fidelity is Fidelity.OVERLAY
                # A file that came back into a directory, or stayed in it, changed its time and left its attributes.
                # A file that would replace a directory with contents is a gap.
                hand = by_hand(history, dump.path, complains=any(gap.kind.is_in_vain for gap in opened.tree.gaps))
                assert beside_directories(restored) == beside_directories(hand)

    each()


def beside_directories(of: Portrait) -> Portrait:
    return without_attributes(without_times_of_directories(of), of_directories_only=True)


# -- by a live server ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("restores") / "data") as running:
        yield running


def by_script(server: LiveServer, client: httpx2.Client, dump: Dump, profile: str) -> Portrait:
    """What the plan's script restores, run by sh."""
    at = f"{dump.type.value}/{dump.name}"
    script = client.get(f"/api/v1/profiles/{profile}/plan", params={"at": at, "format": "sh"})
    assert script.status_code == 200, script.text
    with tempfile.TemporaryDirectory() as beside:
        into = Path(beside) / "into"
        done = subprocess.run(["sh", "-s", str(into)], input=script.content, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return portrait(into / "root")


def by_url(server: LiveServer, client: httpx2.Client, dump: Dump, profile: str) -> Portrait:
    """What GNU tar extracts from the stream."""
    at = f"{dump.type.value}/{dump.name}"
    return unpacked(client.get(f"/api/v1/profiles/{profile}/restore.tar", params={"at": at}).content)


def by_packed_url(server: LiveServer, client: httpx2.Client, dump: Dump, profile: str) -> Portrait:
    """What GNU tar extracts from the compressed stream."""
    at = f"{dump.type.value}/{dump.name}"
    content = client.get(f"/api/v1/profiles/{profile}/restore.tar.gz", params={"at": at}).content
    return unpacked(content, *UNPACK, "--gzip")


WAYS = (by_script, by_url, by_packed_url)
"""Each restores one point of a profile of a live server. All must give the same; a new way is added here."""


@pytest.mark.parametrize("part", range(-(-HISTORIES // 50)))
def test_a_server_gives_every_point_back_in_every_way(server: LiveServer, part: int) -> None:
    """The plan's script, the stream and the compressed stream give the directory as it was."""
    profiles = itertools.count()

    @histories(part, 10)
    @given(starts, formats, dumps)
    def each(start: list[Step], format: str, further: Further) -> None:
        profile = f"p{part}-{next(profiles)}"
        with tempfile.TemporaryDirectory() as place, server.client() as client:
            made = taken(History(Path(place)), start, format, further)
            send(client, made, profile)
            points = client.get(f"/api/v1/profiles/{profile}/points").json()["points"]
            for dump, point in zip(made, points, strict=True):
                at = {"at": f"{dump.type.value}/{dump.name}"}
                plan = client.get(f"/api/v1/profiles/{profile}/plan", params=at)
                assert (point["fidelity"], point["evidence"]) == ("exact", "proven")
                found = [way(server, client, dump, profile) for way in WAYS]
                if not dump.has_all:
                    assert any("never archived by tar" in warning for warning in plan.json()["warnings"])
                    assert all(set(restored) <= set(dump.live) for restored in found)
                    continue
                for restored in found:
                    assert comparable(dump, restored) == comparable(dump, dump.live)

    each()


def comparable(dump: Dump, of: Portrait) -> Portrait:
    """Without links, which dumps know only in part; see `with_links_of_archives`."""
    told = without_attributes(dump.told(of), of_directories_only=True)
    return {path: evolve(look, links=()) for path, look in told.items()}


def send(client: httpx2.Client, dumps: list[Dump], profile: str) -> None:
    for number, dump in enumerate(dumps):
        said = {"Tarkeep-Snapshot-Before": dump.before, "Tarkeep-Snapshot-After": dump.after}
        said["Tarkeep-Taken-At"] = (TAKEN_FROM + timedelta(days=number)).isoformat()
        answer = client.put(
            f"/api/v1/profiles/{profile}/archives/{dump.type.value}/{dump.name}",
            content=dump.packed,
            headers={name: value for name, value in said.items() if value is not None},
        )
        assert answer.status_code == 201, answer.text


# -- by other readers of tar -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(-(-HISTORIES // 100)))
def test_libarchive_makes_the_same_of_it(part: int) -> None:
    """``restore.tar`` needs no feature of GNU tar alone."""
    require("bsdtar", shutil.which("bsdtar") is not None, "apt install libarchive-tools")

    @histories(part)
    @given(starts, formats, dumps)
    def each(start: list[Step], format: str, further: Further) -> None:
        with tempfile.TemporaryDirectory() as place:
            dumps = taken(History(Path(place)), start, format, further)
            tarkeep = received(dumps)
            try:
                whole = b"".join(tarkeep.restore_tar(tarkeep.open_point("p")))
            except PointNotRestorable:
                return
            expected = {name: read_by_libarchive(look) for name, look in unpacked(whole).items()}
            if format != "gnu" and not all(map(is_utf8, expected)):
                return  # GNU tar writes such names into pax records unchanged, which libarchive refuses to read
            assert unpacked(whole, "bsdtar", "-x", "-p", "-f", "-") == expected

    each()


def is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def read_by_libarchive(look: Look) -> Look:
    """libarchive adds the fraction of a time before 1970, where pax subtracts it: ``-1.25`` becomes -0.75."""
    seconds, fraction = divmod(abs(look.mtime_ns), 1_000_000_000)
    return evolve(look, mtime_ns=fraction - seconds * 1_000_000_000) if look.mtime_ns < 0 else look


def test_a_plan_goes_around_renames_that_tar_carries_out_wrongly(server: LiveServer, tmp_path: Path) -> None:
    """Directories swap places twice, which tar records in an order that it cannot carry out: the server merges."""
    history = History(tmp_path)
    for name in ("one", "two", "three"):
        (history.root / name).mkdir()
        (history.root / name / name).write_text(name)
    made = taken(history, [], "gnu", [("INC", False, [("rotate", 1, 1, 0)]), ("INC", False, [("swap", 1, 2, 1)])])
    with server.client() as client:
        send(client, made, "circle")

        plan = client.get("/api/v1/profiles/circle/plan").json()
        restored = by_script(server, client, made[-1], "circle")

    assert not made[-1].fits
    assert plan["sound"] is False
    assert (
        "GNU tar, extracting one of these archives after the other, would not produce this tree" in plan["warnings"][0]
    )
    assert comparable(made[-1], restored) == comparable(made[-1], made[-1].live)
