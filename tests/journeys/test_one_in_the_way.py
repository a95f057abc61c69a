"""
One member in the way: only the names that tar itself cannot extract lack, and everything else is restored.

Hard links to nothing, paths that cannot be extracted, files over folders and symbolic links in a path, at the FULL and
later in a chain. Requests for other paths still succeed, and ``/gaps`` names what lacks.
"""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from attrs import frozen

from tests.support.desk import Desk, Seen
from tests.support.tar_oracle import look_at

Member = tuple[str, bytes, str, bytes]

OK: list[Member] = [
    ("s", tarfile.DIRTYPE, "", b""),
    ("s/ok", tarfile.DIRTYPE, "", b""),
    ("s/ok/f", tarfile.REGTYPE, "", b"f"),
    ("s/z", tarfile.REGTYPE, "", b"z"),
]
LATER: list[Member] = [
    ("s", tarfile.DIRTYPE, "", b""),
    ("s/late", tarfile.REGTYPE, "", b"late"),
    ("s/ok", tarfile.DIRTYPE, "", b""),
    ("s/ok/f", tarfile.REGTYPE, "", b"f2"),
]
LONG = "s/" + "n" * 256
DEEP = "/".join(["s", *["n" * 200] * 25])


@frozen
class InTheWay:
    """Members that cannot be extracted, and the number of names that lack because of them."""

    members: list[Member]
    lacks: list[str]


CASES = {
    "link to nothing": InTheWay([("s/b", tarfile.LNKTYPE, "s/a", b"")], ["s/b"]),
    "two links to nothing": InTheWay(
        [("s/b", tarfile.LNKTYPE, "s/a", b""), ("s/ok/c", tarfile.LNKTYPE, "s/a", b"")], ["s/b", "s/ok/c"]
    ),
    "link to a link to nothing": InTheWay(
        [("s/b", tarfile.LNKTYPE, "s/a", b""), ("s/c", tarfile.LNKTYPE, "s/b", b"")], ["s/b", "s/c"]
    ),
    "file over a folder": InTheWay([("s/ok", tarfile.REGTYPE, "", b"in the way")], ["s/ok"]),
    "link over a folder": InTheWay([("s/ok", tarfile.SYMTYPE, "z", b"")], ["s/ok"]),
    "fifo over a folder": InTheWay([("s/ok", tarfile.FIFOTYPE, "", b"")], ["s/ok"]),
    "upwards": InTheWay([("s/../../b", tarfile.REGTYPE, "", b"up")], ["s/../../b"]),
    "name too long": InTheWay([(LONG, tarfile.REGTYPE, "", b"long")], [LONG]),
    "folder's name too long": InTheWay(
        [(LONG, tarfile.DIRTYPE, "", b""), (f"{LONG}/f", tarfile.REGTYPE, "", b"f")], [LONG, f"{LONG}/f"]
    ),
    "too deep": InTheWay([(DEEP, tarfile.REGTYPE, "", b"deep")], [DEEP]),
    "symlink to an empty target": InTheWay([("s/l", tarfile.SYMTYPE, "", b"")], ["s/l"]),
    "symlink to a long target": InTheWay([("s/ok/l", tarfile.SYMTYPE, "t/" * 2048, b"")], ["s/ok/l"]),
    "link to a symlink that is none": InTheWay(
        [("s/l", tarfile.SYMTYPE, "", b""), ("s/m", tarfile.LNKTYPE, "s/l", b"")], ["s/l", "s/m"]
    ),
    "empty name": InTheWay([("", tarfile.REGTYPE, "", b"none")], [""]),
    "name of the directory itself": InTheWay([(".", tarfile.SYMTYPE, "z", b"")], [""]),
}


def targz(*members: Member, mtime: int = 1_600_000_000) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, type, link, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size, info.mtime = type, link, len(content), mtime
            info.mode = 0o755 if type == tarfile.DIRTYPE else 0o644
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue())


def by_tar(archives: list[bytes], into: Path) -> Seen:
    """What tar extracts from *archives*, with or without complaints."""
    into.mkdir()
    for archive in archives:
        subprocess.run(["tar", "-xpz", "--file=-"], cwd=into, input=archive, capture_output=True)
    return look_at(into)


def check(desk: Desk, lacks: list[str], rest: Seen) -> None:
    """Every way restores *rest*, exits with 3, and names what *lacks*."""
    point = list(desk.points().values())[-1]
    plan = desk.get("plan")
    assert (point["restorable"], point["gaps"], plan["gaps"]) == (True, len(lacks), len(lacks))
    with desk.restored(status=3, merging=True) as ways:
        for way, place in ways.items():
            assert look_at(place) == rest, way
    gaps = desk.get("gaps")
    assert sorted(gap["path"] for gap in gaps["entries"]) == sorted(lacks), gaps
    assert {entry["path"] for entry in desk.get("tree", recursive="true")["entries"]} == {
        path.decode() for path in rest
    }
    for path in ("s/ok/f", "s/z"):
        answer = desk.client.get(f"{desk.url}/restore.tar", params={"path": path})
        assert answer.status_code == 200
        listed = subprocess.run(["tar", "-t"], input=answer.content, check=True, capture_output=True).stdout
        assert path.encode() in listed.splitlines()
        assert desk.get("history", path=path)["versions"]
    ran = desk.machine.run("restore", desk.profile, "--path", "s/ok", "--into", str(desk.place / "part"))
    is_within = any(path == "s/ok" or path.startswith("s/ok/") for path in lacks)
    assert ran.returncode == (3 if is_within else 0), ran.stderr
    assert (desk.place / "part" / "s" / "ok" / "f").read_bytes() == rest[b"s/ok/f"][1]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_only_its_name_lacks(desk: Desk, case: InTheWay) -> None:
    """In a FULL, for any position of the member."""
    archive = targz(*OK[:3], *case.members, OK[3])
    assert desk.put("FULL", archive).status_code == 201

    check(desk, case.lacks, by_tar([archive], desk.place / "by tar"))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_only_its_name_lacks_in_an_archive_laid_over_others(desk: Desk, case: InTheWay) -> None:
    """The first archive has none, so its point is whole; the second, laid over it, has one."""
    full, over = targz(*OK), targz(*LATER[:2], *case.members, *LATER[2:], mtime=1_600_000_100)
    assert desk.put("FULL", full).status_code == 201
    assert desk.put("INC", over).status_code == 201

    if case.lacks != ["s/ok"]:  # tar removes no folder that is not empty there, and the file that follows is new
        check(desk, case.lacks, by_tar([full, over], desk.place / "by tar"))
    assert desk.given_back(next(iter(desk.points()))) == by_tar([full], desk.place / "by tar, first")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_chain_goes_on_from_it(desk: Desk, case: InTheWay) -> None:
    """Later files are restored along with the first archive's, and names that lacked there still lack."""
    full, over = targz(*OK[:3], *case.members, OK[3]), targz(*LATER, mtime=1_600_000_100)
    assert desk.put("FULL", full).status_code == 201
    assert desk.put("DIFF", over).status_code == 201

    lacks = [] if case.lacks == ["s/ok"] else case.lacks  # the later archive has it as the original folder
    if lacks:
        check(desk, lacks, by_tar([full, over], desk.place / "by tar"))
    else:
        point = list(desk.points().values())[-1]
        assert (point["restorable"], point["gaps"], point["sound"]) == (True, 0, False)
        because = ("tar would fail at 1 name of FULL/", "s/ok is a link and a directory in one archive")
        assert point["distrust"].startswith(because)
        with desk.restored(merging=True) as ways:
            for way, place in ways.items():
                assert look_at(place) == by_tar([full, over], desk.place / f"by tar, {way}"), way


def test_a_link_to_nothing_in_a_dump_with_listings(desk: Desk) -> None:
    """A filter left out its first name; listings have both."""
    desk.do("mkdir -p s/ok; echo x >s/a; ln s/a s/b; echo f >s/ok/f; echo z >s/z")
    desk.dump("FULL", "--sort=name", "s")
    raw = desk.place / "full_2026-01-01_00-00-00.tar.gz"
    assert raw.exists()
    content = gzip.decompress(raw.read_bytes())
    at = content.index(b"s/a\0")
    while content[at + 257 : at + 262] != b"ustar" or at % 512:
        at = content.index(b"s/a\0", at + 1)
    whole = content[:at] + content[at + 1024 :]
    other = Desk(desk.client, desk.machine, f"{desk.profile}-filtered", desk.place)
    assert other.put("FULL", gzip.compress(whole)).status_code == 201

    assert [gap["path"] for gap in other.get("gaps")["entries"]] != []
    plan = other.get("plan")
    assert plan["gaps"] >= 1
    with other.restored(status=3, merging=True) as ways:
        for way, place in ways.items():
            found = look_at(place)
            assert {b"s/ok/f", b"s/z"} <= found.keys(), way
            assert b"s/b" not in found


def test_a_request_that_allows_gaps_gets_the_rest_and_the_names(desk: Desk) -> None:
    """With and without allowing gaps, since names that tar cannot extract never cause a refusal."""
    desk.put("FULL", targz(*OK, ("s/b", tarfile.LNKTYPE, "s/a", b"")))

    for query in ({}, {"allow_gaps": "1"}):
        answer = desk.client.get(f"{desk.url}/restore.tar", params=query)
        assert (answer.status_code, answer.headers["Tarkeep-Gaps"]) == (200, "1")
    assert "s/b" in desk.client.get(f"{desk.url}/gaps", params={"format": "text"}).text
