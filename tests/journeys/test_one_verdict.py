"""Every report on a point agrees: lists, plans, trees, the merged tar, the response to its sender."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tarkeep.domain.chains.standing import PlacedArchive
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.drawn_chains import Sent, by_hand, by_tar
from tests.support.hostile_chains import directory, listing
from tests.support.server import in_process
from tests.support.tars import END, gz, member

CHAINS = int(os.environ.get("TARKEEP_TEST_CHAINS", "240"))
PER_TEST = 40


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[httpx2.Client, Tarkeep]]:
    with in_process(StorageSettings(store="memory:", catalog="memory:")) as opened:
        yield opened


def drawn(seed: int) -> list[Sent]:
    rng = random.Random(seed)
    if seed % 4:
        return by_hand(rng)
    with tempfile.TemporaryDirectory() as place:
        return by_tar(rng, Path(place))


def listed(client: httpx2.Client, base: str) -> dict[str, dict[str, Any]]:
    return {f"{point['type']}/{point['name']}": point for point in client.get(f"{base}/points").json()["points"]}


def verdict(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in ("restorable", "fidelity", "evidence", "sound", "gaps")}


def details(remarks: list[dict[str, Any]]) -> list[str]:
    return [remark["detail"] for remark in remarks]


@pytest.mark.parametrize("part", range(-(-CHAINS // PER_TEST)))
def test_all_answers_agree(server: tuple[httpx2.Client, Tarkeep], part: int) -> None:
    """When an archive has just arrived, and when all have, in any order."""
    client, tarkeep = server
    for seed in range(part * PER_TEST, (part + 1) * PER_TEST):
        base = f"/api/v1/profiles/chain-{seed}"
        for one in drawn(seed):
            answer = client.put(f"{base}/archives/{one.label}", content=one.content, headers=one.headers)
            if answer.status_code == 422:  # half a rename
                continue
            assert answer.status_code == 201
            told, point = answer.json(), listed(client, base)[one.label]
            assert verdict(told) == verdict(point), (seed, one.label)
            assert set(details(point["obstacles"] + point["doubts"])) <= set(told["warnings"])
        for label, point in listed(client, base).items():
            agree(client, base, label, point)
        places = tarkeep.load_points(f"chain-{seed}").page(limit=100).places
        assert list(places) == tarkeep.links.in_memory(f"chain-{seed}")
        for lacks in without_some(places):  # what is known of the rest makes no difference
            anew = tarkeep.links.in_memory(f"chain-{seed}", **lacks)
            assert tarkeep.links.in_memory(f"chain-{seed}", **lacks, before=places) == anew, (seed, lacks)


def without_some(places: Sequence[PlacedArchive]) -> Iterator[dict[str, Any]]:
    """Each of the archives alone, and all but the last of them, missing or in the trash."""
    ids = [place.archive.id for place in places]
    for gone in (*([id] for id in ids), ids[:-1]):
        yield {"without": gone}
        yield {"trashed": gone}


def agree(client: httpx2.Client, base: str, label: str, point: dict[str, Any]) -> None:
    """All responses about the point *label* agree with *point* of the list."""
    alone = client.get(f"{base}/points/{label}").json()
    plan, tree, tar = (client.get(f"{base}/{what}", params={"at": label}) for what in ("plan", "tree", "restore.tar"))
    where = f"{base} {label}"

    assert verdict(alone) == verdict(point), where
    status = 200 if point["restorable"] else 409
    assert (plan.status_code, tree.status_code, tar.status_code) == (status, status, status), where
    if not point["restorable"]:
        assert not point["sound"]
        reasons = [reason.partition(": ")[2] for reason in plan.json()["obstacles"]]
        assert reasons[: len(alone["obstacles"])] == details(alone["obstacles"]), where
        return
    told = plan.json()
    assert verdict(told | {"restorable": True}) == verdict(point), where
    assert tar.headers["Tarkeep-Fidelity"] == point["fidelity"], where
    assert int(tar.headers.get("Tarkeep-Gaps", "0")) == point["gaps"], where
    for doubt in details(alone["doubts"]):
        assert any(warning.endswith(doubt) for warning in told["warnings"]), where


def test_what_is_in_no_archive_keeps_a_point_from_being_called_restorable(
    server: tuple[httpx2.Client, Tarkeep],
) -> None:
    """Names in silent directories: only the merged chain shows that no archive has them, and the list knows it."""
    client, base = server[0], "/api/v1/profiles/silent"
    tars = (
        directory(b"r", listing([b"Dd"])) + directory(b"r/d", listing([b"Yy"])) + member(b"r/d/y", b"y"),
        directory(b"s", listing([b"Yz"])) + member(b"s/z", b"z"),
        directory(b"r", listing([b"Dd"])) + directory(b"r/d", listing([b"Nx", b"Ny"])),
        directory(b"r", listing([b"Dd"])) + directory(b"r/d", listing([b"Ny"])),
    )
    told = []
    for number, tar in enumerate(tars):
        type = "INC" if number else "FULL"
        url = f"{base}/archives/{type}/a_2026-11-0{number + 1}_00-00-00.tar.gz"
        told.append(client.put(url, content=gz(tar + END)).json())

    points = list(listed(client, base).values())
    assert [point["restorable"] for point in points] == [True, True, False, True]
    (obstacle,) = points[2]["obstacles"]
    assert (obstacle["code"], obstacle["detail"]) == ("names-missing", "1 name is in none of its archives: r/d/x")
    assert obstacle["detail"] in told[2]["warnings"]
    assert client.get(f"{base}/base", params={"type": "INC"}).json()["parent"]["name"] == points[3]["name"]
    for point in points:
        agree(client, base, f"{point['type']}/{point['name']}", point)
