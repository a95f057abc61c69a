"""Hostile names, by every way to send a name, against one real server."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest

from tests.support.archives import make_targz
from tests.support.forms import field_part, file_part, form, form_headers
from tests.support.hostile_names import GOOD_NAME, GOOD_PROFILE, GOOD_TYPE, hostile_names, raw
from tests.support.raw_http import Answer, RawConnection, request
from tests.support.server import LiveServer, live_server

COUNT = 2_000
ARCHIVE = make_targz()
RULES = (
    "must",
    "may hold",
    "use FULL, INC or DIFF",
    "control character",
    "not valid U",
    "%",
    "no ",
    "route",
    "has a slash in it",
)
FRAMING = "multipart-malformed", "multipart-parts"


def path_part(name: bytes, chance: random.Random) -> bytes:
    """*name* within a path: mostly encoded as a client should, sometimes with slashes, dots and percents unchanged."""
    safe = chance.choice(["", "", "/", "/.%", "!$&'()*+,;=:@/%"])
    return quote_from_bytes(name, safe=safe).encode()


def by_put(profile: bytes, type: bytes, name: bytes, chance: random.Random) -> bytes:
    parts = [path_part(part, chance) for part in (profile, type, name)]
    return request("PUT", b"/api/v1/profiles/%s/archives/%s/%s" % (*parts,), None, ARCHIVE)


def by_get(profile: bytes, type: bytes, name: bytes, chance: random.Random) -> bytes:
    parts = [path_part(part, chance) for part in (profile, type, name)]
    return request("GET", b"/api/v1/profiles/%s/archives/%s/%s" % (*parts,))


def by_download(profile: bytes, type: bytes, name: bytes, chance: random.Random) -> bytes:
    parts = path_part(type, chance), path_part(name, chance), quote_from_bytes(profile).encode()
    return request("GET", b"/download/%s/%s?profile=%s" % parts)


def by_bare_download(profile: bytes, type: bytes, name: bytes, chance: random.Random) -> bytes:
    return request("GET", b"/download/%s/%s" % (path_part(type, chance), path_part(name, chance)))


def by_list(profile: bytes, type: bytes, name: bytes, chance: random.Random) -> bytes:
    query = quote_from_bytes(profile).encode(), quote_from_bytes(type).encode(), quote_from_bytes(name).encode()
    return request("GET", b"/api/v1/archives?profile=%s&type=%s&cursor=%s" % query)


def by_profile(profile: bytes, type: bytes, name: bytes, chance: random.Random) -> bytes:
    return request("GET", b"/api/v1/profiles/" + path_part(profile, chance))


def by_form(profile: bytes, type: bytes, name: bytes, chance: random.Random) -> bytes:
    escaped = name.replace(b'"', b"%22") if chance.random() < 0.7 else name
    body = form(field_part("profile", profile), field_part("type", type), file_part(ARCHIVE, escaped))
    return request("POST", "/upload", form_headers(), body)


WAYS: list[Callable[[bytes, bytes, bytes, random.Random], bytes]] = [
    *(by_put, by_put, by_get, by_download, by_bare_download, by_list, by_profile, by_form, by_form, by_form),
]


def hostile_requests(count: int, seed: int) -> Iterator[bytes]:
    """Requests in which one of profile, type and name is hostile and the others are good."""
    chance = random.Random(seed)
    supplies = [hostile_names(seed + n, good) for n, good in enumerate((GOOD_PROFILE, GOOD_TYPE, GOOD_NAME))]
    for _ in range(count):
        words = [GOOD_PROFILE.encode(), GOOD_TYPE.encode(), GOOD_NAME.encode()]
        which = chance.choice([0, 1, 2, 2])
        words[which] = raw(next(supplies[which]))
        yield chance.choice(WAYS)(words[0], words[1], words[2], chance)


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    inner = tmp_path_factory.mktemp("names") / "inner"
    inner.mkdir()
    with live_server(inner / "data") as running:
        yield running


def check(payload: bytes, answer: Answer) -> None:
    """*answer* is a success, or a refusal in the form of a problem that states the rule."""
    assert answer.status < 500, (payload, answer)
    if answer.status < 400:
        return
    assert answer.headers["content-type"] == "application/problem+json", (payload, answer)
    problem = answer.problem
    detail = str(problem["detail"])
    assert answer.status in (400, 404, 409, 431), (payload, answer)
    told = any(rule in detail for rule in RULES) or problem["code"] in FRAMING or answer.status in (409, 431)
    assert told or problem["code"] in ("bad-request-framing", "invalid-parameter"), (payload, answer)
    assert "Traceback" not in detail
    assert detail.isprintable(), (payload, answer)


_KEPT = r"/[0-9a-f]{2}/[0-9a-f]{64}(\.fits|\.footprint)?"  # records, and what is kept beside them, maybe much later
_BEING_MADE = r"/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.part"
_IN_CACHE = re.compile(rf"inner/data/members({_KEPT}|{_BEING_MADE})")


def test_no_name_does_harm(server: LiveServer) -> None:
    """
    Two thousand hostile profiles, types and names are refused with the rule or stored under exactly themselves.

    Nothing is written outside the data directory, and in it nothing but archives, the log of writes, and the cache of
    members, which is named by digests. Staging ends empty, no log line is forged, and the server goes on.
    """
    around = server.data.parents[1]
    before = {path for path in listing(around) if "inner/data/archives" not in path}
    statuses: dict[int, int] = {}
    with RawConnection(server.host_and_port) as connection:
        for payload in hostile_requests(COUNT, seed=20251121):
            answer = connection.exchange(payload)
            check(payload, answer)
            statuses[answer.status] = statuses.get(answer.status, 0) + 1

    after = listing(around)
    log = server.log.read_text()
    with server.client() as client:
        listed = [entry for page in [client.get("/api/v1/archives?limit=1000").json()] for entry in page["archives"]]
        healthy = client.get("/readyz").status_code
    stored = {path for path in after if path.endswith(".tar.gz")}
    assert healthy == 200
    assert stored == {f"inner/data/archives/{e['profile']}/{e['type']}/{e['name']}" for e in listed}
    elsewhere = {path for path in after if "inner/data/archives" not in path}
    assert {path for path in elsewhere if not _IN_CACHE.fullmatch(path)} == before | {"inner/data/audit.log"}
    assert list((server.data / "staging").iterdir()) == []
    assert "Traceback" not in log
    assert "X-Injected" not in [line.split(":")[0] for line in log.splitlines()]
    assert sum(line.count("request ") and " status=" in line for line in log.splitlines()) >= COUNT // 2
    assert statuses[400] > COUNT // 2
    assert statuses[201] > 10


def test_the_supply_is_the_same_every_time() -> None:
    """A failure can be found again by its seed."""
    assert list(islice(hostile_requests(50, seed=1), 50)) == list(islice(hostile_requests(50, seed=1), 50))


@pytest.mark.parametrize("way", ["path", "query"])
def test_a_log_line_cannot_be_forged(server: LiveServer, way: str) -> None:
    """A line feed in a target stays within its own line of the log."""
    forged = b"%0A2026-11-23T00:00:00Z [info     ] forged-" + way.encode()
    target = b"/list/" + forged.replace(b" ", b"%20") if way == "path" else b"/list?x=" + forged.replace(b" ", b"%20")

    with RawConnection(server.host_and_port) as connection:
        answer = connection.exchange(request("GET", target))

    assert answer.status == 400
    assert not [line for line in server.log.read_text().splitlines() if line.startswith("2026-11-23T00:00:00Z")]
