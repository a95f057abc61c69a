"""
What people do with tar, drawn at random, and the result for each of their dumps.

They change their excludes, give tar several roots, ``-C dir .``, files, absolute names and renamed roots; they have
sockets, files and folders that their user cannot read, all formats of GNU tar, different ladders of INC and DIFF, wrong
clocks, names with only a day or no time, and two machines in one profile; they send archives out of order, with digests
or without.

Each point is requested by ``restore.tar``, the script, ``tarkeep restore`` and ``/tree``, and compared with the
original tree and with GNU tar. Three kinds of error are counted: restorable points that are refused, silent
differences, and needless refusals or needless distrust of tar.
"""

from __future__ import annotations

import io
import itertools
import os
import random
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import httpx2
import pytest
from attrs import define, field

from tarkeep.domain.errors.client import ExtractFailed
from tarkeep.domain.profiles.rules import IncBase
from tarkeep.domain.text.paths import path_text
from tarkeep.entrypoints.cli.client.restore.command import restore
from tarkeep.entrypoints.settings.client import ClientSettings
from tests.support.desk import Seen
from tests.support.machine import Machine
from tests.support.posting import Habit, Letter, letters, posted
from tests.support.real_people import CAN_BE_NOBODY, Person
from tests.support.require import require
from tests.support.server import LiveServer, live_server
from tests.support.tar_oracle import look_at

HISTORIES = int(os.environ.get("TARKEEP_TEST_HISTORIES", "150")) // 5
SEED = os.environ.get("TARKEEP_TEST_SEED", "0")
AT_ONCE = 10
DUMPS = 6
BY_COMMAND = 12
"""One in this many points is restored by the real command, the others by the same code in this process."""

RESTORABLE_AND_REFUSED = "ERROR restorable, and refused"
REFUSED_AND_GIVEN = "ERROR refused, and given"
DIFFERS_BY_WAY = "ERROR one way gives something else than another"
WITHOUT_A_WORD = "ERROR proven, differs without a word"
UNEXPLAINED = "ERROR proven, differs by nothing that tar passed over"
SOUND_AND_TAR_DIFFERS = "ERROR sound, and tar comes to something else"
UNSOUND_WITHOUT_NEED = "ERROR unsound without need"
REFUSED_WITHOUT_NEED = "ERROR proven, refused without need"

LACKING = {"unchanged-in-full", "not-archived", "overlooked", "uncertain", "other-roots"}
"""Doubts that say that a tree may lack something, or have an old version or another name of it."""


@define
class Checked:
    """Points of one server compared with what they should be; *count* has the results, *wrong* each error."""

    server: LiveServer
    client: httpx2.Client
    machine: Machine
    count: Counter[str] = field(factory=Counter)
    wrong: list[str] = field(factory=list)
    packed: dict[tuple[str, str], bytes] = field(factory=dict)
    _points: Iterator[int] = field(factory=itertools.count)

    def send(self, profile: str, sent: list[Letter]) -> None:
        """Send them in this order; in between, no restorable point is refused, nor the other way round."""
        url = f"/api/v1/profiles/{profile}"
        for number, letter in enumerate(sent):
            answer = self.client.put(
                f"{url}/archives/{letter.label}", content=letter.dump.packed, headers=letter.headers
            )
            if answer.status_code == 409 and "Tarkeep-Parent" in letter.headers:
                # Its parent has not arrived, or is not the server's choice: it is sent without a declared parent.
                said = {name: value for name, value in letter.headers.items() if name != "Tarkeep-Parent"}
                answer = self.client.put(f"{url}/archives/{letter.label}", content=letter.dump.packed, headers=said)
            assert answer.status_code == 201, answer.text
            self.packed[profile, letter.label] = letter.dump.packed
            for point in self.client.get(f"{url}/points").json()["points"] if number < len(sent) - 1 else ():
                plan = self.client.get(f"{url}/plan", params={"at": f"{point['type']}/{point['name']}"})
                assert point["restorable"] is (plan.status_code == 200)

    def look(self, profile: str, letter: Letter, place: Path, about: str) -> None:
        """Restore the point of *letter* in every way, and count the results."""
        url, at = f"/api/v1/profiles/{profile}", {"at": letter.label}
        point = self.client.get(f"{url}/points/{letter.label}").json()
        plan, tree, tar, script = (
            self.client.get(f"{url}/{what}", params=at | more)
            for what, more in (
                ("plan", {}),
                ("tree", {"recursive": "true"}),
                ("restore.tar", {}),
                ("plan", {"format": "sh"}),
            )
        )
        by_client = self._by_client(profile, letter.label, place / "client")
        codes = [answer.status_code for answer in (plan, tree, tar, script)]
        about = f"{profile} {letter.label}, {about}"
        self.count["points"] += 1
        if not point["restorable"]:
            if 200 in codes or by_client is not None:
                self._tell(REFUSED_AND_GIVEN, f"{about}: {codes}")
            self._count_refused(letter, point, place, about)
        elif codes != [200] * 4 or by_client is None:
            self._tell(RESTORABLE_AND_REFUSED, f"{about}: {codes}")
        else:
            found = _extracted(tar.content, place / "merged")
            names = {entry["path"] for entry in tree.json()["entries"]}
            ways = [
                by_client == found,
                _by_script(script.content, place / "script") == found,
                names == {path_text(path) for path in found},
            ]
            if not all(ways):
                self._tell(DIFFERS_BY_WAY, f"{about}: client, script, tree: {ways}")
            self._hold_against_what_was_there(letter, point, plan.json(), found, about)
            self._hold_against_tar(point, plan.json(), found, place / "tar", about)

    def _hold_against_what_was_there(
        self, letter: Letter, point: dict[str, Any], plan: dict[str, Any], found: Seen, about: str
    ) -> None:
        differing = [*letter.dump.differing(found)]
        if not differing:
            self.count[f"right, {point['evidence']}"] += 1
            if letter.dump.seen.keys() - found.keys() and not self._doubts(plan) & LACKING:
                self.count["right, and nothing is said of what tar could not read from the beginning"] += 1
            return
        doubts = self._doubts(plan) & LACKING
        if point["evidence"] != "proven":  # a parent chosen by rule may belong to another machine
            kind = f"wrong, {point['evidence']}, {'told' if doubts else 'and nothing else said'}"
        elif not doubts:
            kind = WITHOUT_A_WORD
        elif not letter.dump.is_explained:
            kind = UNEXPLAINED
        else:
            kind = "differs, proven, told"
        self._tell(kind, f"{about}: {differing[:3]} {plan['warnings']}")

    def _hold_against_tar(
        self, point: dict[str, Any], plan: dict[str, Any], found: Seen, into: Path, about: str
    ) -> None:
        steps = [(plan["profile"], f"{step['type']}/{step['name']}") for step in plan["steps"]]
        by_tar, is_quiet = _by_tar([self.packed[step] for step in steps], into)
        is_same = by_tar == found and is_quiet
        if point["sound"] is is_same:
            self.count["sound" if is_same else "unsound"] += 1
        elif point["sound"]:
            self._tell(SOUND_AND_TAR_DIFFERS, f"{about}: tar complains of nothing: {is_quiet}")
        elif self._doubts(plan) & LACKING or any("is absolute;" in one for one in plan["warnings"]):
            self.count["kept from tar for what lacks or absolute names, and would go well"] += 1
        else:
            self._tell(UNSOUND_WITHOUT_NEED, f"{about}: {plan['warnings']}")

    def _doubts(self, plan: dict[str, Any]) -> set[str]:
        """The doubts about all archives of a plan."""
        points = f"/api/v1/profiles/{plan['profile']}/points"
        told = (self.client.get(f"{points}/{step['type']}/{step['name']}").json()["doubts"] for step in plan["steps"])
        return {doubt["code"] for doubts in told for doubt in doubts}

    def _count_refused(self, letter: Letter, point: dict[str, Any], place: Path, about: str) -> None:
        by_tar, is_quiet = _by_tar([dump.packed for dump in letter.dump.path()], place / "tar")
        is_right = is_quiet and not [*letter.dump.differing(by_tar)]
        if "Tarkeep-Snapshot-After" in letter.headers:
            kind = REFUSED_WITHOUT_NEED
        else:
            kind = f"refused, {point['evidence']}, {'though right' if is_right else 'and wrong by tar, too'}"
        self._tell(kind, f"{about}: {[one['detail'] for one in point['obstacles']]}")

    def _tell(self, kind: str, about: str) -> None:
        self.count[kind] += 1
        self.wrong.append(f"{kind}: {about}")

    def _by_client(self, profile: str, at: str, into: Path) -> Seen | None:
        if next(self._points) % BY_COMMAND:
            handler = signal.getsignal(signal.SIGTERM)
            try:
                settings = ClientSettings(server=self.server.url, quiet=True)
                with redirect_stderr(io.StringIO()):
                    code = restore(profile, into=into, at=at, client=settings)
            except ExtractFailed:
                code = 1
            finally:
                signal.signal(signal.SIGTERM, handler)
        else:
            code = self.machine.run("restore", profile, "--at", at, "--into", str(into), "--check").returncode
        assert code in (0, 1), (profile, at, code)
        return look_at(into) if code == 0 else None


def _extracted(tar: bytes, into: Path) -> Seen:
    into.mkdir()
    ran = subprocess.run(["tar", "-xp", "-C", str(into), "-f-"], input=tar, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    return look_at(into)


def _by_script(script: bytes, into: Path) -> Seen | None:
    ran = subprocess.run(["sh", "-s", str(into)], input=script, cwd=into.parent, capture_output=True)
    return look_at(into) if ran.returncode == 0 else None


def _by_tar(path: list[bytes], into: Path) -> tuple[Seen, bool]:
    """What GNU tar extracts from archives, and whether it did so without complaint."""
    into.mkdir()
    extract = ["tar", "-xzpf-", "--listed-incremental=/dev/null"]
    codes = [subprocess.run(extract, input=packed, cwd=into, capture_output=True).returncode for packed in path]
    return look_at(into), not any(codes)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    place = tmp_path_factory.mktemp("people")
    rules = place / "profiles.toml"
    rules.write_text("".join(f'["{base.value}-*"]\ninc_base = "{base.value}"\n' for base in IncBase))
    with live_server(place / "data", "--profiles", str(rules)) as server:
        yield server


@pytest.mark.parametrize("part", range(-(-HISTORIES // AT_ONCE)))
def test_what_comes_back_is_what_was_there(
    server: LiveServer,
    part: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    """Or the point says so: it is never restorable and refused, and no difference is silent."""
    is_nobody = bool(part % 2)
    if is_nobody:
        require("nobody", CAN_BE_NOBODY, "run as root, with setpriv of util-linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(above.stat().st_mode | 0o111)
    with server.client() as client:
        checked = Checked(server, client, Machine(tmp_path, server.url))
        for number in range(part * AT_ONCE, min(HISTORIES, (part + 1) * AT_ONCE)):
            one_history(checked, number, tmp_path / str(number), is_nobody=is_nobody)
            shutil.rmtree(tmp_path / str(number))

    record_property("real people", dict(checked.count))
    print("\n".join(sorted(checked.wrong)))
    assert not [one for one in checked.wrong if one.startswith("ERROR")]
    assert checked.count["right, proven"]


def one_history(checked: Checked, number: int, place: Path, *, is_nobody: bool) -> None:
    rng = random.Random(f"{SEED} {number}")
    base, habit = rng.choice(tuple(IncBase)), Habit.drawn(rng)
    profile, people = f"{base.value}-{number}", rng.choice((1, 1, 2))
    persons = [
        Person(one, place / f"machine {one}", rng, base, is_nobody=is_nobody and rng.random() < 0.7)
        for one in range(people)
    ]
    dumps = [
        rng.choice(persons).dump(full=at == DUMPS // 2 and rng.random() < 0.3) if at >= people else persons[at].dump()
        for at in range(DUMPS)
    ]
    made = letters(dumps, habit, rng)
    checked.send(profile, posted(made, habit, rng))
    about = f"{habit} {[(dump.person, dump.type, dump.parent and dump.parent.number) for dump in dumps]}"
    for at, letter in enumerate(made):
        into = place / f"back {at}"
        into.mkdir()
        checked.look(profile, letter, into, about)
        shutil.rmtree(into)
