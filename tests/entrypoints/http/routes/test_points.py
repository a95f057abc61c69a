"""Points over HTTP: page by page, all in one answer, and one with its whole path; and plans of many archives."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tarkeep.entrypoints.http.routes.chains import MOST_STEPS
from tarkeep.entrypoints.http.routes.points import SHORT_PATH
from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.archives import make_targz
from tests.support.server import in_process
from tests.support.trees import write

MANY = 2 * MOST_STEPS + 5  # in one chain, so that their paths together are long, too
PROFILE = "/api/v1/profiles/laptop"


@pytest.fixture(scope="module")
def long() -> Iterator[httpx2.Client]:
    """A server with a chain of many archives."""
    with in_process(StorageSettings(store="memory:", catalog="memory:")) as (client, _):
        for number in range(MANY):
            type = "INC" if number else "FULL"
            answer = client.put(f"{PROFILE}/archives/{type}/n {number:03}.tar.gz", content=make_targz({"a": b"1"}))
            assert answer.status_code == 201
        yield client


def told(client: httpx2.Client, target: str) -> Any:
    answer = client.get(target)
    assert answer.status_code == 200, answer.text
    return answer.json()


def pages(client: httpx2.Client, target: str) -> Iterator[httpx2.Response]:
    while target:
        answer = client.get(target)
        assert answer.status_code == 200, answer.text
        yield answer
        target = answer.links["next"]["url"] if "next" in answer.links else ""


def test_pages_have_every_point_once(long: httpx2.Client) -> None:
    """In their order, by Link and by cursor alike; each has its parent, and the verdict on its path."""
    answers = list(pages(long, f"{PROFILE}/points?limit=90"))
    points = [point for answer in answers for point in answer.json()["points"]]

    assert [len(answer.json()["points"]) for answer in answers] == [90, 90, MANY - 180]
    assert [answer.json()["next_cursor"] is None for answer in answers] == [False, False, True]
    assert [point["length"] for point in points] == list(range(1, MANY + 1))
    sizes = [point["size"] for point in points]
    assert [point["path_size"] for point in points] == [sum(sizes[: at + 1]) for at in range(MANY)]
    parents = [point["link"]["parent"] for point in points]
    assert parents == [None, *({"type": point["type"], "name": point["name"]} for point in points[:-1])]
    assert not any("path" in point for point in points)


def test_all_points_come_in_one_answer_with_their_short_paths(long: httpx2.Client) -> None:
    """A client that does not know pages misses none; if the paths are short, it gets them, too."""
    whole = told(long, f"{PROFILE}/points")

    assert [point.pop("path", None) for point in whole["points"]] == [
        *(list(range(at + 1)) for at in range(SHORT_PATH)),
        *[None] * (MANY - SHORT_PATH),
    ]
    assert whole["next_cursor"] is None
    assert whole["points"] == [
        point for answer in pages(long, f"{PROFILE}/points?limit=1000") for point in answer.json()["points"]
    ]


def test_a_chain_of_some_nights_comes_with_all_its_paths(long: httpx2.Client) -> None:
    """Although some are longer than those sent for thousands of points."""
    content, some = make_targz({"a": b"1"}), SHORT_PATH + 5
    for number in range(some):
        type = "INC" if number else "FULL"
        long.put(f"/api/v1/profiles/few/archives/{type}/n{number:03}.tar.gz", content=content)

    points = told(long, "/api/v1/profiles/few/points")["points"]
    assert [point["path"] for point in points] == [list(range(at + 1)) for at in range(some)]


def test_paths_are_told_in_full_on_request(long: httpx2.Client) -> None:
    """In one answer, or page by page."""
    full = told(long, f"{PROFILE}/points?paths=full")["points"]
    paged = [
        point for answer in pages(long, f"{PROFILE}/points?paths=full&limit=50") for point in answer.json()["points"]
    ]

    assert full == paged
    assert [point["path"] for point in full] == [list(range(at + 1)) for at in range(MANY)]
    without = [{name: value for name, value in point.items() if name != "path"} for point in full]
    assert without == [
        {name: value for name, value in point.items() if name != "path"}
        for point in told(long, f"{PROFILE}/points")["points"]
    ]


def test_a_point_has_its_whole_path(long: httpx2.Client) -> None:
    """At the URL in the list."""
    points = told(long, f"{PROFILE}/points")["points"]
    one = told(long, points[-1]["url"])

    assert one["profile"] == "laptop"
    assert one["path"] == [{name: point[name] for name in ("type", "name", "size")} for point in points]
    assert {name: one[name] for name in points[-1]} == points[-1]


def test_a_point_alone_tells_what_is_nowhere(long: httpx2.Client, tmp_path: Path) -> None:
    """Excluded files, which the listing of an archive calls unchanged, and the archive before does not have."""
    answers = []
    write(tmp_path / "src", {"a": b"1", "old.tmp": b"2"})
    for type, before in (("FULL", {}), ("INC", {"Tarkeep-Snapshot-Before": "a" * 64})):
        command = ["tar", "-cz", "--listed-incremental=snapshot", "--exclude=*.tmp", "src"]
        made = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
        said = before or {"Tarkeep-Snapshot-After": "a" * 64}
        put = long.put(f"/api/v1/profiles/excluding/archives/{type}/n 1.tar.gz", content=made, headers=said)
        assert put.status_code == 201, put.text
        answers.append(told(long, f"/api/v1/profiles/excluding/points/{type}/n 1.tar.gz"))
        write(tmp_path / "src", {"b.tmp": b"3", "\udcff.tmp": b"4"})

    assert answers[0]["not_archived"] == {"count": 0, "names": []}
    assert answers[1]["restorable"]
    assert answers[1]["not_archived"]["count"] == 2
    assert sorted(answers[1]["not_archived"]["names"]) == [r"src/\xff.tmp", "src/b.tmp"]


def test_a_head_is_answered_like_its_get(long: httpx2.Client) -> None:
    """Also for a missing profile."""
    assert [long.head(f"/api/v1/profiles/{profile}/points").status_code for profile in ("laptop", "nobody")] == [
        200,
        404,
    ]


def test_a_cursor_makes_no_profile(long: httpx2.Client) -> None:
    """A missing profile has no second page, either."""
    cursor = told(long, f"{PROFILE}/points?limit=1")["next_cursor"]

    assert long.get(f"/api/v1/profiles/nobody/points?cursor={cursor}").status_code == 404


def test_the_steps_of_a_long_plan_are_told_on_request(long: httpx2.Client) -> None:
    """Their number is always sent; a script has them all."""
    few = told(long, f"{PROFILE}/plan?at=INC/n%20{MOST_STEPS - 1:03}.tar.gz")
    many = told(long, f"{PROFILE}/plan")
    full = told(long, many["steps_url"])

    assert (few["length"], len(few["steps"])) == (MOST_STEPS, MOST_STEPS)
    assert (many["length"], many["steps"]) == (MANY, None)
    assert len(full["steps"]) == MANY
    assert many == {**full, "steps": None}
    script = long.get(f"{PROFILE}/plan?format=sh").text
    assert all(step["url"] in script for step in full["steps"])
