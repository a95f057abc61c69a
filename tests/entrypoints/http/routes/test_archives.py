"""Version 1 of the interface on every kind of server: archives, pages, comparisons, health."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import pytest

from tests.support.archives import digests_of, make_targz

NAME = "full_2025-11-21_09-07-19.tar.gz"
ONE = make_targz({"hello.txt": b"one\n"})
TWO = make_targz({"hello.txt": b"two\n"})
NEXT = re.compile(r'<([^>]+)>; rel="next"')


def path_of(profile: str, name: str = NAME, type: str = "FULL") -> str:
    return f"/api/v1/profiles/{profile}/archives/{type}/{quote(name, safe='')}"


def b64(hex_digest: str) -> str:
    return base64.b64encode(bytes.fromhex(hex_digest)).decode()


def in_blocks(content: bytes, size: int = 37) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def test_a_new_archive_is_created_at_its_path(client: httpx2.Client, profile: str) -> None:
    """PUT answers 201 with all that is known, and a Location that returns the bytes."""
    answer = client.put(path_of(profile, type="full"), content=ONE)

    members = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == path_of(profile)
    assert client.get(answer.headers["location"]).content == ONE
    assert members.pop("received_at").endswith("Z")
    assert members == {
        "link": {"parent": None, "evidence": "proven", "reason": "a full archive builds on nothing"},
        "warnings": [],
        "restorable": True,
        "fidelity": "overlay",
        "evidence": "proven",
        "sound": True,
        "distrust": None,
        "gaps": 0,
        "profile": profile,
        "type": "FULL",
        "name": NAME,
        "size": len(ONE),
        "md5": digests_of(ONE).md5,
        "sha256": digests_of(ONE).sha256,
        "taken_at": "2025-11-21T09:07:19Z",
        "state": "stored",
        "kind": "plain",
        "members": 1,
        "unpacked_size": 10_240,
        "outcome": "new",
    }


def test_the_same_bytes_again_are_200_and_others_409(client: httpx2.Client, profile: str) -> None:
    """A repeated PUT is reported as one; other bytes under the name are refused with the stored digest."""
    client.put(path_of(profile), content=ONE)

    again, other = client.put(path_of(profile), content=ONE), client.put(path_of(profile), content=TWO)

    assert (again.status_code, again.json()["outcome"]) == (200, "duplicate")
    assert again.headers["location"] == path_of(profile)
    assert (other.status_code, other.json()["code"]) == (409, "name-conflict")
    assert other.json()["existing_sha256"] == digests_of(ONE).sha256
    assert client.get(path_of(profile)).content == ONE


def test_keep_both_answers_201_with_the_new_place(keep_both_client: httpx2.Client, profile: str) -> None:
    """With keep-both, the second is created beside the first and Location says where; a retry is 200."""
    client = keep_both_client
    client.put(path_of(profile), content=ONE)

    second, retry = client.put(path_of(profile), content=TWO), client.put(path_of(profile), content=TWO)

    assert (second.status_code, second.json()["outcome"]) == (201, "kept-both")
    assert (retry.status_code, retry.json()["outcome"]) == (200, "duplicate")
    assert second.headers["location"] == retry.headers["location"] != path_of(profile)
    assert client.get(second.headers["location"]).content == TWO
    assert client.get(path_of(profile)).content == ONE


def test_a_body_of_unknown_length_is_stored_whole(client: httpx2.Client, profile: str) -> None:
    """Chunked PUT, as ``tar -cz DIR | curl -T - URL`` sends it."""
    answer = client.put(path_of(profile), content=in_blocks(ONE))

    assert "content-length" not in answer.request.headers
    assert answer.status_code == 201
    assert client.get(path_of(profile)).content == ONE


MD5, SHA = digests_of(ONE).md5, digests_of(ONE).sha256
OTHER_MD5, OTHER_SHA = digests_of(TWO).md5, digests_of(TWO).sha256


@pytest.mark.parametrize(
    "headers",
    [
        {"Repr-Digest": f"sha-256=:{b64(SHA)}:"},
        {"Repr-Digest": f"md5=:{b64(MD5)}:"},
        {"Repr-Digest": f"md5=:{b64(MD5)}:, sha-256=:{b64(SHA)}:"},
        {"Repr-Digest": f"sha-512=:{b64(SHA)}:, sha-256=:{b64(SHA)}:"},
        {"X-Checksum-Sha256": SHA},
        {"X-Checksum-Sha256": SHA.upper()},
        {"Content-MD5": b64(MD5)},
        {"Content-MD5": b64(MD5), "X-Checksum-Sha256": SHA, "Repr-Digest": f"sha-256=:{b64(SHA)}:"},
    ],
    ids=lambda headers: "+".join(f"{name}" for name in headers),
)
def test_right_digests_are_accepted(client: httpx2.Client, profile: str, headers: dict[str, str]) -> None:
    """Each way of declaring a digest, alone and together; unknown algorithms are ignored beside a known one."""
    assert client.put(path_of(profile), content=ONE, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Repr-Digest": f"sha-256=:{b64(OTHER_SHA)}:"}, "digest-mismatch"),
        ({"Repr-Digest": f"md5=:{b64(OTHER_MD5)}:"}, "digest-mismatch"),
        ({"X-Checksum-Sha256": OTHER_SHA}, "digest-mismatch"),
        ({"Content-MD5": b64(OTHER_MD5)}, "digest-mismatch"),
        ({"Content-MD5": b64(MD5), "X-Checksum-Sha256": OTHER_SHA}, "digest-mismatch"),
        ({"Repr-Digest": "sha-256"}, "digest-invalid"),
        ({"Repr-Digest": f"sha-256={SHA}"}, "digest-invalid"),
        ({"Repr-Digest": "sha-256=:AAAA:"}, "digest-invalid"),
        ({"Repr-Digest": ""}, "digest-invalid"),
        ({"X-Checksum-Sha256": SHA[:-1]}, "digest-invalid"),
        ({"X-Checksum-Sha256": "g" * 64}, "digest-invalid"),
        ({"X-Checksum-Sha256": ""}, "digest-invalid"),
        ({"Content-MD5": MD5}, "digest-invalid"),
        ({"Content-MD5": "not base64"}, "digest-invalid"),
        ({"Content-MD5": "caf\u00e9"}, "digest-invalid"),
        ({"X-Checksum-Sha256": SHA, "Repr-Digest": f"sha-256=:{b64(OTHER_SHA)}:"}, "digest-invalid"),
        ({"Repr-Digest": f"sha-512=:{b64(SHA)}:"}, "digest-unsupported"),
    ],
)
def test_wrong_digests_leave_nothing(client: httpx2.Client, profile: str, headers: dict[str, str], code: str) -> None:
    """A digest that differs, cannot be read or has no known algorithm refuses the archive before it is visible."""
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}

    answer = client.put(path_of(profile), content=ONE, headers=raw)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert client.get(path_of(profile)).status_code == 404


@pytest.mark.parametrize("name", ["Ärchiv übung (2).tar.gz", "архив@host+1,2=3.tar.gz", "备份.tar.gz", "a b.tar.gz"])
def test_names_in_any_script_go_in_and_come_out(client: httpx2.Client, profile: str, name: str) -> None:
    """A name within the rules is found again under itself, in paths, lists and Content-Disposition."""
    answer = client.put(path_of(profile, name), content=ONE)
    back = client.get(answer.headers["location"])

    disposition = back.headers["content-disposition"]
    assert (answer.status_code, answer.json()["name"], back.content) == (201, name, ONE)
    if name.isascii():
        assert disposition == f'attachment; filename="{name}"'
    else:
        assert f"filename*=UTF-8''{quote(name, safe='')}" in disposition
        assert disposition.isascii()


def test_only_what_is_offered_is_listed_in_allow(client: httpx2.Client, profile: str) -> None:
    """405 for an archive names all of its methods, whichever route offers them."""
    answer = client.request("DELETE", path_of(profile))

    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert {method.strip() for method in answer.headers["allow"].split(",")} >= {"GET", "HEAD", "PUT"}


@pytest.mark.parametrize("type", [None, "FULL"])
def test_pages_hold_every_archive_once_and_in_order(client: httpx2.Client, profile: str, type: str | None) -> None:
    """Following Link through 25 archives by tens gives 10, 10, 5; each once, oldest first, within the filters."""
    names = [f"archive-{number:02}.tar.gz" for number in range(25)]
    for name in names:
        client.put(path_of(profile, name), content=ONE)
    client.put(path_of(f"{profile}-other"), content=ONE)

    pages: list[list[dict[str, Any]]] = []
    query = {"profile": profile, "limit": "10"} | ({"type": type} if type else {})
    target: str | None = f"/api/v1/archives?{httpx2.QueryParams(query)}"
    while target is not None:
        answer = client.get(target)
        pages.append(answer.json()["archives"])
        link = NEXT.fullmatch(answer.headers.get("link", ""))
        cursor = answer.json()["next_cursor"]
        target = link[1] if link else None
        assert (link is None) == (cursor is None)
        if link:
            assert parse_qs(urlsplit(link[1]).query) == {k: [v] for k, v in (query | {"cursor": cursor}).items()}

    assert [len(page) for page in pages] == [10, 10, 5]
    assert [entry["name"] for page in pages for entry in page] == names
    assert all(entry["profile"] == profile and entry["sha256"] == SHA for page in pages for entry in page)


def test_a_last_page_that_is_full_has_no_next(client: httpx2.Client, profile: str) -> None:
    """No Link leads to an empty page."""
    for name in ("a-1.tar.gz", "a-2.tar.gz"):
        client.put(path_of(profile, name), content=ONE)

    answer = client.get("/api/v1/archives", params={"profile": profile, "limit": 2})

    assert len(answer.json()["archives"]) == 2
    assert answer.json()["next_cursor"] is None
    assert "link" not in answer.headers


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "1.5", "", "9" * 30, "\u0661"])
def test_limits_out_of_range_are_refused(client: httpx2.Client, limit: str) -> None:
    """A limit is a whole number from 1 to 1000."""
    answer = client.get("/api/v1/archives", params={"limit": limit})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")
    assert "limit" in answer.json()["detail"]


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "%", "\u00e9", "dA" * 4000, "aUZVTEwvYS9i", "t" * 23])
def test_foreign_cursors_are_refused(client: httpx2.Client, cursor: str) -> None:
    """A cursor that no page returned is refused."""
    answer = client.get("/api/v1/archives", params={"cursor": cursor})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")


def test_profiles_say_what_they_hold(client: httpx2.Client, profile: str) -> None:
    """Counts, bytes and the newest of each type, in the list of profiles and alone."""
    client.put(path_of(profile), content=ONE)
    newest = client.put(path_of(profile, "inc-1.tar.gz", "INC"), content=TWO).json()["received_at"]

    alone = client.get(f"/api/v1/profiles/{profile}").json()
    everyone = client.get("/api/v1/profiles").json()["profiles"]

    assert alone in everyone
    assert alone["types"]["INC"] == {"archives": 1, "size": len(TWO), "newest": newest}
    assert alone["types"]["DIFF"] == {"archives": 0, "size": 0, "newest": None}
    assert (alone["profile"], alone["archives"], alone["size"]) == (profile, 2, len(ONE) + len(TWO))
    assert [each["profile"] for each in everyone] == sorted(each["profile"] for each in everyone)
    assert client.get(f"/api/v1/profiles/{profile}-none").status_code == 404


def test_an_inventory_may_come_as_json_or_line_by_line(client: httpx2.Client, profile: str) -> None:
    """One JSON document and NDJSON, with and without a last newline, give the same report."""
    for name in ("synced.tar.gz", "extra.tar.gz"):
        client.put(path_of(profile, name), content=ONE)
    local = [{"name": "synced.tar.gz", "sha256": SHA}, {"name": "missing.tar.gz", "md5": OTHER_MD5}]
    lines = "\n".join(json.dumps(entry | {"type": "full"}) for entry in local)
    by_line = {"Content-Type": "application/x-ndjson; charset=utf-8"}
    target = f"/api/v1/verify?profile={profile}"

    document = client.post(target, json={"local_backups": {"FULL": local}}).json()
    inside = client.post("/api/v1/verify", json={"profile": profile, "local_backups": {"FULL": local}}).json()
    cut = client.post(target, content=lines.encode(), headers=by_line).json()
    ended = client.post(target, content=in_blocks(lines.encode() + b"\n\n", 7), headers=by_line).json()

    empty: dict[str, object] = {"local_count": 0, "remote_count": 0, "synced": [], "missing_remote": []}
    empty |= {"extra_remote": [], "differing": [], "unverified": [], "damaged": [], "pruned": []}
    assert document == {
        "sync_status": "OUT_OF_SYNC",
        "profile": profile,
        "counts": {
            "synced": 1,
            "missing_remote": 1,
            "extra_remote": 1,
            "differing": 0,
            "unverified": 0,
            "damaged": 0,
            "pruned": 0,
        },
        "types": {
            "FULL": {
                "local_count": 2,
                "remote_count": 2,
                "synced": ["synced.tar.gz"],
                "missing_remote": ["missing.tar.gz"],
                "extra_remote": ["extra.tar.gz"],
                "differing": [],
                "unverified": [],
                "damaged": [],
                "pruned": [],
            },
            "INC": empty,
            "DIFF": empty,
        },
    }
    assert inside == cut == ended == document


def test_an_empty_inventory_is_in_sync_with_nothing(client: httpx2.Client, profile: str) -> None:
    """No line and no archive: SYNCHRONIZED."""
    answer = client.post(
        f"/api/v1/verify?profile={profile}", content=b"", headers={"Content-Type": "application/x-ndjson"}
    )

    assert (answer.status_code, answer.json()["sync_status"]) == (200, "SYNCHRONIZED")


def test_health_readiness_and_description(client: httpx2.Client) -> None:
    """The server is alive, able to store with the free bytes it has, and describes both families of routes."""
    assert client.get("/healthz").json() == {"status": "alive"}
    ready = client.get("/readyz").json()
    assert (ready["status"], ready["free_bytes"] > 0) == ("ready", True)
    description = client.get("/openapi.json").json()
    assert description["openapi"].startswith("3.")
    assert {"/upload", "/list", "/verify", "/api/v1/archives"} <= description["paths"].keys()


def test_every_answer_has_a_request_id(client: httpx2.Client) -> None:
    """Each answer carries an id of its own, and an error repeats it in its body."""
    first, second = client.get("/healthz"), client.get("/nowhere")

    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert second.json()["request_id"] == second.headers["x-request-id"]
