"""A request loads and links a profile once, whatever it asks of it: counted over a catalog that notes its calls."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from attrs import frozen
from starlette.testclient import TestClient

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.entrypoints.http.app import create_app
from tests.support.assembled import assembled
from tests.support.clocks import FixedClock

LOADING = ("link_state", "pending", "keep_links", "keep_standings", "entries", "path", "newest_place", "places")


class CountingCatalog(MemoryCatalog):
    """Counts the calls of each public method."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        super().__init__()

    def __getattribute__(self, name: str) -> object:
        if name in LOADING:
            self.calls[name] += 1
        return super().__getattribute__(name)


@frozen
class Dumps:
    """Incremental dumps of a directory, each with one file more."""

    place: Path

    def next(self) -> bytes:
        source = self.place / "src"
        source.mkdir(parents=True, exist_ok=True)
        (source / f"file-{len(list(source.iterdir()))}").write_text("content")
        command = ["tar", "-cz", "-g", str(self.place / "snapshot"), "-C", str(self.place), "src"]
        return subprocess.run(command, check=True, capture_output=True).stdout


@frozen
class Counted:
    client: httpx2.Client
    catalog: CountingCatalog

    def ask(self, method: str, target: str, **more: object) -> Counter[str]:
        self.catalog.calls.clear()
        answer = self.client.request(method, f"/api/v1/profiles/host/{target}", **more)  # type: ignore[arg-type]
        assert answer.status_code in (200, 201), answer.text
        return Counter(self.catalog.calls)


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    """A chain of a FULL and two INC."""
    catalog, clock = CountingCatalog(), FixedClock()
    tarkeep = assembled(MemoryArchiveStore(clock), catalog, clock)
    dumps = Dumps(tmp_path)
    with closing(create_app(tarkeep)) as app, TestClient(app, base_url="http://localhost") as client:
        counted = Counted(client, catalog)
        for number, type in enumerate(("FULL", "INC", "INC")):
            calls = counted.ask("PUT", f"archives/{type}/a{number}.tar.gz", content=dumps.next())
            # nothing is judged by what is stored, so links are looked at once, to find that of the newcomer
            assert (calls["link_state"], calls["pending"], calls["keep_links"]) == (1, 1, 1)
            assert calls["entries"] == 0
        yield counted


def test_receiving_with_a_parent_loads_to_judge_it_and_to_link(counted: Counted, tmp_path: Path) -> None:
    """What it says is judged before a byte comes, and once more when all have come, since others came meanwhile."""
    dump = Dumps(tmp_path / "other").next()

    calls = counted.ask("PUT", "archives/INC/b.tar.gz", content=dump, headers={"Tarkeep-Parent": "INC/a2.tar.gz"})

    assert (calls["link_state"], calls["newest_place"], calls["pending"], calls["keep_links"]) == (3, 2, 1, 1)


@pytest.mark.parametrize(
    ("target", "questions"),
    [
        ("plan", {"newest_place": 2, "path": 1}),  # the point, and whether another was passed over for it
        ("plan?at=INC/a1.tar.gz", {"path": 1}),
        ("points", {"places": 1}),
        ("points?limit=1", {"places": 1}),
        ("points/INC/a2.tar.gz", {"path": 1}),
        ("base?type=INC", {"newest_place": 1}),
        ("history?path=src", {"places": 1}),
        ("chains", {"places": 1}),
    ],
)
def test_a_question_about_chains_loads_once(counted: Counted, target: str, questions: dict[str, int]) -> None:
    """Links are there, so none is worked out, and only what is asked for is read."""
    assert counted.ask("GET", target) == {"link_state": 1, **questions}


@pytest.mark.parametrize("target", ["restore.tar", "tree", "find?name=file", "gaps"])
def test_a_tree_is_planned_once(counted: Counted, target: str) -> None:
    """Before it waits for its turn at merging it looks whether that was done, and behind it loads; then it is kept."""
    first, second = counted.ask("GET", target), counted.ask("GET", target)

    assert first["link_state"] == 2
    # the point, and whether another was passed over for it; with gaps once more, since damage is looked for first
    assert first["newest_place"] == (4 if target == "gaps" else 2)
    assert second == {"link_state": 1}
