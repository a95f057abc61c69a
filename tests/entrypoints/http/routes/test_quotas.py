"""Space on the disk and quotas of profiles, by every route: refused by the head, or as soon as it shows."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.errors.capacity import QuotaExceeded
from tarkeep.domain.errors.settings import InvalidSetting
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.usecases.uploading.open_uploads import ShowUpload
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep
from tests.support.archives import make_targz
from tests.support.clocks import FixedClock
from tests.support.forms import field_part, file_part, form, form_headers
from tests.support.server import in_process, live_server
from tests.support.tus import BYTES, TUS, described

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
    """The files in staging and among the archives, besides journals of uploads that are over."""
    staged = [path.name for path in (data / "staging").iterdir() if path.suffix != ".upload"]
    return staged + [path.name for path in (data / "archives").rglob("*.tar.gz")]


@WAYS
def test_the_reserve_stays_free(tmp_path: Path, send: Send) -> None:
    """507 says how much is needed, with the reserve, and how much is free; no byte is left, and nothing is begun."""
    with in_process(StorageSettings(data=tmp_path / "data", reserve_bytes=TOO_MUCH)) as (client, tarkeep):
        answer = send(client, "laptop", "a.tar.gz", CONTENT)

        assert tarkeep.uploads.under_way.sessions.all() == []
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
    """The archive that is one too many leaves nothing; sending a stored one again succeeds; others are not affected."""
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
    """Each of them would fit alone: two are accepted, the others are refused."""
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
    if send is not by_tus:  # those can be resumed once there is room
        assert len(left(tmp_path / "data")) == 2


# -- what is unfinished ----------------------------------------------------------------------------------------------

SIZE = len(CONTENT)


def begin(client: httpx2.Client, profile: str, name: str, length: int | None = SIZE, **headers: str) -> httpx2.Response:
    size = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
    about = {"Upload-Metadata": described(filename=name, profile=profile, type="FULL")}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/api/v1/uploads", headers={**TUS, **size, **about, **named})


def go_on(client: httpx2.Client, upload: httpx2.Response, offset: int, content: bytes) -> httpx2.Response:
    return client.patch(upload.headers["location"], headers={**BYTES, "Upload-Offset": str(offset)}, content=content)


@WAYS
def test_what_is_unfinished_counts_as_what_it_will_be(limited: httpx2.Client, send: Send) -> None:
    """Whatever has arrived of it; and an upload begun within the quota can be finished."""
    uploads = [begin(limited, "small-1", f"{number}.tar.gz") for number in range(3)]
    assert [upload.status_code for upload in uploads] == [201, 201, 507]
    told = uploads[2].json()
    assert (told["code"], told["free"], told["needed"]) == ("quota-exceeded", 5, SIZE)
    assert f"beside {2 * SIZE} of unfinished uploads" in told["detail"]

    assert send(limited, "small-1", "other.tar.gz", CONTENT).status_code == 507
    assert send(limited, "small-2", "other.tar.gz", CONTENT).status_code == 201
    for upload in uploads[:2]:
        assert go_on(limited, upload, 0, CONTENT).status_code == 204
    assert send(limited, "small-1", "0.tar.gz", CONTENT).status_code in (200, 201)


def test_what_is_deleted_makes_room(limited: httpx2.Client) -> None:
    """At once."""
    uploads = [begin(limited, "small-1", f"{number}.tar.gz") for number in range(2)]
    limited.delete(uploads[0].headers["location"], headers=TUS)

    assert begin(limited, "small-1", "2.tar.gz").status_code == 201


def test_a_length_that_is_left_open_counts_as_it_grows(tmp_path: Path, limited: httpx2.Client) -> None:
    """By the bytes received, and once it is declared, by its whole length."""
    first, second, third = (begin(limited, "small-1", f"{number}.tar.gz", None) for number in range(3))
    assert go_on(limited, first, 0, CONTENT[:-1]).status_code == 204
    assert go_on(limited, second, 0, CONTENT[:-1]).status_code == 204

    assert go_on(limited, third, 0, CONTENT[:100]).json()["code"] == "quota-exceeded"
    declared = limited.patch(
        third.headers["location"], headers={**BYTES, "Upload-Offset": "0", "Upload-Length": str(SIZE)}, content=b"x"
    )
    assert declared.json()["code"] == "quota-exceeded"
    staged = sum(path.stat().st_size for path in (tmp_path / "data" / "staging").glob("*.part"))
    assert staged <= 2 * SIZE + 5


def test_pieces_count_for_the_profile_they_name(limited: httpx2.Client) -> None:
    """And are joined within the quota, counted only once."""
    pieces = [begin(limited, "small-1", "joined.tar.gz", SIZE, Upload_Concat="partial") for _ in range(3)]
    assert [piece.status_code for piece in pieces] == [201, 201, 507]
    limited.delete(pieces[1].headers["location"], headers=TUS)
    half = SIZE // 2
    rest = begin(limited, "small-1", "joined.tar.gz", SIZE - half, Upload_Concat="partial")
    first = begin(limited, "small-1", "joined.tar.gz", half, Upload_Concat="partial")
    go_on(limited, first, 0, CONTENT[:half])
    go_on(limited, rest, 0, CONTENT[half:])

    both = f"final;{first.headers['location']} {rest.headers['location']}"
    about = described(filename="joined.tar.gz", profile="small-1", type="FULL")
    joined = limited.post("/api/v1/uploads", headers={**TUS, "Upload-Concat": both, "Upload-Metadata": about})

    assert joined.status_code == 201, joined.text


def test_the_same_again_takes_room_once(limited: httpx2.Client) -> None:
    """An upload under the name of a stored archive takes no further room."""
    for name in ("a.tar.gz", "b.tar.gz"):
        assert by_put(limited, "small-1", name, CONTENT).status_code == 201

    again = [begin(limited, "small-1", "a.tar.gz", size) for size in (SIZE + 1, SIZE, SIZE)]

    assert [answer.status_code for answer in again] == [507, 201, 507]
    assert go_on(limited, again[1], 0, CONTENT).status_code == 204


def test_what_was_abandoned_keeps_nobody_from_sending(tmp_path: Path) -> None:
    """An upload idle for a minute gives way to the next of the same sender, if that makes enough room."""
    rules = tmp_path / "profiles.toml"
    rules.write_text(f'["small"]\nmax_bytes = {SIZE * 2 + 5}\n')
    storage = StorageSettings(data=tmp_path / "data", profiles=rules, reserve_bytes=0)
    with open_tarkeep(storage) as tarkeep:
        clock = FixedClock(datetime.now(UTC))
        late = evolve(tarkeep.uploads.under_way, clock=clock)
        expire = evolve(tarkeep.uploads.begin.expire, under_way=late)
        begin = evolve(tarkeep.uploads.begin, under_way=late, expire=expire)
        uploads = evolve(tarkeep.uploads, under_way=late, show=ShowUpload(late), begin=begin)

        def begun(name: str, length: int, owner: str | None = None) -> str:
            id = ArchiveId("small", BackupType.FULL, name)
            return uploads.begin(Offer(id), length, owner=owner).id

        begun("a.tar.gz", SIZE)
        old = begun("b.tar.gz", SIZE)
        clock.advance(timedelta(seconds=61))
        with pytest.raises(QuotaExceeded):
            begun("c.tar.gz", SIZE, owner="another")
        with pytest.raises(QuotaExceeded):
            begun("c.tar.gz", SIZE * 2 + 6)
        begun("c.tar.gz", SIZE)

        assert uploads.show(old).is_open
        assert len(tarkeep.uploads.under_way.sessions.unfinished()) == 2


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
