"""
What people do with tar: excludes that change, several roots, ``-C dir .``, files as arguments, absolute names, sockets.

Each point's `restore.tar` is held against what GNU tar makes of the archives themselves. Where a point is called sound
the two are the same; where tar comes to something else, the point said so beforehand. Both kinds of error are counted.
"""

from __future__ import annotations

import hashlib
import os
import random
import socket
from collections import Counter
from pathlib import Path

from tarkeep.entrypoints.settings import StorageSettings
from tests.support.histories import History, drawn, tar
from tests.support.server import in_process
from tests.support.tar_oracle import look_at
from tests.support.tars import gz

HISTORIES = int(os.environ.get("TARKEEP_TEST_HISTORIES", "400")) // 10
GROWING = ("write", "make", "write", "write")
CHANGING = ("write", "change", "remove", "make", "move-file", "remove-tree", "move")
ARGUMENTS = (["root"], ["-C", "root", "."], ["root", "second"], ["root", "second/x"], ["-P"])


def digest(snapshot: Path) -> dict[str, str]:
    return {"digest": hashlib.sha256(snapshot.read_bytes()).hexdigest()} if snapshot.exists() else {}


def taken(place: Path, rng: random.Random) -> list[tuple[Path, str | None, str]]:
    """Four archives of a history, with the digests of the snapshot file before and after each."""
    history, snapshot, second = History(place), place / "snapshot", place / "second"
    history.go_through(drawn(rng, GROWING, 10))
    second.mkdir()
    (second / "x").write_bytes(b"1")
    with socket.socket(socket.AF_UNIX) as bound:
        at = Path.cwd()
        os.chdir(history.root)  # a socket's name has 108 bytes at most
        try:
            bound.bind("socket")
        finally:
            os.chdir(at)
    arguments = rng.choice(ARGUMENTS)
    if arguments == ["-P"]:
        arguments = ["-P", str(history.root)]
    found = []
    for number in range(4):
        excludes = [f"--exclude={rng.choice('abc')}"] if rng.random() < 0.4 else []
        archive, before = place / f"{number}.tar", digest(snapshot).get("digest")
        tar(place, f"-cf{archive}", f"--listed-incremental={snapshot}", *excludes, *arguments)
        found.append((archive, before, digest(snapshot)["digest"]))
        history.go_through(drawn(rng, CHANGING, rng.randrange(1, 5)))
        if rng.random() < 0.5:
            (second / "x").write_bytes(b"%d" % number)
        history.dump("aside.tar", None, posix=False)  # the clock passes
    return found


def test_what_comes_back_is_what_tar_brings_back(tmp_path: Path) -> None:
    """No point is restorable and refused, and no sound one differs from what tar extracts, with digests or without."""
    counts: Counter[str] = Counter()
    with in_process(StorageSettings(data=tmp_path / "data", store="memory:", catalog="memory:")) as (client, _):
        for number in range(HISTORIES):
            place, base = tmp_path / str(number), f"/api/v1/profiles/p{number}"
            place.mkdir()
            archives = taken(place, random.Random(number))
            for day, (archive, before, after) in enumerate(archives, 1):
                headers = {"Tarkeep-Taken-At": f"2026-01-0{day}T00:00:00Z"}
                if number % 2:
                    headers |= {"Tarkeep-Snapshot-After": after}
                    headers |= {"Tarkeep-Snapshot-Before": before} if before else {}
                url = f"{base}/archives/{'INC' if before else 'FULL'}/{archive.name}.gz"
                assert client.put(url, content=gz(archive.read_bytes()), headers=headers).status_code == 201
            for last, point in enumerate(client.get(f"{base}/points").json()["points"]):
                answer = client.get(f"{base}/restore.tar", params={"at": f"{point['type']}/{point['name']}"})
                if not point["restorable"] or answer.status_code != 200:
                    counts["refused" if not point["restorable"] else "restorable and refused"] += 1
                    continue
                by_tarkeep, by_tar = place / f"tarkeep {last}", place / f"tar {last}"
                for folder in (by_tarkeep, by_tar):
                    folder.mkdir()
                (place / "merged.tar").write_bytes(answer.content)
                tar(by_tarkeep, "-xf", str(place / "merged.tar"), check=False)
                for archive, _, _ in archives[: last + 1]:
                    tar(by_tar, "-xf", str(archive), "--listed-incremental=/dev/null", check=False)
                is_same = look_at(by_tarkeep) == look_at(by_tar)
                counts[f"{'same' if is_same else 'differs'}, {'sound' if point['sound'] else 'told'}"] += 1

    print(f"{HISTORIES} histories: {dict(counts.most_common())}")
    assert counts["same, sound"] > HISTORIES
    assert not counts["restorable and refused"]
    assert not counts["differs, sound"]
