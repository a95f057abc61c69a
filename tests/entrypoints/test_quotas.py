"""Room on the disk and quotas of profiles, by every way in: refused at the door, or as soon as it shows."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tarkeep.domain.errors import InvalidSetting
from tarkeep.entrypoints.settings import StorageSettings
from tests.support.archives import make_targz
from tests.support.forms import field_part, file_part, form, form_headers
from tests.support.server import in_process, live_server
from tests.support.tus import TUS, described

CONTENT = make_targz({"noise": random.Random(1).randbytes(20_000)})
TOO_MUCH = 1 << 60

Send = Callable[[httpx2.Client, str, str, bytes], httpx2.Response]


def by_put(client: httpx2.Client, profile: str, name: str, content: bytes) -> httpx2.Response:
    return client.put(f"/api/v1/profiles/{profile}/archives/FULL/{name}", content=content)


def by_pipe(client: httpx2.Client, profile: str, name: str, content: bytes) -> httpx2.Response:
    """Without a length, as from tar."""
    return client.put(f"/api/v1/profiles/{profile}/archives/FULL/{name}", content=iter([content]))


def by_form(client: httpx2.Client, profile: str, name: str, content: bytes) -> httpx2.Response:
    body = form(file_part(content, name), field_part("profile", profile))
    return client.post("/upload", headers=form_headers(), content=body)


def by_tus(client: httpx2.Client, profile: str, name: str, content: bytes) -> httpx2.Response:
    about = {
        "Upload-Length": str(len(content)),
        "Upload-Metadata": described(filename=name, profile=profile, type="FULL"),
    }
    headers = {**TUS, **about, "Content-Type": "application/offset+octet-stream"}
    return client.post("/api/v1/uploads", headers=headers, content=content)


WAYS = pytest.mark.parametrize("send", [by_put, by_pipe, by_form, by_tus])


def left(data: Path) -> list[str]:
    """What lies in staging and among the archives, besides journals of uploads that are over."""
    staged = [path.name for path in (data / "staging").iterdir() if path.suffix != ".upload"]
    return staged + [path.name for path in (data / "archives").rglob("*.tar.gz")]


@WAYS
def test_the_reserve_stays_free(tmp_path: Path, send: Send) -> None:
    """507 says what is needed, with the reserve, and what is free; no byte is left, and nothing is begun."""
    with in_process(StorageSettings(data=tmp_path / "data", reserve_bytes=TOO_MUCH)) as (client, tarkeep):
        answer = send(client, "laptop", "a.tar.gz", CONTENT)

        assert tarkeep.uploads.show.sessions.all() == []
    told = answer.json()
    assert (answer.status_code, told["code"]) == (507, "insufficient-storage")
    assert told["needed"] >= TOO_MUCH
    assert 0 < told["free"] < TOO_MUCH
    assert left(tmp_path / "data") == []


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[httpx2.Client]:
    """A server with quotas over *tmp_path*/data."""
    rules = tmp_path / "profiles.toml"
    rules.write_text(
        f'["few-*"]\nmax_archives = 2\n["small-*"]\nmax_bytes = {len(CONTENT) * 2 + 5}\n["unit"]\nmax_bytes = "1K"\n'
    )
    with in_process(StorageSettings(data=tmp_path / "data", profiles=rules, reserve_bytes=0)) as (client, _):
        yield client


@WAYS
@pytest.mark.parametrize("profile", ["few-1", "small-1"])
def test_a_profile_holds_no_more_than_its_rules_allow(
    tmp_path: Path, limited: httpx2.Client, send: Send, profile: str
) -> None:
    """The archive that is one too many leaves nothing; what is stored is still the same again; others are free."""
    for name in ("a.tar.gz", "b.tar.gz"):
        assert send(limited, profile, name, CONTENT).status_code == 201
    before = left(tmp_path / "data")
    refused = send(limited, profile, "c.tar.gz", CONTENT)
    told = refused.json()

    assert (refused.status_code, told["code"]) == (507, "quota-exceeded")
    if profile == "few-1":
        assert (told["setting"], told["limit"], told["free"], told["needed"]) == ("max_archives", 2, 0, 1)
    else:
        assert (told["setting"], told["free"]) == ("max_bytes", 5)
        assert told["needed"] == len(CONTENT) or send is by_pipe
    assert left(tmp_path / "data") == before
    assert send(limited, profile, "a.tar.gz", CONTENT).status_code in (200, 201)
    assert send(limited, profile.replace("1", "2"), "a.tar.gz", CONTENT).status_code == 201


@pytest.mark.parametrize("profile", ["few-1", "small-1"])
@pytest.mark.parametrize("send", [by_put, by_form, by_tus])
def test_many_at_once_do_not_exceed_it_together(tmp_path: Path, profile: str, send: Send) -> None:
    """Each of which would have had room alone: two come in, the others are refused."""
    rules = tmp_path / "profiles.toml"
    rules.write_text(f'["few-*"]\nmax_archives = 2\n["small-*"]\nmax_bytes = {len(CONTENT) * 2 + 5}\n')
    arrived = threading.Barrier(8)

    def one(number: int) -> int:
        with server.client() as client:
            arrived.wait(60)
            return send(client, profile, f"{number}.tar.gz", CONTENT).status_code

    with live_server(tmp_path / "data", "--profiles", str(rules)) as server, ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(one, range(8)))

    assert sorted(statuses) == [201] * 2 + [507] * 6
    stored = list((tmp_path / "data" / "archives").rglob("*.tar.gz"))
    assert len(stored) == 2
    if send is not by_tus:  # those can be gone on with once there is room
        assert len(left(tmp_path / "data")) == 2


def test_a_quota_takes_units(limited: httpx2.Client) -> None:
    """Like every size."""
    assert by_put(limited, "unit", "a.tar.gz", CONTENT).json()["limit"] == 1024


@pytest.mark.parametrize("rule", ['max_bytes = "lots"', "max_bytes = -1", "max_archives = -1", 'max_archives = "two"'])
def test_a_quota_that_is_none_is_told(tmp_path: Path, rule: str) -> None:
    """At the start."""
    (tmp_path / "profiles.toml").write_text(f'["*"]\n{rule}\n')
    settings = StorageSettings(data=tmp_path / "data", profiles=tmp_path / "profiles.toml")
    with pytest.raises(InvalidSetting, match=rule.split()[0]), in_process(settings):
        pass
