"""
Points of which not all can be given back: with ``allow_gaps=1`` all is given that can be, and every other name told.

A FULL and three INC of one directory, of which one is damaged, or was never stored.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from attrs import define

from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.dumper import Dump, Dumper, Seen, code, extracted
from tests.support.harm import cut, flip
from tests.support.histories import History
from tests.support.server import in_process


@define
class Chain:
    """The machine, its dumps, and the data directory that they are stored in."""

    machine: Dumper
    data: Path
    dumps: list[Dump]

    def file(self, number: int) -> Path:
        dump = self.dumps[number]
        return self.data / "archives" / self.machine.profile / dump.type / dump.name

    def ask(self, what: str, **query: str) -> httpx2.Response:
        return self.machine.client.get(f"{self.machine.url}/{what}", params=query)

    def restored(self, **query: str) -> tuple[Seen, httpx2.Headers]:
        answer = self.ask("restore.tar", **query)
        assert answer.status_code == 200, answer.text
        return extracted(answer.content, self.machine.history.place / "restored"), answer.headers

    def gaps(self, **query: str) -> list[dict[str, Any]]:
        """All that lacks, page by page."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.ask("gaps", limit="2", **query, **cursor).json()
            found += page["entries"]
            if page["next_cursor"] is None:
                assert page["gaps"] == sum(not entry["given"] for entry in found)
                assert page["uncertain"] == sum(entry["given"] for entry in found)
                return found
            assert len(page["entries"]) == 2
            cursor = {"cursor": page["next_cursor"]}

    def lacks(self, **query: str) -> set[bytes]:
        return {os.fsencode(entry["path"]) for entry in self.gaps(**query) if not entry["given"]}


def dumped(machine: Dumper) -> list[Dump]:
    """One file of each archive is of none later; each INC changes two files of the FULL's, and one of these again."""
    root = machine.root
    (root / "d").mkdir()
    for name in ("full", "one", "two", "three", "again", "d/full"):
        (root / name).write_text(f"{name} as of the full\n")
    dumps = [machine.dump("FULL")]
    for name in ("one", "two", "three"):
        (root / name).write_text(f"{name} changed\n")
        (root / "again").write_text(f"again, by {name}\n")
        (root / f"d/new-{name}").write_text(f"new by {name}\n")
        dumps.append(machine.dump("INC"))
    return dumps


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """All four stored, over a disk."""
    with in_process(StorageSettings(data=tmp_path / "data")) as (client, _):
        machine = Dumper(client, "laptop", History(tmp_path))
        chain = Chain(machine, tmp_path / "data", dumped(machine))
        for dump in chain.dumps:
            assert machine.put(dump).status_code == 201
        yield chain


IN_ONE = {b"root/one", b"root/d/new-one"}
IN_FULL = {b"root/full", b"root/d/full"}


def without(seen: Seen, names: set[bytes]) -> Seen:
    return {path: what for path, what in seen.items() if path not in names}


@pytest.mark.parametrize("harm", [cut, Path.unlink], ids=["cut", "gone"])
@pytest.mark.parametrize(("number", "lacking"), [(1, IN_ONE), (0, IN_FULL)])
def test_what_is_not_there_to_its_end_is_seen_before_anything_is_sent(
    chain: Chain, harm: Callable[[Path], None], number: int, lacking: set[bytes]
) -> None:
    """All names but those in it come back, at once; these are told, page by page, with why."""
    harm(chain.file(number))

    seen, headers = chain.restored(allow_gaps="1")

    assert seen == without(chain.dumps[-1].live, lacking)
    assert headers["Tarkeep-Gaps"] == str(len(lacking))
    assert "/gaps?at=" in headers["Link"]
    assert chain.machine.client.get(headers["Link"].partition(">")[0][1:]).json()["gaps"] == len(lacking)
    assert chain.lacks() == lacking
    assert {entry["code"] for entry in chain.gaps()} == {"damaged"}
    assert all(chain.dumps[number].name in entry["detail"] for entry in chain.gaps())


def test_rot_that_is_met_on_the_way_never_ends_as_a_whole_tar(chain: Chain) -> None:
    """Of so little nothing was sent yet, so the answer is none; the next has everything but what is in it."""
    flip(chain.file(1))

    assert code(chain.ask("restore.tar", allow_gaps="1")) == (500, "archive-corrupt")

    assert chain.restored(allow_gaps="1")[0] == without(chain.dumps[-1].live, IN_ONE)
    assert chain.lacks() == IN_ONE


def test_a_part_is_given_with_what_it_lacks(chain: Chain) -> None:
    """What lies elsewhere without being asked twice; what does not is refused, with a count of its own."""
    chain.file(1).unlink()
    chain.restored(allow_gaps="1")
    live = chain.dumps[-1].live

    for path in ("root/d/full", "root/three"):
        assert chain.restored(path=path)[0].keys() >= {path.encode()}
    refused = chain.ask("restore.tar", path="root/d")
    assert code(refused) == (409, "not-restorable")
    assert (refused.json()["gaps"], refused.json()["uncertain"]) == (1, 0)
    seen, headers = chain.restored(path="root/d", allow_gaps="1")
    below = {path: what for path, what in live.items() if path.startswith(b"root/d")}
    assert {path: seen[path] for path in seen if path != b"root"} == without(below, IN_ONE)
    assert headers["Tarkeep-Gaps"] == "1"
    assert chain.lacks(path="root/d") == {b"root/d/new-one"}
    nothing, headers = chain.restored(path="root/one", allow_gaps="1")
    assert (b"root/one" in nothing, headers["Tarkeep-Gaps"]) == (False, "1")


def test_who_is_refused_is_told_the_way_out(chain: Chain) -> None:
    """The refusal of a whole point names the option, and how many names would lack."""
    chain.file(1).unlink()
    chain.restored(allow_gaps="1")

    for what in ("restore.tar", "restore.tar.gz", "plan", "plan?format=sh"):
        refused = chain.machine.client.get(f"{chain.machine.url}/{what}")
        assert code(refused) == (409, "not-restorable")
        assert (refused.json()["gaps"], refused.json()["uncertain"]) == (2, 0)
        assert "allow_gaps=1 gives it anyway: 2 names are missing" in refused.json()["detail"]
    assert chain.ask("tree").headers["Tarkeep-Gaps"] == "2"
    assert chain.ask("find", name="new").headers["Tarkeep-Gaps"] == "2"


def test_the_plan_is_what_is_given(chain: Chain) -> None:
    """Its counts and names are those of the tar."""
    chain.file(1).unlink()

    plan = chain.ask("plan", allow_gaps="1").json()

    assert (plan["sound"], plan["gaps"], plan["uncertain"]) == (False, 2, 0)
    assert [step["name"] for step in plan["steps"]] == [dump.name for dump in chain.dumps]
    assert chain.machine.client.get(plan["gaps_url"]).json()["gaps"] == 2
    for name in IN_ONE:
        assert any(f"{name.decode()} cannot be restored: its content" in warning for warning in plan["warnings"])
    assert code(chain.ask("plan", path="root/d")) == (409, "not-restorable")
    assert chain.ask("plan", path="root/d", allow_gaps="1").json()["gaps"] == 1
    assert chain.ask("plan", path="root/three").json()["gaps"] == 0
    assert code(chain.ask("plan", path="root/none")) == (404, "not-found")


def test_nothing_lacks_of_what_is_whole(chain: Chain) -> None:
    """The option changes nothing then."""
    assert chain.restored(allow_gaps="1")[0] == chain.dumps[-1].live
    assert chain.ask("plan", allow_gaps="1").json() == chain.ask("plan").json() | {
        "steps_url": chain.ask("plan", allow_gaps="1").json()["steps_url"]
    }
    assert chain.gaps() == []
    for headers in (chain.ask("restore.tar", allow_gaps="1").headers, chain.ask("tree").headers):
        assert "Tarkeep-Gaps" not in headers


def test_a_damaged_archive_that_holds_nothing_of_the_point_keeps_nobody(chain: Chain) -> None:
    """All it has was changed or deleted since, so that the whole point is given without being asked twice."""
    root = chain.machine.root
    for name in IN_ONE:
        (root.parent / os.fsdecode(name)).unlink()
    last = chain.machine.back_up("INC")
    chain.file(1).unlink()
    chain.restored(at=chain.dumps[-1].name, allow_gaps="1")  # finds out

    assert chain.restored()[0] == last.live
    assert (chain.ask("plan").json()["gaps"], chain.ask("plan").json()["sound"]) == (0, False)


# -- names that are not known ------------------------------------------------------------------------------------------


def test_without_the_records_of_what_is_damaged_all_before_it_is_in_doubt(chain: Chain) -> None:
    """What came behind it is certain; what is older may have been changed by it, and is told name by name."""
    chain.file(1).unlink()
    shutil.rmtree(chain.data / "members")

    seen, headers = chain.restored(allow_gaps="1")

    assert headers["Tarkeep-Gaps"] == "1"
    assert chain.lacks() == {b"root/d/new-one"}
    assert {entry["path"] for entry in chain.gaps() if entry["given"]} == {"root/full", "root/one", "root/d/full"}
    assert seen == without(chain.dumps[-1].live, {b"root/d/new-one"}) | {b"root/one": ("file", b"one as of the full\n")}
    refused = chain.ask("restore.tar")
    assert (refused.status_code, refused.json()["gaps"], refused.json()["uncertain"]) == (409, 1, 3)


def test_whose_names_nobody_knows_is_refused(chain: Chain) -> None:
    """The last archive tells which names there are; without it nothing can be said of its point."""
    chain.file(3).unlink()
    shutil.rmtree(chain.data / "members")

    for what in ("restore.tar", "plan", "gaps"):
        refused = chain.ask(what, allow_gaps="1")
        assert code(refused) == (409, "not-restorable")
        assert "tells which names this point has, and it cannot be read" in refused.json()["detail"]
        assert refused.json()["gaps"] is None
    assert refused.json()["nearest"]


def test_where_an_archive_is_missing_what_is_left_is_given(tmp_path: Path) -> None:
    """What the archives behind the gap hold for certain; the rest as it was before, and told name by name."""
    with in_process(StorageSettings(store="memory:", catalog="memory:")) as (client, _):
        machine = Dumper(client, "laptop", History(tmp_path))
        chain = Chain(machine, tmp_path, dumped(machine))
        for number in (0, 2, 3):
            assert machine.put(chain.dumps[number]).status_code == 201
        refused = chain.ask("restore.tar")
        seen, headers = chain.restored(allow_gaps="1")

        assert code(refused) == (409, "not-restorable")
        assert (refused.json()["gaps"], refused.json()["uncertain"]) == (1, 3)
        assert (headers["Tarkeep-Gaps"], headers["Tarkeep-Uncertain"]) == ("1", "3")
        assert chain.lacks() == {b"root/d/new-one"}
        assert {entry["path"] for entry in chain.gaps() if entry["given"]} == {"root/full", "root/one", "root/d/full"}
        assert all(chain.dumps[0].name in entry["detail"] for entry in chain.gaps() if entry["given"])
        assert seen == without(chain.dumps[-1].live, {b"root/d/new-one"}) | {
            b"root/one": ("file", b"one as of the full\n")
        }
        assert any("is missing: names that only it has" in line for line in chain.ask("gaps").json()["unknown"])


def test_of_what_builds_on_nothing_that_is_stored_its_own_is_given(tmp_path: Path) -> None:
    """Everything that it calls unchanged lacks."""
    with in_process(StorageSettings(store="memory:", catalog="memory:")) as (client, _):
        machine = Dumper(client, "laptop", History(tmp_path))
        chain = Chain(machine, tmp_path, dumped(machine))
        machine.put(chain.dumps[3])

        seen, _ = chain.restored(allow_gaps="1")

        own = {b"root/three", b"root/again", b"root/d/new-three"}
        assert seen == without(chain.dumps[3].live, chain.lacks())
        assert {path for path, what in seen.items() if what[0] == "file"} == own


def test_what_fits_nothing_is_given_without_what_nothing_has(tmp_path: Path) -> None:
    """A full dump of something else came between: what it has is no part of the tree, for no later archive lists it."""
    with in_process(StorageSettings(store="memory:", catalog="memory:")) as (client, _):
        machine = Dumper(client, "laptop", History(tmp_path))
        chain = Chain(machine, tmp_path, dumped(machine))
        shutil.rmtree(machine.root)
        machine.root.mkdir()
        (machine.root / "other").write_text("of another tree\n")
        other = machine.dump("FULL", "full_2026-11-01_12-00-00.tar.gz")
        for dump in (chain.dumps[0], other, *chain.dumps[2:]):
            assert machine.put(dump, proven=False).status_code == 201

        assert chain.ask("points").json()["points"][-2]["evidence"] == "contradicted"
        assert code(chain.ask("restore.tar")) == (409, "not-restorable")
        seen, _ = chain.restored(allow_gaps="1")
        assert chain.lacks() == IN_FULL | IN_ONE
        assert seen == without(chain.dumps[-1].live, chain.lacks())
