"""
Members in another order than GNU tar's: as bsdtar, 7-Zip, zip2tar and scripts write them, and `tar -T` on request.

Files before their directory, directories after all of their content or in the middle, read-only ones, and the same
again in each archive of a chain. Every way of restoring ends with the right mode and time of each directory.
"""

from __future__ import annotations

import gzip
import os
import random
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.desk import Desk

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
TREE = (
    "mkdir -p s/ro/sub/deep s/rw; echo f >s/ro/sub/f; echo g >s/ro/g; echo h >s/ro/sub/deep/h; "
    "echo x >s/x; echo y >s/rw/y"
)
AGE = (
    "touch -d 2005-03-18 s/ro/sub/deep s/ro/sub s/ro; touch -d 1999-09-09 s/rw s; chmod 555 s/ro/sub/deep s/ro/sub s/ro"
)

Kept = dict[bytes, tuple[int, int, bytes]]
Order = Callable[[list[str]], list[str]]


def kept(root: Path) -> Kept:
    """Everything below *root*: its mode with its type, time in seconds, and content."""
    return {
        os.fsencode(path.relative_to(root)): (
            path.lstat().st_mode,
            int(path.lstat().st_mtime),
            path.read_bytes() if stat.S_ISREG(path.lstat().st_mode) else b"",
        )
        for path in root.rglob("*")
    }


def names(desk: Desk) -> list[str]:
    found = subprocess.run(["find", "s"], cwd=desk.live, check=True, capture_output=True, text=True)
    return sorted(found.stdout.splitlines())


def deepest_first(all_names: list[str]) -> list[str]:
    return sorted(all_names, reverse=True)


def breadth_first(all_names: list[str]) -> list[str]:
    return sorted(all_names, key=lambda name: (name.count("/"), name))


def files_first(all_names: list[str]) -> list[str]:
    return sorted(all_names, key=lambda name: (name[-1] not in "fghxy", name))


def directories_first(all_names: list[str]) -> list[str]:
    return sorted(all_names, key=lambda name: (name[-1] in "fghxy", name))


def mixed(all_names: list[str]) -> list[str]:
    return random.Random(7).sample(all_names, len(all_names))


def twice(all_names: list[str]) -> list[str]:
    """Each directory before its content and again after it."""
    return [*all_names, *reversed([name for name in all_names if name[-1] not in "fghxy"])]


ORDERS: list[Order] = [deepest_first, breadth_first, files_first, directories_first, mixed, twice]
ORDER_NAMES = ["deepest first", "breadth first", "files first", "directories first", "mixed", "twice"]


def in_order(desk: Desk, order: list[str], form: str = "ustar") -> bytes:
    command = ["tar", "-cz", f"--format={form}", "--no-recursion", *order]
    return subprocess.run(command, cwd=desk.live, check=True, capture_output=True).stdout


@pytest.mark.parametrize("order", ORDERS, ids=ORDER_NAMES)
def test_any_order_gives_the_same(desk: Desk, order: Order) -> None:
    """For a FULL, and for an archive laid over it in that order."""
    then = "INC" if ORDERS.index(order) % 2 else "DIFF"
    desk.do(f"{TREE}; {AGE}")
    assert desk.put("FULL", in_order(desk, order(names(desk)))).status_code == 201
    first = kept(desk.live)
    desk.do("chmod u+w s/ro/sub; echo 2 >s/ro/sub/f; mkdir s/ro/sub/h; echo n >s/ro/sub/h/x")
    desk.do("touch -d 2012-12-12 s/ro/sub/h s/ro/sub")
    desk.do("chmod 511 s/ro/sub s/ro/sub/h")
    changed = [name for name in names(desk) if name.startswith("s/ro/sub")]
    assert desk.put(then, in_order(desk, order(changed), "posix")).status_code == 201
    full, other = desk.points()

    for point, live in ((full, first), (other, kept(desk.live))):
        with desk.restored(point, merging=True) as ways:
            for way, place in ways.items():
                assert kept(place) == live, (point, way)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, and setpriv")
@pytest.mark.parametrize("order", ORDERS, ids=ORDER_NAMES)
def test_an_ordinary_user_gets_into_what_is_read_only(desk: Desk, order: Order, tmp_path: Path) -> None:
    """
    By the script, by the client and from a merged tar; for several archives only the merged tar.

    tar does not make a directory writable that an earlier archive made read-only.
    """
    desk.do(f"{TREE}; {AGE}; chown -R 65534:65534 s")
    assert desk.put("FULL", in_order(desk, order(names(desk)))).status_code == 201
    first = kept(desk.live)
    desk.do("chmod u+w s/ro/sub; echo 2 >s/ro/sub/f; touch -d 2012-12-12 s/ro/sub")
    desk.do("chmod 555 s/ro/sub; chown -R 65534:65534 s")
    changed = [name for name in names(desk) if name.startswith("s/ro/sub")]
    assert desk.put("INC", in_order(desk, order(changed))).status_code == 201
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(above.stat().st_mode | 0o777 if above == tmp_path else above.stat().st_mode | 0o111)
    full, inc = desk.points()
    mine, here = tmp_path / "mine", {"TMPDIR": str(tmp_path / "mine")}
    (mine / "merged").mkdir(parents=True)
    query = {"at": full, "format": "sh"}
    (mine / "restore.sh").write_bytes(desk.client.get(f"{desk.url}/plan", params=query).content)
    (mine / "tree.tar").write_bytes(desk.client.get(f"{desk.url}/restore.tar").content)
    for path in (mine, *mine.iterdir()):
        os.chown(path, 65534, 65534)

    for command in (["sh", "restore.sh", "script"], ["tar", "-xpf", "tree.tar", "-C", "merged"]):
        ran = subprocess.run([*NOBODY, *command], cwd=mine, env={**os.environ, **here}, capture_output=True)
        assert ran.returncode == 0, ran.stderr
    for into, at, options in (("client", full, ()), ("client-merging", inc, ("--merged",))):
        restore = ("restore", desk.profile, "--at", at, "--into", str(mine / into), "--check", *options)
        ran_client = desk.machine.run(*restore, prefix=NOBODY, environment=here)
        assert ran_client.returncode == 0, ran_client.stderr
    assert kept(mine / "script") == kept(mine / "client") == first
    assert kept(mine / "merged") == kept(mine / "client-merging") == kept(desk.live)


@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
@pytest.mark.parametrize("named", ["s/ro/sub s", "s/x s/rw s/ro", "s s/ro/sub"])
def test_dumps_with_listings_in_an_order_of_ones_own(desk: Desk, named: str, proven: bool) -> None:
    """A directory that is named before its parent, or again after it, or not at all."""
    desk.do(f"{TREE}; {AGE}")
    desk.dump("FULL", *named.split(), proven=proven)
    desk.do("chmod u+w s/ro/sub s/ro; rm s/ro/g; echo n >s/ro/sub/n")
    desk.do("touch -d 2012-12-12 s/ro/sub s/ro; chmod 555 s/ro/sub s/ro")
    desk.dump("INC", *named.split(), proven=proven)
    last, live = list(desk.points())[-1], kept(desk.live)

    assert desk.given_back(last) == desk.seen()
    with desk.restored(last, merging=True) as ways:
        for way, place in ways.items():
            found = kept(place)
            if "s" not in named.split():
                found[b"s"] = live[b"s"]  # it is not archived
            assert found == live, way


def test_hard_links_before_the_file_that_they_are_to(desk: Desk) -> None:
    """As no tar writes them, and none extracts them: the link is a gap, everything else is restored."""
    desk.do("mkdir s; echo a >s/a; ln s/a s/b; echo c >s/c")
    whole = gzip.decompress(in_order(desk, ["s", "s/a", "s/b", "s/c"]))
    directory, first, link, rest = whole[:512], whole[512:1536], whole[1536:2048], whole[2048:]
    assert desk.put("FULL", gzip.compress(directory + link + first + rest)).status_code == 201
    plan = desk.get("plan")

    assert plan["gaps"] == 1
    with desk.restored(status=3) as ways:
        for way, place in ways.items():
            assert sorted(path.decode() for path in kept(place)) == ["s", "s/a", "s/c"], way
