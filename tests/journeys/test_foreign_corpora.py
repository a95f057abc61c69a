"""
Archives from other projects: what Tarkeep makes of the test archives of libarchive, CPython, Go and others.

Each file is sent to a server, and the result compared with GNU tar's. It is refused with a reason if tar fails, too, or
by one of the rules in which Tarkeep is stricter; or its members are those that tar lists, and ``restore.tar`` is what
tar extracts. If not, the plan says what is odd about the archive. ``tests/fetch_corpora`` downloads the corpora;
``pytest -rP`` shows the counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from attrs import frozen

from tarkeep.domain.text.paths import path_bytes
from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.foreign_tars import PLACE, ForeignFile, Listed, extracted, files, label, listed
from tests.support.require import require
from tests.support.server import in_process

CORPORA = ["busybox", "commons-compress", "cpython", "go", "libarchive", "perl", "tar-stream"]
LARGEST_BYTES = 4 << 20  # packed; some unpack to 8 GB of zeros
STRICTER = (
    "ends without an end-of-archive block",
    "two pax headers for one member",
    "an impossible size",
    "exceeds max_name_bytes",
)
"""Reasons to refuse what GNU tar accepts: see `tar_walk` and `pax_header` of `tarkeep.adapters.targz`."""
ORDINARY = "plain archives are in the path: what was deleted in between comes back"
AS_INC_TOO = 8  # one in this many


@frozen
class Place:
    """The server and profile for one file, and room for it."""

    client: httpx2.Client
    folder: Path
    profile: str

    def put(self, type: str, content: bytes) -> httpx2.Response:
        return self.client.put(self.archive(type), content=content)

    def archive(self, type: str = "FULL") -> str:
        return f"/api/v1/profiles/{self.profile}/archives/{type}/{type.lower()}.tar.gz"

    def of_point(self, what: str, type: str = "FULL") -> str:
        return f"/api/v1/profiles/{self.profile}/{what}at={type}/{type.lower()}.tar.gz"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    storage = StorageSettings(data=tmp_path_factory.mktemp("data") / "data", reserve_bytes=0)
    with in_process(storage) as (client, _):
        yield client


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_archive_is_listed_as_by_tar(client: httpx2.Client, tmp_path: Path, corpus: str) -> None:
    """
    No request causes an internal error; differences from tar are named; some archives are also laid over themselves.
    """
    require(f"corpus-{corpus}", (PLACE / corpus).is_dir(), f"tests/fetch_corpora lays it into {PLACE}")
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for number, file in enumerate(files(PLACE / corpus)):
        if len(file.packed) > LARGEST_BYTES:
            counts["left out, too large"] += 1
            continue
        profile = re.sub(r"[^A-Za-z0-9]+", "-", f"{corpus}-{number}-{file.name}")[:64]
        try:
            counts[judged(Place(client, tmp_path, profile), file, is_inc_too=not number % AS_INC_TOO)] += 1
        except AssertionError as error:
            wrong.append(f"{file.name}: {error}")
    print(f"{corpus}: {sum(counts.values())} files; {', '.join(f'{n} {what}' for what, n in sorted(counts.items()))}")

    assert counts, "the corpus is empty"
    assert not wrong, "\n".join(wrong)


def judged(at: Place, file: ForeignFile, *, is_inc_too: bool) -> str:
    """The result for *file*, in a word or two."""
    archive = at.folder / "archive.tar.gz"
    archive.write_bytes(file.packed)
    by_tar = listed(archive)
    answer = at.put("FULL", file.packed)
    if is_inc_too:
        check_over_itself(at, file, answer.status_code)
    if answer.status_code != 201:
        return refused(at, answer, by_tar, archive)

    plan = at.client.get(at.of_point("plan?")).json()
    restored = at.folder / "restored.tar"
    with at.client.stream("GET", at.of_point("restore.tar?")) as sent, restored.open("wb") as out:
        assert sent.status_code == 200, sent.read()
        for piece in sent.iter_raw():
            out.write(piece)
    given = extracted(restored, at.folder / "given")
    wanted = extracted(archive, at.folder / "wanted", "--gzip")
    assert given.status == 0, given.complaints
    told = names(at)
    has_same_names = told in (by_tar.names, without_label(by_tar.names, archive))
    is_named = any(warning != ORDINARY for warning in plan["warnings"])
    if has_same_names and given.tree == wanted.tree and wanted.status == by_tar.status == 0:
        return "equal, and odd" if is_named else "equal"
    differing = {path for path in given.tree | wanted.tree if given.tree.get(path) != wanted.tree.get(path)}
    assert is_named, (told, by_tar, differing, wanted.complaints)
    return "different, and named"


def check_over_itself(at: Place, file: ForeignFile, status: int) -> None:
    """As an INC over its own members it gets the same response as before, and can be queried."""
    answer = at.put("INC", file.packed)
    assert answer.status_code == status, answer.text
    for what in ("plan?", "tree?recursive=true&limit=1000&", "find?name=*&", "restore.tar?"):
        asked = at.client.get(at.of_point(what, "INC"))
        assert asked.status_code in ({200, 409} if status == 201 else {404}), asked.text


def refused(at: Place, answer: httpx2.Response, by_tar: Listed, archive: Path) -> str:
    """Why *answer* is a refusal: tar cannot read it either, or a stricter rule applies."""
    problem = answer.json()
    assert answer.status_code in (413, 422), answer.text
    assert problem["code"] in ("not-a-gzip", "gzip-damaged", "not-a-tar", "too-large", "empty-archive"), answer.text
    assert problem["detail"]
    if by_tar.status or not by_tar.names or extracted(archive, at.folder / "wanted", "--gzip").status:
        return "refused as by tar"
    assert any(reason in problem["detail"] for reason in STRICTER), (problem["detail"], by_tar)
    return "refused by a stricter rule"


def names(at: Place) -> list[bytes]:
    """The members of the archive."""
    found: list[bytes] = []
    cursor = ""
    while True:
        page = at.client.get(f"{at.archive()}/members?limit=1000{cursor}").json()
        found += [path_bytes(member["path"]) for member in page["members"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def without_label(told: list[bytes], archive: Path) -> list[bytes]:
    """*told* without the label of a volume, which tar lists like a member."""
    return told[1:] if told[:1] == [label(archive)] else told
