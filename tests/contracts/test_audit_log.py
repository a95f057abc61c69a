"""The audit logs keep their contract; and tampering with the file is found."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tarkeep.adapters.filesystem.audit_log import FileAuditLog
from tarkeep.adapters.filesystem.chained.audit_key import AuditKeyFile
from tarkeep.adapters.memory.audit_log import MemoryAuditLog
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.shared.audit_rows import SqlAuditLog
from tarkeep.adapters.sql.shared.tables import SharedTables
from tarkeep.domain.access.audit import KEYED, key_name
from tarkeep.domain.access.chain import FIRST, line_digest
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.ports.access import AuditLog
from tests.contracts.audit_log import NOW, AuditLogContract, entry


class TestMemoryAuditLog(AuditLogContract):
    @pytest.fixture
    def another(self) -> Callable[[], AuditLog]:
        log = MemoryAuditLog()
        return lambda: log


class TestFileAuditLog(AuditLogContract):
    @pytest.fixture
    def another(self, tmp_path: Path) -> Callable[[], AuditLog]:
        return lambda: FileAuditLog(tmp_path)


class TestSqlAuditLog(AuditLogContract):
    """All servers have one key, which was made before."""

    @pytest.fixture
    def another(self, catalog_url: str, tmp_path: Path) -> Iterator[Callable[[], AuditLog]]:
        SqlCatalog.open(catalog_url).close()
        key = AuditKeyFile(tmp_path / "audit.key", tmp_path)
        key.make(lambda _key: None)
        with ExitStack() as opened:

            def open_another() -> AuditLog:
                return SqlAuditLog(opened.enter_context(closing(SharedTables.open(catalog_url, busy_seconds=60))), key)

            yield open_another


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """The five lines of a log in *tmp_path*."""
    log = FileAuditLog(tmp_path)
    for number in range(5):
        log.append(entry(f"laptop/FULL/{number}.tar.gz"))
    return (tmp_path / "audit.log").read_bytes().splitlines(keepends=True)


def checked(folder: Path, *lines: bytes, noted: str | None = None) -> tuple[int | None, bool]:
    (folder / "audit.log").write_bytes(b"".join(lines))
    report = FileAuditLog(folder).check(noted)
    return report.broken, report.holds_noted


def test_whatever_is_done_to_lines_is_found_at_the_next(tmp_path: Path, lines: list[bytes]) -> None:
    """Changed by one character, removed, inserted, moved."""
    assert checked(tmp_path, *lines) == (None, True)
    assert checked(tmp_path, lines[0], lines[1].replace(b"new", b"old"), *lines[2:]) == (3, True)
    assert checked(tmp_path, lines[0], *lines[2:]) == (2, True)
    assert checked(tmp_path, *lines[1:]) == (1, True)
    assert checked(tmp_path, *lines[:2], lines[0], *lines[2:]) == (3, True)
    assert checked(tmp_path, lines[0], lines[2], lines[1], *lines[3:]) == (2, True)
    assert checked(tmp_path, lines[0], b"garbage\n", *lines[1:]) == (3, True)


def test_lines_cut_off_are_found_by_whom_noted_the_last(tmp_path: Path, lines: list[bytes]) -> None:
    """The chain alone cannot show it."""
    noted = FileAuditLog(tmp_path).check().last

    assert checked(tmp_path, *lines[:3]) == (None, True)
    assert checked(tmp_path, *lines[:3], noted=noted) == (None, False)


@pytest.mark.parametrize("rest", [b"", b"\0", bytes(500)])
def test_a_line_torn_by_a_crash_stays_and_the_next_follows_it(tmp_path: Path, lines: list[bytes], rest: bytes) -> None:
    """At any byte of the cut, and whether or not the file system recorded the full length."""
    for length in range(1, len(lines[4]) - (not rest)):
        (tmp_path / "audit.log").write_bytes(b"".join(lines[:4]) + lines[4][:length] + rest)
        FileAuditLog(tmp_path).append(entry())

        report = FileAuditLog(tmp_path).check()
        assert (report.lines, report.broken, report.torn, report.is_whole) == (6, None, 1, True)


@pytest.mark.parametrize("unsynced", [1, 2])
def test_lost_sectors_are_torn_whatever_was_kept_around_them(tmp_path: Path, lines: list[bytes], unsynced: int) -> None:
    """Before a tail or a whole line, between two parts, up to the end; and the log continues after them."""
    kept, tail, written = b"".join(lines[:3]), lines[2 + unsynced], b"".join(lines[3 : 3 + unsynced])
    seen = set()
    for first in range(0, len(lines[3]), 19):
        # two lines with a lost border, too: if the first were complete, the second would follow an unknown line
        for last in range(first + 2 if unsynced == 1 else len(lines[3]), len(written) + 1, 47 if first else 1):
            left = written[:first] + bytes(last - first) + written[last:]
            (tmp_path / "audit.log").write_bytes(kept + left)
            if first % 2:
                FileAuditLog(tmp_path).append(entry())
            seen.add((first == 0, left.endswith(tail), left.endswith(b"\n")))

            report = FileAuditLog(tmp_path).check()
            assert (report.lines, report.torn, report.is_whole) == (4 + first % 2, 1, True), left
    assert {(True, False, True), (False, False, True)} <= seen
    assert ((True, True, True) in seen) is ((False, True, True) in seen) is (unsynced == 2)


def test_nuls_hide_nothing(tmp_path: Path, lines: list[bytes]) -> None:
    """A line before others cannot be blanked, nor can lines after a torn one claim to follow it."""
    for at in range(4):
        for blanked in (b"\0" + lines[at], bytes(40) + lines[at][40:], lines[at][:40] + bytes(40) + lines[at][80:]):
            (tmp_path / "audit.log").write_bytes(b"".join([*lines[:at], blanked, *lines[at + 1 :]]))

            report = FileAuditLog(tmp_path).check()
            assert (report.torn, report.broken, report.is_whole) == (1, at + 2, False)


@pytest.mark.parametrize("byte", [b"", b" ", b"x", b"\x01", b"\t", b"\r", b"\x1f", b"\x7f"])
def test_what_no_power_cut_leaves_is_forged(tmp_path: Path, lines: list[bytes], byte: bytes) -> None:
    """Other bytes in place of NULs, and NULs mixed with other control characters; also at the end of the log."""
    last = lines[4][:-1]
    changed = [byte * 40 + last[40:], last[:30] + byte * 30 + b'"' + last[60:]]
    if byte and byte < b" ":
        changed += [b"\0" + byte + last, last[:30] + b"\0" + last[31:60] + byte + last[61:]]
    for line in changed:
        (tmp_path / "audit.log").write_bytes(b"".join(lines[:4]) + line + b"\n")

        report = FileAuditLog(tmp_path).check()
        assert (report.torn, report.is_whole) == (0, False), line


def test_lines_added_at_the_same_time_are_whole(tmp_path: Path) -> None:
    """Threads of one process and other processes, which share only the file."""
    shared = FileAuditLog(tmp_path)
    adders = [
        threading.Thread(target=lambda log=log: [log.append(entry()) for _ in range(20)])
        for log in (shared, shared, FileAuditLog(tmp_path), FileAuditLog(tmp_path))
    ]
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join()

    report = shared.check()
    assert (report.lines, report.broken, report.torn) == (80, None, 0)


def test_the_log_is_its_owners_alone_and_says_who_did_what(tmp_path: Path, lines: list[bytes]) -> None:
    """In JSON, one line for each entry."""
    told = json.loads(lines[0])

    assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "audit.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "audit.log").stat().st_uid == os.geteuid()
    assert told | {"before": "", "mac": ""} == {
        "at": "2026-11-24T01:02:03Z",
        "who": "aaaaaaaa",
        "address": "127.0.0.1",
        "what": "laptop/FULL/0.tar.gz",
        "sha256": "0" * 64,
        "result": "new",
        "before": "",
        "mac": "",
    }


# -- a forger who can write the log but does not have the key ---------------------------------------------------------


def unsealed(line: bytes, **changes: object) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(line)
    told.pop("mac")
    return told | changes


def chained(lines: Iterable[dict[str, Any]], key: bytes | None) -> list[bytes]:
    """The lines with a valid chain, sealed with a forger's own *key*, or with none."""
    before, made = FIRST, []
    for told in lines:
        line = json.dumps(told | {"before": before}).encode()
        if key is not None:
            mac = hmac.new(key, line, hashlib.sha256).hexdigest()
            line = line[:-1] + f', "mac": "{mac}"}}'.encode()
        made.append(line + b"\n")
        before = hashlib.sha256(line).hexdigest()
    return made


def forgeries(lines: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Everything that can be done to a log without its key, except cutting its end off."""
    for at, line in enumerate(lines):
        for where in range(0, len(line) - 1, 7):
            yield f"byte {where} of line {at}", [*lines[:at], flipped(line, where), *lines[at + 1 :]]
        yield f"line {at} twice", [*lines[:at], line, *lines[at:]]
        if at < len(lines) - 1:
            yield f"without line {at}", [*lines[:at], *lines[at + 1 :]]
            yield f"begun behind line {at}", lines[at + 1 :]
        yield f"line {at} at the end", [*lines, line]
        for key in (None, bytes(32), b"k" * 32):
            told = [unsealed(line) for line in lines]
            told[at]["who"] = "mallory"
            anew = chained(told, key)
            yield f"line {at} changed, all chained anew with {key!r}", anew
            yield f"the same, up to line {at}", [*anew[: at + 1], *lines[at + 1 :]]
            yield f"the same, from line {at} on", [*lines[:at], *anew[at:]]
            yield f"one put in at the end with {key!r}", [*lines, *chained(told, key)[-1:]]
    for key in (None, bytes(32)):
        claim = {"result": f"{KEYED} {key_name(bytes(32))}"}
        yield "a beginning of the forger's own", chained([unsealed(lines[0]), unsealed(lines[1], **claim)], key)


def flipped(line: bytes, where: int) -> bytes:
    return line[:where] + bytes([line[where] ^ 1]) + line[where + 1 :]


@pytest.mark.parametrize("goes_on", [False, True])
def test_nothing_but_a_cut_end_goes_unseen_without_the_key(tmp_path: Path, lines: list[bytes], goes_on: bool) -> None:
    """Also if the server, unaware of it, has added a line since, or was restarted."""
    tried = 0
    for what, forged in forgeries(lines):
        (tmp_path / "audit.log").write_bytes(b"".join(forged))
        if goes_on:
            FileAuditLog(tmp_path).begin(NOW)
            FileAuditLog(tmp_path).append(entry())
        tried += 1

        assert not FileAuditLog(tmp_path).check().is_whole, what
    assert tried > 300


def test_a_line_cut_by_a_crash_is_told_from_a_changed_one(tmp_path: Path, lines: list[bytes]) -> None:
    """A line cut anywhere may come from a crash; any other invalid line does not."""
    awkward = evolve(entry('é"\\ \t\x07'), who=None, sha256=None)
    FileAuditLog(tmp_path).append(awkward)
    last = (tmp_path / "audit.log").read_bytes().splitlines()[-1]
    for length in range(1, len(last)):
        (tmp_path / "audit.log").write_bytes(b"".join(lines) + last[:length])
        report = FileAuditLog(tmp_path).check()
        assert (report.is_whole, report.torn) == (True, 1), length
    for where in range(len(last)):
        for bit in range(8):
            changed = last[:where] + bytes([last[where] ^ (1 << bit)]) + last[where + 1 :]
            (tmp_path / "audit.log").write_bytes(b"".join(lines) + changed + b"\n")
            assert not FileAuditLog(tmp_path).check().is_whole, (where, bit)


def test_a_kept_head_reveals_a_cut_end(tmp_path: Path, lines: list[bytes]) -> None:
    """For a cut anywhere, also within a line, and whatever was added since."""
    heads = [line_digest(line[:-1]) for line in lines]
    for kept, head in enumerate(heads):
        (tmp_path / "audit.log").write_bytes(b"".join(lines))
        report = FileAuditLog(tmp_path).check(head)
        assert (report.is_whole, report.noted_line) == (True, kept + 1)

        for cut in [*range(kept + 1)]:
            for torn in (b"", lines[cut][:40]):
                (tmp_path / "audit.log").write_bytes(b"".join(lines[:cut]) + torn)
                FileAuditLog(tmp_path).append(entry("since"))
                assert FileAuditLog(tmp_path).check().is_whole
                assert not FileAuditLog(tmp_path).check(head).is_whole


def test_a_kept_head_fixes_the_past_even_against_a_forger_with_the_key(tmp_path: Path, lines: list[bytes]) -> None:
    """A forger with the key can write any log, but not one with the same digest."""
    head = FileAuditLog(tmp_path).check().last
    key = bytes.fromhex((tmp_path / "audit.key").read_text())
    forged = chained([unsealed(line, who="mallory") for line in lines], key)
    (tmp_path / "audit.log").write_bytes(b"".join(forged))

    assert FileAuditLog(tmp_path).check().is_whole
    assert not FileAuditLog(tmp_path).check(head).is_whole


# -- a log that was begun without a key -------------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path: Path, lines: list[bytes]) -> list[bytes]:
    """A log of a version without keys, in *tmp_path*."""
    made = chained(map(unsealed, lines), None)
    (tmp_path / "audit.key").unlink()
    (tmp_path / "audit.log").write_bytes(b"".join(made))
    return made


@pytest.mark.parametrize("by", ["begin", "append"])
def test_an_old_log_goes_on_with_a_key(tmp_path: Path, old: list[bytes], by: str) -> None:
    """After a line that records this; older lines are reported as unproven, and later changes to them are found."""
    before = FileAuditLog(tmp_path).check()
    assert (before.is_whole, before.unproven, before.keyed_at) == (True, 5, None)
    if by == "begin":
        FileAuditLog(tmp_path).begin(NOW)
    FileAuditLog(tmp_path).append(entry("new"))
    written = (tmp_path / "audit.log").read_bytes().splitlines(keepends=True)

    report = FileAuditLog(tmp_path).check()
    assert (report.is_whole, report.lines, report.unproven) == (True, 7, 5)
    assert report.keyed_at == "2026-11-24T01:02:03Z"
    assert written[:5] == old
    for what, forged in forgeries_of_old(written):
        (tmp_path / "audit.log").write_bytes(b"".join(forged))
        assert not FileAuditLog(tmp_path).check().is_whole, what


def forgeries_of_old(lines: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    told = [json.loads(line) for line in lines]
    for at in range(5):
        changed = [*told[:at], told[at] | {"who": "mallory"}, *told[at + 1 :]]
        yield f"line {at} changed", [*lines[:at], chained(changed, None)[at], *lines[at + 1 :]]
        yield f"line {at} changed and chained up to the key", [*chained(changed[:5], None), *lines[5:]]
        yield f"line {at} changed and all chained without a key", chained(map(strip, changed), None)
        yield f"without line {at}", [*lines[:at], *lines[at + 1 :]]
    yield "without the line of the key", [*lines[:5], *lines[6:]]
    yield "without what is older", lines[5:]


def strip(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "mac"}


def test_a_crash_while_the_key_is_made_makes_no_second_one(tmp_path: Path, old: list[bytes]) -> None:
    """Whether or not the line that records the key had reached the log."""
    FileAuditLog(tmp_path).begin(NOW)
    keyed = (tmp_path / "audit.log").read_bytes()
    for content in (b"".join(old), keyed, keyed[:-20]):
        (tmp_path / "audit.log").write_bytes(content)
        key = (tmp_path / "audit.key").read_bytes()
        (tmp_path / "audit.key").rename(tmp_path / "audit.key.new")

        FileAuditLog(tmp_path).append(entry())

        report = FileAuditLog(tmp_path).check()
        assert (tmp_path / "audit.key").read_bytes() == key
        assert (report.is_whole, report.keyed_at) == (True, "2026-11-24T01:02:03Z")
        assert (tmp_path / "audit.log").read_bytes().count(KEYED.encode()) == (2 if content == keyed[:-20] else 1)


def test_without_its_key_a_log_is_not_proven(tmp_path: Path, lines: list[bytes]) -> None:
    """It is no sign of tampering, but the report does not say that all is well; with another key no line verifies."""
    (tmp_path / "audit.key").rename(tmp_path / "elsewhere.key")
    report = FileAuditLog(tmp_path).check()
    assert (report.is_whole, report.lacks_key, report.broken) == (False, True, None)
    assert FileAuditLog(tmp_path, tmp_path / "elsewhere.key").check().is_whole

    FileAuditLog(tmp_path).append(entry())
    report = FileAuditLog(tmp_path).check()
    assert (report.is_whole, report.forged, report.unproven) == (False, 1, 5)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 64, b"00" * 33])
def test_an_invalid_key_is_reported(tmp_path: Path, content: bytes) -> None:
    """And the key is not replaced."""
    (tmp_path / "audit.key").write_bytes(content)

    with pytest.raises(BackendUnavailable, match="audit key"):
        FileAuditLog(tmp_path).append(entry())
    with pytest.raises(BackendUnavailable, match="audit key"):
        FileAuditLog(tmp_path).check()
    assert (tmp_path / "audit.key").read_bytes() == content


def test_processes_that_begin_at_once_have_one_key(tmp_path: Path) -> None:
    """Servers and commands on a new data directory, or on an old log."""
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        if number % 2:
            (folder / "audit.log").write_bytes(b"".join(chained([{"result": "old"}], None)))
        adders = [threading.Thread(target=FileAuditLog(folder).append, args=(entry(),)) for _ in range(6)]
        for adder in adders:
            adder.start()
        for adder in adders:
            adder.join()

        assert FileAuditLog(folder).check().is_whole
        assert sorted(path.name for path in folder.iterdir()) == ["audit.key", "audit.log"]


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602, 0o777])
def test_a_key_that_others_may_write_seals_nothing(tmp_path: Path, lines: list[bytes], mode: int) -> None:
    """A user who can replace the key could make a log that verifies. The error says what to do."""
    (tmp_path / "audit.key").chmod(mode)

    log = FileAuditLog(tmp_path)
    with pytest.raises(BackendUnavailable, match=r"others may write it .* chmod 0600"):
        log.begin(NOW)
    with pytest.raises(BackendUnavailable):
        log.append(entry("x"))
    assert (tmp_path / "audit.log").read_bytes() == b"".join(lines)
    assert FileAuditLog(tmp_path).check().is_whole


@pytest.mark.parametrize(("mode", "is_told"), [(0o644, True), (0o604, True), (0o640, False), (0o400, False)])
def test_a_world_readable_key_is_reported(
    tmp_path: Path, lines: list[bytes], caplog: pytest.LogCaptureFixture, mode: int, is_told: bool
) -> None:
    """Once for each start, with the file. Group permission is allowed, because the server may read it that way."""
    (tmp_path / "audit.key").chmod(mode)

    log = FileAuditLog(tmp_path)
    log.begin(NOW)
    log.append(entry("x"))

    assert caplog.text.count("others may read the audit key") == is_told
    assert (str(tmp_path / "audit.key") in caplog.text) is is_told
    assert len(lines) == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
def test_a_key_of_another_user_is_not_used(tmp_path: Path, lines: list[bytes]) -> None:
    """Unless that user also owns the log's folder: then a command of root adds to the log of a server."""
    os.chown(tmp_path / "audit.key", 65534, -1)
    with pytest.raises(BackendUnavailable, match="another user's"):
        FileAuditLog(tmp_path).begin(NOW)

    os.chown(tmp_path, 65534, -1)
    FileAuditLog(tmp_path).begin(NOW)
    assert len(lines) == 5
