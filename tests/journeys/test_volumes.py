"""
Archives on several volumes, as `tar --multi-volume` makes them: no part is taken for a backup, in any order.

Each part but the first continues another one, and only all of them together are an archive. A volume that is whole,
because everything fitted into it, is an ordinary archive, and so is one with only a label.
"""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.desk import Desk
from tests.support.server import LiveServer, live_server

KIB = 30
FORMS = ["--format=gnu", "--format=posix", "--format=oldgnu"]
CONTENTS = {
    "within a file": "head -c 100000 /dev/urandom >src/a; echo z >src/z",
    "anywhere": "for n in {10..70}; do head -c 700 /dev/urandom >src/$n; done",
    "between two members": "for n in {10..90}; do : >src/$n; done",
    "at the end of a file": "for n in {10..90}; do head -c 512 /dev/urandom >src/$n; done",
}


def volumes(desk: Desk, *options: str, kib: int = KIB) -> list[bytes]:
    """What tar makes of ``src``, volume by volume, each of *kib* KiB."""
    parts = [desk.place / f"volume-{number}" for number in range(12)]
    for part in parts:
        part.unlink(missing_ok=True)
    command = ["tar", "-cM", "-L", str(kib), *options, *(f"--file={part}" for part in parts), "src"]
    subprocess.run(command, cwd=desk.live, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return [part.read_bytes() for part in parts if part.exists()]


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("listed", [False, True], ids=["plain", "with listings"])
@pytest.mark.parametrize("label", [(), ("--label=Weekly",)], ids=["no label", "label"])
@pytest.mark.parametrize("form", FORMS)
def test_no_part_is_a_point(desk: Desk, form: str, label: tuple[str, ...], listed: bool, content: str) -> None:
    """Neither the first, nor one in the middle, nor the last; each that continues another one says so."""
    desk.do(f"mkdir src; {content}")
    snapshot = (f"--listed-incremental={desk.place / 'snapshot'}",) if listed else ()
    parts = volumes(desk, form, "--sort=name", *label, *snapshot)
    assert len(parts) > 1

    for type in ("FULL", "INC"):
        answers = [desk.put(type, gzip.compress(part)) for part in parts]
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "not-a-tar")}
        told = [answer.json()["detail"] for answer in answers]
        assert ["--multi-volume" in each for each in told] == [False] + [True] * (len(parts) - 1), told
    assert desk.client.get(f"{desk.url}/points").status_code == 404


def test_parts_appended_to_each_other_are_no_points_either(desk: Desk) -> None:
    """As `cat` appends them: then the header of each part is in the middle of a file, or of the archive."""
    for content in CONTENTS.values():
        desk.do(f"rm -rf src; mkdir src; {content}")
        parts = volumes(desk, "--sort=name")

        for joined in (gzip.compress(b"".join(parts)), b"".join(map(gzip.compress, parts))):
            assert desk.put("FULL", joined).status_code == 422


@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
@pytest.mark.parametrize("form", FORMS)
def test_a_volume_that_is_whole_is_an_archive(desk: Desk, form: str, proven: bool) -> None:
    """With a label or without one, also in the middle of a chain."""
    desk.do("mkdir -p src/d; echo a >src/a; echo b >src/d/b")
    desk.dump("FULL", form, "-M", "-L", "1000", "src", proven=proven, compress=False)
    first = desk.seen()
    desk.do("echo 2 >src/a; rm src/d/b")
    desk.dump("INC", form, "-V", "Tuesday's", "src", proven=proven)
    second = desk.seen()
    desk.do("mv src/d src/e; echo n >src/e/n")
    desk.dump("INC", form, "-M", "-L", "1000", "-V", "Wednesday", "src", proven=proven, compress=False)

    assert [desk.given_back(point) for point in desk.points()] == [first, second, desk.seen()]


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that accepts archives it cannot read."""
    place = tmp_path_factory.mktemp("lenient")
    (place / "profiles.toml").write_text('["*"]\nallow_opaque = true\n')
    with live_server(place / "data", "--profiles", str(place / "profiles.toml")) as server:
        yield server


@pytest.mark.parametrize("label", [(), ("--label=Weekly",)], ids=["no label", "label"])
@pytest.mark.parametrize("form", FORMS)
def test_a_part_is_not_taken_for_something_encrypted(
    desk: Desk, lenient: LiveServer, form: str, label: tuple[str, ...]
) -> None:
    """Also in a profile that accepts unreadable archives: it can be read that this is a part."""
    desk.do(f"mkdir src; {CONTENTS['anywhere']}")
    with lenient.client() as client:
        there = Desk(client, desk.machine, f"{desk.profile}-lenient", desk.place)

        statuses = [there.put("FULL", gzip.compress(part)).status_code for part in volumes(desk, form, *label)]
        assert set(statuses) == {422}
        assert there.put("FULL", gzip.compress(b"encrypted" * 1000)).status_code == 201


def test_what_is_refused_leaves_the_chain_as_it_was(desk: Desk, tmp_path: Path) -> None:
    """The client names the files that are no archives, and sends the others."""
    desk.do("mkdir -p src; head -c 100000 /dev/urandom >src/big")
    desk.dump("FULL", "src", proven=False)
    desk.do("echo n >src/n; touch src/big")
    parts = volumes(desk, f"--listed-incremental={desk.place / 'snapshot'}")
    for number, part in enumerate(parts):
        desk.machine.keep("INC", f"inc_2026-02-0{number + 1}_00-00-00.tar.gz", gzip.compress(part))
    desk.do("echo m >src/m")
    subprocess.run(["tar", "-czf", tmp_path / "whole", "src"], cwd=desk.live, check=True)
    desk.machine.keep("FULL", "full_2026-02-09_00-00-00.tar.gz", (tmp_path / "whole").read_bytes())

    ran = desk.machine.run("push", desk.profile, "--all")

    assert ran.returncode == 3
    assert all(f"inc_2026-02-0{number + 1}" in ran.stdout + ran.stderr for number in range(len(parts)))
    assert [point for point in desk.points() if point.startswith("INC")] == []
    assert desk.given_back() == desk.seen()
