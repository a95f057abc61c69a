"""`GET /metrics`: what is measured, for whom, and how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.settings.server import ServerSettings, StorageSettings
from tests.entrypoints.http.routes.test_retention import CONTENT, Desk, desk
from tests.entrypoints.http.routes.test_status import damage
from tests.support.archives import make_targz
from tests.support.server import in_process

__all__ = ["desk"]

OF_PROFILE = "tarkeep_profile_"


def measured(
    client: httpx2.Client, target: str = "/metrics", headers: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Each series with its labels, and its value."""
    answer = client.get(target, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            series = sample.name + (f"{{{labels}}}" if labels else "")
            assert series not in found
            found[series] = sample.value
    return found


def of(metrics: Mapping[str, float], name: str, profile: str = "laptop") -> float | None:
    return metrics.get(f'{OF_PROFILE}{name}{{profile="{profile}"}}')


def test_a_profile_has_its_figures(desk: Desk) -> None:
    desk.send("a.tar.gz", "b.tar.gz")

    found = measured(desk.client, headers=desk.token(Scope.METRICS))

    assert of(found, "archives") == 2
    assert of(found, "bytes") == 2 * len(CONTENT)
    assert of(found, "chain_archives") == 1
    assert (of(found, "damaged_archives"), of(found, "braked")) == (0, 0)
    newest, oldest = of(found, "received_timestamp_seconds"), of(found, "verified_oldest_timestamp_seconds")
    assert newest is not None
    assert oldest is not None
    assert of(found, "restorable_timestamp_seconds") == newest >= oldest > 1_500_000_000
    assert found["tarkeep_verified_oldest_timestamp_seconds"] == oldest
    assert (found["tarkeep_profiles"], found["tarkeep_archives"], found["tarkeep_profiles_left_out"]) == (1, 2, 0)
    assert found["tarkeep_free_bytes"] > 0


def test_a_server_without_archives_has_no_profile_and_says_so() -> None:
    with in_process(StorageSettings(store="memory:", catalog="memory:")) as (client, _):
        found = measured(client)
    assert (found["tarkeep_profiles"], found["tarkeep_damaged_archives"]) == (0, 0)
    assert not [series for series in found if series.startswith(OF_PROFILE)]
    assert "tarkeep_verified_oldest_timestamp_seconds" not in found


def test_damage_is_counted_and_what_it_breaks_does_not_restore(desk: Desk) -> None:
    """No value is made up: the time of the newest archive that restores is missing."""
    desk.send("a.tar.gz")
    damage(desk, "laptop")

    found = measured(desk.client, headers=desk.token(Scope.METRICS))

    assert (of(found, "damaged_archives"), found["tarkeep_damaged_archives"]) == (1, 1)
    assert found["tarkeep_profiles_unrestorable"] == 1
    assert (of(found, "restorable_timestamp_seconds"), of(found, "chain_archives")) == (None, None)
    assert of(found, "received_timestamp_seconds") is not None
    assert of(found, "verified_oldest_timestamp_seconds") is None


def test_what_becomes_of_archives_is_counted(desk: Desk) -> None:
    desk.send("a.tar.gz")
    desk.send("a.tar.gz")
    headers = desk.token(Scope.PUSH)
    place = "/api/v1/profiles/laptop/archives/FULL/"
    assert desk.client.put(place + "a.tar.gz", content=make_targz({"b": b"x"}), headers=headers).status_code == 409
    assert desk.client.put(place + "b.tar.gz", content=b"no gzip", headers=headers).status_code == 422

    found = measured(desk.client, headers=desk.token(Scope.METRICS))

    outcomes = ("new", "duplicate", "refused", "repaired", "kept-both", "interrupted", "failed")
    assert [found[f'tarkeep_uploads_total{{outcome="{outcome}"}}'] for outcome in outcomes] == [1, 1, 2, 0, 0, 0, 0]


def test_what_is_read_is_counted(desk: Desk) -> None:
    desk.send("a.tar.gz")
    token = desk.token(Scope.METRICS)
    before = measured(desk.client, headers=token)["tarkeep_read_bytes_total"]
    content = desk.client.get("/api/v1/profiles/laptop/archives/FULL/a.tar.gz", headers=desk.token()).content

    assert measured(desk.client, headers=token)["tarkeep_read_bytes_total"] - before >= len(content) > 0


def test_a_token_sees_its_profiles_and_nothing_of_the_server(desk: Desk) -> None:
    desk.send("a.tar.gz")
    desk.send("a.tar.gz", profile="desktop")

    found = measured(desk.client, headers=desk.token(Scope.METRICS, profile="desk*"))

    assert of(found, "archives", "desktop") == 1
    assert not [series for series in found if "laptop" in series]
    assert (found["tarkeep_profiles"], found["tarkeep_archives"]) == (1, 1)
    assert {"tarkeep_free_bytes", "tarkeep_read_bytes_total"} & found.keys() == set()


def test_it_needs_its_own_scope(desk: Desk) -> None:
    token = desk.token(Scope.LIST)
    assert desk.client.get("/metrics").status_code == 401
    assert desk.client.get("/metrics", headers=token).status_code == 403


def test_a_pattern_chooses_profiles_and_their_sums(desk: Desk) -> None:
    desk.send("a.tar.gz")
    desk.send("a.tar.gz", "b.tar.gz", profile="desktop")

    found = measured(desk.client, "/metrics?profile=desk*", desk.token(Scope.METRICS))

    assert (of(found, "archives", "desktop"), of(found, "archives")) == (2, None)
    assert found["tarkeep_archives"] == 2


@pytest.mark.parametrize("pattern", ["a/b", "x" * 101, "%C3%A9"])
def test_what_is_no_pattern_is_refused(desk: Desk, pattern: str) -> None:
    answer = desk.client.get(f"/metrics?profile={pattern}", headers=desk.token(Scope.METRICS))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")


def test_of_too_many_profiles_only_the_sums_are_told(tmp_path: Path) -> None:
    """A pattern that matches few enough brings theirs back."""
    storage, few = StorageSettings(data=tmp_path / "data", reserve_bytes=0), ServerSettings(metrics_profiles=2)
    with in_process(storage, few) as (client, _):
        for number in range(3):
            content = make_targz({"a": b"%d" % number})
            url = f"/api/v1/profiles/host-{number}/archives/FULL/a.tar.gz"
            assert client.put(url, content=content).status_code == 201
        all_of_them, some = measured(client), measured(client, "/metrics?profile=host-[12]")

    assert not [series for series in all_of_them if series.startswith(OF_PROFILE)]
    assert (all_of_them["tarkeep_profiles"], all_of_them["tarkeep_profiles_left_out"]) == (3, 3)
    assert all_of_them["tarkeep_archives"] == 3
    assert (some["tarkeep_profiles"], some["tarkeep_profiles_left_out"]) == (2, 0)
    assert (of(some, "archives", "host-1"), of(some, "archives", "host-0")) == (1, None)


def test_no_state_is_shared_between_servers(desk: Desk) -> None:
    """What one server counts, another in the same process does not."""
    desk.send("a.tar.gz")
    with in_process(StorageSettings(store="memory:", catalog="memory:")) as (client, _):
        assert measured(client)['tarkeep_uploads_total{outcome="new"}'] == 0
