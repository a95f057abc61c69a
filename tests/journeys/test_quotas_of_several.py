"""Two servers over one bucket and one PostgreSQL, and the quota of a profile: what is left of it, one of them gets."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tarkeep.adapters.s3.bucket.objects import ObjectBucket
from tarkeep.adapters.sql.agreed.rule_rows import SqlRuleTexts
from tarkeep.adapters.sql.shared.tables import SharedTables
from tests.journeys.test_several_servers import CONTENT, Site, no_confirmation, sent, wait_for
from tests.support.archives import NOON, make_targz
from tests.support.object_stores import ObjectStore
from tests.support.postgres import Postgres
from tests.support.server import LiveServer, live_server
from tests.support.tus import TUS, described


@pytest.fixture
def site(tmp_path: Path, postgres: Postgres, seaweedfs: ObjectStore) -> Iterator[Site]:
    address = seaweedfs.address()
    with postgres.database() as database, closing(SharedTables.open(database)) as tables, ExitStack() as running:
        SqlRuleTexts(tables).set(f"[laptop]\nmax_archives = 1\n[db]\nmax_bytes = {len(CONTENT)}\n", NOON)
        store = ("--store", seaweedfs.url(address), "--s3-endpoint", seaweedfs.endpoint)
        shared = (*store, "--catalog", database, "--audit-key", str(tmp_path / "audit.key"))
        first, second = (running.enter_context(live_server(tmp_path / name, *shared)) for name in ("first", "second"))
        bucket = ObjectBucket(address.client(), address.bucket, f"{address.prefix}/")
        yield Site(first, second, database, bucket)


def test_the_last_place_is_given_once(site: Site) -> None:
    """Also while the archive that has it is not confirmed; what is refused leaves nothing."""
    with ThreadPoolExecutor(1) as pool, no_confirmation(site.database) as is_waiting:
        sending = pool.submit(sent, site.first, "a.tar.gz")
        wait_for(is_waiting)
        answer = sent(site.second, "b.tar.gz", make_targz({"other": b"bytes"}))
        assert answer.status_code == 507, answer.text
        assert answer.json()["code"] == "quota-exceeded"
    assert sending.result(60).status_code == 201
    assert list(site.listed(site.second)) == ["a.tar.gz"]
    assert sent(site.second, "b.tar.gz").status_code == 507


def test_what_is_promised_to_an_upload_is_promised_once(site: Site) -> None:
    """Many begin at the same time at both servers; as much as fits is begun, and it can be finished."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: begun((site.first, site.second)[number % 2], number), range(16)))

    assert sorted(status for status, _ in answers) == [201] + 15 * [507]
    ((_, place),) = (answer for answer in answers if answer[0] == 201)
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    with site.second.client() as client:
        assert client.patch(place, headers=headers, content=CONTENT).status_code == 204
        assert len(client.get("/api/v1/archives", params={"profile": "db"}).json()["archives"]) == 1


def begun(server: LiveServer, number: int) -> tuple[int, str]:
    about = {
        "Upload-Length": str(len(CONTENT)),
        "Upload-Metadata": described(filename=f"{number}.tar.gz", profile="db", type="FULL"),
    }
    with server.client() as client:
        answer = client.post("/api/v1/uploads", headers={**TUS, **about})
    return answer.status_code, answer.headers.get("Location", "")
