"""
Restoring trees as a tar, and looking into points and archives, as stories of requests over GNU tar's archives.

Their names are hard to transport: one is not UTF-8 and has a backslash.
"""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.support.archives import make_targz
from tests.support.dumper import Dumper, change, code, named
from tests.support.histories import History
from tests.support.server import LiveServer, live_server

# -- giving back -----------------------------------------------------------------------------------------------------


def test_a_part_of_the_tree_is_given_back_alone(laptop: Dumper) -> None:
    """With path, the names at and below it, even if the name is not text; a missing path is 404."""
    laptop.back_up("FULL")
    change(laptop)
    laptop.back_up("INC")
    live = laptop.live()

    assert laptop.restored(path="root/post") == {
        path: what for path, what in live.items() if path.startswith(b"root/post")
    } | {b"root": ("directory", b"")}
    odd = laptop.restored(path="./root/odd\\\\ \\xff.txt")
    assert odd[b"root/odd\\ \xff.txt"] == live[b"root/odd\\ \xff.txt"]
    assert code(laptop.client.get(laptop.url + "/restore.tar?path=root/gone.txt")) == (404, "not-found")


def test_asking_for_the_headers_of_a_tar_makes_no_tar(live: LiveServer, live_laptop: Dumper) -> None:
    """HEAD of restore.tar answers as GET would, without a length, and no content is made to be thrown away."""
    full = live_laptop.back_up("FULL")
    for what, media_type in (("restore.tar", "application/x-tar"), ("restore.tar.gz", "application/gzip")):
        answer = live_laptop.client.head(f"{live_laptop.url}/{what}")

        assert answer.status_code == 200
        assert "content-length" not in answer.headers
        assert answer.headers["content-type"] == media_type
        assert answer.headers["tarkeep-point"] == f"FULL/{full.name}"
        assert answer.headers["content-disposition"] == f'attachment; filename="{live_laptop.profile}.{what[8:]}"'
    assert live_laptop.client.head(live_laptop.url + "/restore.tar?path=nowhere").status_code == 404
    logged = [line for line in live.log.read_text().splitlines() if f"{live_laptop.url}/restore.tar" in line]
    assert [" sent=0 " in line for line in logged[:2]] == [True, True]  # that of the problem may not be there yet


@pytest.mark.parametrize("what", ["restore.tar", "restore.tar.gz"])
def test_a_source_that_is_damaged_in_the_middle_breaks_the_connection(tmp_path: Path, what: str) -> None:
    """curl ends with an error, what came is no whole tar, and from then on the point says that it does not restore."""
    data = tmp_path / "data"
    with live_server(data) as server, server.client() as client:
        machine = Dumper(client, "laptop", History(tmp_path))
        for number in range(4):
            (machine.root / f"noise{number}").write_bytes(random.Random(number).randbytes(2 << 20))
        full = machine.back_up("FULL")
        stored = data / "archives" / "laptop" / "FULL" / full.name
        damaged = bytearray(full.content)
        damaged[-1 << 20] ^= 0xFF
        stored.chmod(0o600)
        stored.write_bytes(damaged)

        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", f"{server.url}{machine.url}/{what}"], capture_output=True, check=False
        )
        listed = subprocess.run(
            ["tar", "-tzf-" if what.endswith("gz") else "-tf-"], input=done.stdout, capture_output=True, check=False
        )
        after = client.get(f"{machine.url}/{what}")
        (point,) = machine.get("points")["points"]

    assert done.returncode != 0
    assert len(done.stdout) > 1 << 20  # it had begun
    assert listed.returncode != 0
    assert (point["restorable"], point["obstacles"][0]["code"], point["state"]) == (False, "damaged", "damaged")
    assert code(after) == (409, "not-restorable")


# -- looking inside --------------------------------------------------------------------------------------------------


def pages(machine: Dumper, what: str, **query: str) -> list[Any]:
    """All entries, page by page, by following Link."""
    entries: list[Any] = []
    answer = machine.client.get(f"{machine.url}/{what}", params=query)
    while True:
        assert answer.status_code == 200, answer.text
        body = answer.json()
        entries += body.get("entries", body.get("members", []))
        assert len(body.get("entries", body.get("members", []))) <= int(query.get("limit", 100))
        assert ("link" in answer.headers) == (body["next_cursor"] is not None)
        if "link" not in answer.headers:
            return entries
        answer = machine.client.get(answer.links["next"]["url"])


def test_a_tree_is_looked_at_page_by_page(laptop: Dumper) -> None:
    """A directory, and everything below it, in pages of any size, are the names of that time."""
    full = laptop.back_up("FULL")
    change(laptop)
    inc = laptop.back_up("INC")

    def text(path: bytes) -> str:
        return path.decode(errors="backslashreplace").replace("odd\\ ", "odd\\\\ ")

    for dump in (full, inc):
        names = sorted(text(path) for path in dump.live)
        inside = sorted(name for name in names if name.count("/") == 1)
        for limit in ("1", "2", "1000"):
            assert [one["path"] for one in pages(laptop, "tree", at=dump.name, path="root", limit=limit)] == inside
            recursive = pages(laptop, "tree", at=dump.name, recursive="true", limit=limit)
            assert sorted(one["path"] for one in recursive) == names
    entries = {one["path"]: one for one in pages(laptop, "tree", recursive="true")}
    assert entries["root/post/one.txt"]["archive"] == named(full)
    assert entries["root/report.txt"]["archive"] == named(inc)
    status = (laptop.root / "report.txt").stat()
    found = entries["root/report.txt"]
    assert (found["type"], found["size"], found["mode"]) == ("file", 6, f"{status.st_mode & 0o7777:04o}")
    assert (found["uid"], found["gid"]) == (status.st_uid, status.st_gid)
    (alone,) = laptop.get("tree", path="root/report.txt")["entries"]
    assert alone == found
    assert code(laptop.client.get(laptop.url + "/tree?path=root/gone.txt")) == (404, "not-found")


def test_names_are_found(laptop: Dumper) -> None:
    """A part of a name, a pattern for the whole of it, or for the path; in pages; at the requested time."""
    full = laptop.back_up("FULL")
    change(laptop)
    laptop.back_up("INC")

    def found(name: str, **query: str) -> list[str]:
        return [one["path"] for one in pages(laptop, "find", name=name, **query)]

    assert found("one") == ["root/post/one.txt"]
    assert found("one", at=full.name) == ["root/gone.txt", "root/letters/one.txt"]
    assert (
        found("*.txt", limit="1")
        == found("*.txt")
        == [
            "root/odd\\\\ \\xff.txt",
            "root/report.txt",
            "root/post/one.txt",
            "root/post/two.txt",
        ]
    )
    assert found("post/*") == []  # a pattern with a slash is for the whole path
    assert found("root/post/*") == ["root/post/one.txt", "root/post/two.txt"]
    assert found("\\xff") == ["root/odd\\\\ \\xff.txt"]
    assert found("gone") == []


def test_a_path_has_a_history(laptop: Dumper) -> None:
    """It appeared, changed, was renamed with its directory, was deleted; and each version can be downloaded."""
    full = laptop.back_up("FULL")
    change(laptop)
    inc = laptop.back_up("INC")
    (laptop.root / "report.txt").unlink()
    last = laptop.back_up("INC")

    def told(path: str) -> list[tuple[str, str, str | None]]:
        return [
            (one["event"], one["archive"]["name"], one["renamed_from"])
            for one in laptop.get("history", path=path)["versions"]
        ]

    assert told("root/report.txt") == [
        ("appeared", full.name, None),
        ("changed", inc.name, None),
        ("deleted", last.name, None),
    ]
    assert told("./root/gone.txt") == [("appeared", full.name, None), ("deleted", inc.name, None)]
    assert told("root/post/one.txt") == [("renamed", inc.name, "root/letters/one.txt")]
    assert told("root/odd\\\\ \\xff.txt") == [("appeared", full.name, None)]
    assert told("root/never") == []
    contents = []
    for version in laptop.get("history", path="root/report.txt")["versions"][:2]:
        stored = version["stored_in"]
        answer = laptop.client.get(f"{laptop.url}/archives/{stored['type']}/{stored['name']}/members/root/report.txt")
        contents.append((answer.content, len(answer.content) == version["size"]))
    assert contents == [(b"draft\n", True), (b"final\n", True)]


def test_the_members_of_an_archive_are_listed_in_their_order(laptop: Dumper) -> None:
    """As tar lists them, in pages of any size."""
    full = laptop.back_up("FULL")
    archive = laptop.history.place / "listed.tar.gz"
    archive.write_bytes(full.content)
    listed = subprocess.run(
        ["tar", "--quoting-style=literal", "-tzf", str(archive)], capture_output=True, check=True
    ).stdout.splitlines()

    where = f"archives/FULL/{full.name}/members"
    whole = [one["path"] for one in pages(laptop, where)]
    assert whole == [name.rstrip(b"/").replace(b"\\", b"\\\\").decode(errors="backslashreplace") for name in listed]
    assert [one["path"] for one in pages(laptop, where, limit="2")] == whole


def test_one_file_comes_out_of_an_archive(laptop: Dumper) -> None:
    """Whole, in ranges and on conditions; even if its name is not text; anything but a file is 404."""
    (laptop.root / "first").write_bytes(bytes(range(256)) * 40)
    os.link(laptop.root / "first", laptop.root / "second")
    (laptop.root / "link").symlink_to("first")
    (laptop.root / "empty").touch()
    full = laptop.back_up("FULL")
    members = laptop.archive(full) + "/members/root/"

    def ask(name: str, **headers: str) -> httpx2.Response:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return laptop.client.get(members + quote(name), headers=named)

    whole = ask("first")
    tag = whole.headers["etag"]
    ranged = ask("first", Range="bytes=300-309", If_Range=tag)
    assert (whole.content, whole.headers["content-length"]) == (bytes(range(256)) * 40, "10240")
    assert (ranged.status_code, ranged.headers["content-range"]) == (206, "bytes 300-309/10240")
    assert ranged.content == whole.content[300:310]
    assert ask("first", Range="bytes=-3").content == whole.content[-3:]
    assert ask("first", Range="bytes=0-1", If_Range='"other"').content == whole.content
    assert ask("first", If_None_Match=tag).status_code == 304
    assert code(ask("first", If_Match='"other"')) == (412, "precondition-failed")
    assert code(ask("first", Range="bytes=10240-")) == (416, "range-not-satisfiable")
    assert ask("second").content == whole.content
    assert (ask("empty").content, ask("empty").headers["content-length"]) == (b"", "0")
    assert ask("odd\\\\ \\xff.txt").content == b"odd\n"
    assert [code(ask(name)) for name in ("", "link", "letters", "nowhere")] == [(404, "not-found")] * 4
    head = laptop.client.head(members + "first")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "10240", b"")


# -- hostile values --------------------------------------------------------------------------------------------------

HOSTILE = [
    "\\",
    "\\x",
    "\\xg0",
    "../..",
    "a/../../b",
    "/etc/passwd",
    "\u202e",
    "%s%n",
    "'; DROP TABLE archives; --",
    "a" * 5000,
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_are_answered(memory_client: httpx2.Client, value: str) -> None:
    """With any value of at, path, name or cursor, the answer is 200 or a problem of the client's making."""
    place = "/api/v1/profiles/hostile"
    memory_client.put(f"{place}/archives/FULL/a.tar.gz", content=make_targz())
    asked = [
        *((what, "at") for what in ("plan", "restore.tar", "restore.tar.gz", "tree", "find")),
        *((what, "path") for what in ("restore.tar", "restore.tar.gz", "tree", "history")),
        ("find", "name"),
        ("tree", "cursor"),
        ("find", "cursor"),
        ("base", "type"),
        ("archives/FULL/a.tar.gz/members", "cursor"),
    ]
    statuses = {}
    for what, parameter in asked:
        query = {"name": "x", parameter: value} if what == "find" else {parameter: value}
        statuses[what, parameter] = memory_client.get(f"{place}/{what}", params=query).status_code
    statuses["members", "path"] = memory_client.get(
        f"{place}/archives/FULL/a.tar.gz/members/{quote(value, safe='')}"
    ).status_code

    assert set(statuses.values()) <= {200, 400, 404}
    assert {status for (_, parameter), status in statuses.items() if parameter == "at"} == {400}
