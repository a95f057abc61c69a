"""Looking into archives as it is wired: the unpacker with its indexes, and pages whatever the archives hold."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tarkeep.adapters.targz.unpacker import FAR_BYTES, TargzUnpacker
from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep
from tests.support.server import in_process
from tests.support.tars import END, header, member, pax


def test_an_archive_that_was_received_can_be_looked_into(tmp_path: Path) -> None:
    """Its last file is read, and what makes that fast the next time is below the data directory."""
    noise = random.Random(3).randbytes(1 << 20)
    before = b"".join(member(b"%d" % number, noise) for number in range(FAR_BYTES // len(noise)))
    targz = gzip.compress(before + member(b"last", b"last") + END, 1)
    at = len(before) + 512
    data = tmp_path / "data"

    with open_tarkeep(StorageSettings(data=data)) as tarkeep:
        archive = tarkeep.receive(Offer(ArchiveId("host", BackupType.FULL, "a.tar.gz")), [targz]).archive
        with tarkeep.unpacker.open(archive) as unpacked:
            found = b"".join(unpacked.read(at, at + 4))
        assert isinstance(tarkeep.unpacker, TargzUnpacker)
        tarkeep.unpacker.settle()

    sha256 = archive.digests.sha256
    assert found == b"last"
    assert [path for path in (data / "seek").rglob("*") if path.is_file()] == [data / "seek" / sha256[:2] / sha256]


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with in_process(StorageSettings(store="memory:", catalog="memory:")) as (opened, _):
        yield opened


PLACE = "/api/v1/profiles/host/archives/FULL/a.tar.gz"


def pages(client: httpx2.Client, path: str, key: str) -> Iterator[list[str]]:
    """The paths on each page of a listing, from the first page on."""
    cursor: dict[str, str] = {}
    while True:
        answer = client.get(path, params={"limit": "1000", **cursor})
        assert len(answer.content) < 16 << 20
        yield [entry["path"] for entry in answer.json()[key]]
        if answer.json()["next_cursor"] is None:
            return
        cursor = {"cursor": answer.json()["next_cursor"]}


def test_a_page_is_bounded_in_bytes_as_well(client: httpx2.Client) -> None:
    """Members with owners of 60 KB each, and long links, come on many pages, each once, in order."""
    owner = pax({b"uname": b"\x1b" * 60_000, b"gname": b"g" * 60_000, b"linkpath": b"l" * 4_000})
    tar = b"".join(owner + header(b"%02d" % number, type=b"2") for number in range(60))
    client.put(PLACE, content=gzip.compress(tar + END, 1))

    for path, key in ((PLACE + "/members", "members"), ("/api/v1/profiles/host/tree", "entries")):
        found = list(pages(client, path, key))

        assert len(found) > 5
        assert [name for page in found for name in page] == [f"{number:02d}" for number in range(60)]


def test_a_row_of_hard_links_is_not_followed_for_ever(client: httpx2.Client) -> None:
    """Each step reads all that is recorded, and tar links to files alone: a few steps are taken, no thousands."""
    links = [header(b"%d" % number, type=b"1", patch=(157, b"%d" % (number - 1))) for number in range(1, 500)]
    client.put(PLACE, content=gzip.compress(member(b"0", b"content") + b"".join(links) + END, 1))

    assert client.get(PLACE + "/members/1").content == b"content"
    assert client.get(PLACE + "/members/3").content == b"content"
    assert client.get(PLACE + "/members/499").status_code == 404
