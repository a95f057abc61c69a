"""The model of tar's extraction compared with tar itself, on drawn histories: every name, type and content."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, event, given, seed, settings
from hypothesis import strategies as st

from tarkeep.domain.comparing.extraction import Extraction
from tarkeep.domain.comparing.fit import Agreement
from tarkeep.domain.tar.members import Member, MemberType
from tests.support.histories import History, Step, below_root, steps
from tests.support.members import fit
from tests.support.tar_oracle import look_at, members_of

HISTORIES = int(os.environ.get("TARKEEP_TEST_HISTORIES", "200"))
PER_TEST = 25

Dumps = list[tuple[list[Step], bool, bool]]
Found = dict[bytes, tuple[str, bytes]]

dumps = st.lists(st.tuples(steps(1, 8, odd=True), st.booleans(), st.booleans()), min_size=1, max_size=4)


def extracted(archives: list[bytes], place: Path, *, incremental: bool) -> tuple[Found, bool]:
    """What tar extracts from *archives*, and whether it complained."""
    into = place / "into"
    into.mkdir()
    complained = False
    try:
        for archive in archives:
            options = ["--listed-incremental=/dev/null"] if incremental else []
            command = ["tar", "--extract", *options, "--file=-"]
            done = subprocess.run(command, cwd=into, input=archive, capture_output=True, check=False)
            complained |= done.returncode != 0
        return without_chance(look_at(into)), complained
    finally:
        shutil.rmtree(into)


def simulated(archives: list[bytes], *, incremental: bool) -> tuple[Found, bool]:
    """The same from the model."""
    model = Extraction()
    members: list[dict[int, Member]] = []
    for archive in archives:
        read = members_of(archive)
        members.append({member.at: member for member in read})
        model.extract(read, incremental=incremental)
    found: Found = {}
    for path, placed in model.tree().items():
        content = b""
        if placed.archive >= 0:
            member = members[placed.archive][placed.at]
            if member.type is MemberType.FILE:
                content = archives[placed.archive][member.data_at : member.data_at + member.stored_bytes]
            else:
                content = member.link
        found[path] = (placed.type.value, content)
    return without_chance(found), bool(model.failed)


def without_chance(found: Found) -> Found:
    """*found* with one name for all temporary ones, which stay if tar could not continue."""
    return {re.sub(rb"(^|/)tar\.\w{6}(?=/|$)", rb"\1tar.*", path): what for path, what in found.items()}


def drawn() -> settings:
    return settings(
        max_examples=PER_TEST,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )


@pytest.mark.parametrize("part", range(-(-HISTORIES // PER_TEST)))
@pytest.mark.parametrize("incremental", [True, False])
def test_it_is_what_tar_makes_of_them(part: int, incremental: bool) -> None:
    """For chains as they were made, and with an archive missing, repeated or out of order."""

    @drawn()
    @seed(part)
    @given(steps(3, 18, growing=True, odd=True), dumps, st.integers(0, 5), st.integers(0, 5))
    def each(start: list[Step], further: Dumps, wrong: int, which: int) -> None:
        with tempfile.TemporaryDirectory() as place:
            history = History(Path(place))
            snapshot = Path(place) / "snapshot"
            archives = []
            for number, (changes, is_posix, _) in enumerate([(start, False, False), *further]):
                history.go_through(changes)
                archives.append(history.dump(f"{number}.tar", snapshot, posix=is_posix).read_bytes())
            which %= len(archives)
            if wrong == 1:
                del archives[which]
            elif wrong == 2:
                archives.append(archives[which])
            elif wrong == 3:
                archives.insert(0, archives.pop(which))
            made, complained = extracted(archives, Path(place), incremental=incremental)
            expected, fails = simulated(archives, incremental=incremental)
            event(f"tar complained: {complained}")
            assert made == expected
            assert complained == fails

    each()


@pytest.mark.parametrize("part", range(-(-HISTORIES // PER_TEST)))
def test_tar_is_trusted_where_it_comes_to_the_same_and_nowhere_else(part: int) -> None:
    """Archive after archive, up to the first untrusted one: neither trust nor distrust is wrong."""

    @drawn()
    @seed(part)
    @given(steps(3, 15, growing=True), st.lists(steps(1, 6, renaming=True), min_size=1, max_size=4))
    def each(start: list[Step], further: list[list[Step]]) -> None:
        with tempfile.TemporaryDirectory() as place:
            history = History(Path(place))
            archives: list[bytes] = []
            before: list[Member] = []
            for number, changes in enumerate([start, *further]):
                history.go_through(changes)
                file = history.dump(f"{number}.tar", Path(place) / "snapshot", posix=number % 2 == 0)
                archives.append(file.read_bytes())
                members, parent = members_of(archives[-1]), before
                before = members
                found = fit(partial(list, members), partial(list, parent)) if parent else None
                if found is not None and found.verdict is not Agreement.FITS:
                    return  # tar forgot something
                made, complained = extracted(archives, Path(place), incremental=True)
                comes_to_it = below_root(look_at(history.root)) == made and not complained
                if found is not None and not found.is_sound:
                    event("not trusted")
                    assert not comes_to_it
                    return
                assert comes_to_it

    each()
