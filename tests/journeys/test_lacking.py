"""
What points with gaps restore: everything except the reported names, exactly.

Histories that Hypothesis draws, with some of their archives damaged, or never stored; and a chain on the disk of a real
server, with bytes flipped, cut or removed, restored by curl and tar, by the script of the plan, and by the client.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, event, given, seed, settings
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.usecases.restoring.open_point import OpenedPoint
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.dumper import Dump, Dumper, Seen, extracted
from tests.support.harm import cut, flip
from tests.support.histories import History, Step, steps
from tests.support.machine import Machine
from tests.support.server import in_process, live_server
from tests.support.tar_oracle import look_at

HISTORIES = int(os.environ.get("TARKEEP_TEST_HISTORIES", "200")) // 8

further = st.lists(st.tuples(st.sampled_from(["INC", "INC", "INC", "DIFF"]), steps(1, 6)), min_size=2, max_size=4)


@seed(0)
@settings(
    max_examples=HISTORIES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
@given(steps(4, 14, growing=True), further, st.sets(st.integers(0, 4), min_size=1, max_size=2), st.booleans())
def test_given_is_all_but_what_lacks(
    start: list[Step], changes: list[tuple[str, list[Step]]], harmed: set[int], is_missing: bool
) -> None:
    """
    Names and contents of every point, compared with the same point with all archives stored.

    With a damaged archive, exactly the names with content in it lack. With a missing archive, every name that is not
    reported is right, and names reported as out of date are nothing but that: names of the tree.
    """
    with (
        tempfile.TemporaryDirectory() as place,
        in_process(StorageSettings(store="memory:", catalog="memory:")) as (client, tarkeep),
    ):
        machine = Dumper(client, "whole", History(Path(place)))
        dumps = dumped(machine, start, changes)
        harmed = {number % len(dumps) for number in harmed}
        for profile in ("whole", "harmed"):
            machine.profile = profile
            for number, dump in enumerate(dumps):
                if profile == "whole" or not is_missing or number not in harmed:
                    assert machine.put(dump).status_code == 201
        if not is_missing:
            for number in harmed:
                tarkeep.examiner.catalog.mark(id_of(dumps[number], "harmed"), ArchiveState.DAMAGED)

        for number, dump in enumerate(dumps):
            if is_missing and number in harmed:
                continue
            whole = tarkeep.open_point("whole", id_of(dump, "whole"))
            opened = tarkeep.open_point("harmed", id_of(dump, "harmed"), allow_gaps=True)
            told = list(opened.lacks.all())
            lacking = {lack.path for lack in told if not lack.is_given}
            uncertain = {lack.path for lack in told if lack.is_given}
            all_of_it, seen = restored(tarkeep, whole, place), restored(tarkeep, opened, place)

            counts = opened.count()
            assert (counts.lacking, counts.uncertain) == (len(lacking), len(uncertain))
            assert not seen.keys() & lacking
            assert seen.keys() - all_of_it.keys() <= uncertain
            assert all_of_it.keys() - seen.keys() == lacking & all_of_it.keys()
            assert all(seen[path] == all_of_it[path] for path in seen.keys() - uncertain)
            if not is_missing:
                assert not uncertain
                assert lacking == {
                    entry.path
                    for entry in whole.tree.search(b"")
                    if not entry.is_directory
                    and entry.content_archive is not None
                    and dumps.index(of(dumps, whole, entry.content_archive)) in harmed
                }
            event(f"{'missing' if is_missing else 'damaged'}, {'lacking' if lacking else 'whole'}")


def dumped(machine: Dumper, start: list[Step], changes: list[tuple[str, list[Step]]]) -> list[Dump]:
    """A FULL and the drawn dumps; each later archive also changes a file of the FULL, which then stays unchanged."""
    machine.history.go_through(start)
    for number in range(len(changes)):
        keep(machine.root / f"kept{number}", "as of the full")
    dumps = [machine.dump("FULL")]
    for number, (type, change) in enumerate(changes):
        machine.history.go_through(change)
        keep(machine.root / f"kept{number}", "changed")
        if type == "DIFF":
            dumps.append(machine.dump("DIFF", on_top_of=dumps[0]))
        else:
            dumps.append(machine.dump("INC"))
    return dumps


def keep(file: Path, content: str) -> None:
    if not file.is_dir() and not file.is_symlink():
        file.write_text(content)


def id_of(dump: Dump, profile: str) -> ArchiveId:
    return ArchiveId(profile, BackupType(dump.type), dump.name)


def of(dumps: list[Dump], opened: OpenedPoint, number: int) -> Dump:
    name = opened.archives[number].id.name
    return next(dump for dump in dumps if dump.name == name)


def restored(tarkeep: Tarkeep, opened: OpenedPoint, place: str) -> Seen:
    return extracted(b"".join(tarkeep.restore_tar(opened, allow_gaps=True)), Path(place) / "restored")


# -- on a disk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink], ids=["rotten", "cut", "gone"])
def test_a_damaged_archive_in_the_middle(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """A FULL and three INCs, the second damaged: every way restores everything outside it, and the rest is named."""
    (tmp_path / "source").mkdir()
    with live_server(tmp_path / "data") as server, server.client() as client:
        machine = Dumper(client, "laptop", History(tmp_path / "source"))
        root = machine.root
        (root / "folder").mkdir()
        for number in range(60):
            (root / f"folder/f{number}").write_bytes(os.urandom(20_000))
        dumps = [machine.back_up("FULL")]
        for first in (0, 30, 40):
            for number in range(first, first + 30 if not first else first + 5):
                (root / f"folder/f{number}").write_bytes(os.urandom(20_000))
            dumps.append(machine.back_up("INC"))
        live = dumps[-1].live
        lacking = {b"root/folder/f%d" % number for number in range(30)}
        rest = {path: what for path, what in live.items() if path not in lacking}
        harm(server.data / "archives" / "laptop" / "INC" / dumps[1].name)

        by_client = Machine(tmp_path, server.url).run("restore", "laptop", "--into", "by client", "--allow-gaps")
        assert (by_client.returncode, look_at(tmp_path / "by client")) == (3, rest)
        beside = (tmp_path / "by client.tarkeep-gaps").read_bytes().splitlines()
        assert {line.partition(b"\t")[0] for line in beside} == lacking

        for point, left in ((dumps[0], dumps[0].live), (dumps[-1], rest)):
            tar = client.get(f"{machine.url}/restore.tar", params={"at": point.name, "allow_gaps": "1"})
            assert extracted(tar.content, tmp_path / "by tar") == left
            assert tar.headers.get("Tarkeep-Gaps") == (None if point is dumps[0] else "30")

        script = client.get(f"{machine.url}/plan", params={"format": "sh", "allow_gaps": "1"}).text
        (tmp_path / "restore.sh").write_text(script)
        done = subprocess.run(
            ["sh", tmp_path / "restore.sh", tmp_path / "by script"], capture_output=True, text=True, check=False
        )
        assert (done.returncode, look_at(tmp_path / "by script")) == (3, rest)
        assert done.stderr.count("cannot be restored: its content is in INC/") == 20
        beside = (tmp_path / "by script.tarkeep-gaps").read_bytes().splitlines()
        assert {line.partition(b"\t")[0] for line in beside} == lacking

        # After it is sent again it is whole, and no name is missing.
        assert machine.put(dumps[1]).status_code in (200, 201)
        assert extracted(client.get(f"{machine.url}/restore.tar").content, tmp_path / "again") == live
