"""
Layer 5. Broken copies of the source: each of the classic mistakes turns a layer red, so the layers can fail.

A copy precedes the real source in PYTHONPATH, and the unchanged layer is run on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import frozen

import tarkeep

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
HERE = "tests/faults"
ORDER = f"{HERE}/test_order.py::test_nothing_is_answered_before_everything_is_durable"
POWER_CUTS = f"{HERE}/test_power_cuts.py::test_what_was_acknowledged_is_there_after_every_power_cut"
SIMULATED = f"{HERE}/test_simulated.py::test_whatever_happens_what_was_acknowledged_is_there"
LAST_PIECE = f"{HERE}/test_simulated.py::test_each_call_of_the_last_piece_of_an_upload_fails_in_turn"
SHUT_DOWN = f"{HERE}/test_file_systems_shut_down.py::test_what_was_acknowledged_is_there_after_every_shutdown"
JOB_TABLE = f"{HERE}/test_job_table.py::test_runs_are_as_they_were_told_after_a_power_cut_at_any_change"
SCHEDULES = f"{HERE}/test_schedules.py::test_a_server_that_stops_anywhere"
CLAIMS = "tests/contracts/test_catalog.py::TestSqlCatalog"
HELD_BY_TOKEN = f"{CLAIMS}::test_only_its_holder_confirms_renews_and_releases_a_claim"
LEASE_RUNS = f"{CLAIMS}::test_a_running_lease_is_not_taken_over"
ENDING = "tests/adapters/s3/test_sending.py::test_an_upload_whose_end_was_asked_for_is_never_aborted"
STAGED = "tests/adapters/s3/test_staging.py::test_whoever_goes_on_finds_what_was_acknowledged"
CLOCK = "tests/adapters/sql/test_lease_clock.py::test_a_lease_ends_by_the_clock_of_the_database"
NOTHING_IS_EQUAL = "tests/domain/drills/test_comparison.py::test_nothing_is_never_equal"
AT_EACH_CHANGE = f"{HERE}/test_simulated_trash.py::test_the_power_is_cut_at_each_change_of_a_step"

# The failing line of the layer, so that it is red for the right reason.
WHERE = {
    ORDER: ">       assert steps_of(log, server.data) ==",
    SIMULATED: "simulated_machine.py:",
    LAST_PIECE: "StagedBytesMissing",
    NOTHING_IS_EQUAL: ">       assert not ",
    AT_EACH_CHANGE: "simulated_trash.py:",
    SCHEDULES: "tests/faults/test_schedules.py:",
    HELD_BY_TOKEN: "ClaimLost",
    LEASE_RUNS: ">       assert ",
    ENDING: ">       assert client.aborted == []",
    STAGED: "test_staging.py",
    CLOCK: ">       assert row[0] / 1e6 > time.time() + 3000",
    JOB_TABLE: ">       assert _content(self.sql) == _content(self.known)",
    POWER_CUTS: ">                   told.check(client, data, random)",
    SHUT_DOWN: ">               told.check(client, data, random)",
}


@frozen
class Mutant:
    """*file* below the source with *old*, which occurs once, replaced by *new*."""

    word: str
    file: str
    old: str
    new: str

    def __str__(self) -> str:
        return self.word


STORE = "adapters/filesystem/archive_store.py"
NO_FILE_FSYNC = Mutant(
    "no-file-fsync",
    STORE,
    "os.fsync(self._file.fileno())\n                    self._is_synced = True",
    "self._is_synced = True",
)
NO_DIRECTORY_FSYNC = Mutant(
    "no-directory-fsync",
    STORE,
    "self._link_staged(staged, _PART_SUFFIX, id.name, directory, undo)\n"
    "            self._syncs.sync((id.profile, id.type), partial(os.fsync, directory))",
    "self._link_staged(staged, _PART_SUFFIX, id.name, directory, undo)",
)
LINK_BEFORE_FSYNC = Mutant(
    "link-before-fsync",
    STORE,
    """\
                    os.fsync(self._file.fileno())
                    self._is_synced = True
                os.fsync(file.fileno())
            self._is_sealed = True

    def publish(self, id: ArchiveId) -> None:
        self._make_visible(id, partial(self._store._publish, has_marks=self._has_marks))

    def replace(self, id: ArchiveId) -> None:
        self._make_visible(id, self._store._replace)

    def _make_visible(self, id: ArchiveId, link: Callable[[str, ArchiveId], None]) -> None:
        with self._step():
            if not self._is_sealed:
                raise ValueError("seal the archive before publishing it")
            link(self.id, id)
""",
    """\
                    self._is_synced = True
                os.fsync(file.fileno())
            self._is_sealed = True

    def publish(self, id: ArchiveId) -> None:
        self._make_visible(id, partial(self._store._publish, has_marks=self._has_marks))

    def replace(self, id: ArchiveId) -> None:
        self._make_visible(id, self._store._replace)

    def _make_visible(self, id: ArchiveId, link: Callable[[str, ArchiveId], None]) -> None:
        with self._step():
            if not self._is_sealed:
                raise ValueError("seal the archive before publishing it")
            link(self.id, id)
            os.fsync(self._file.fileno())
""",
)
RENAME = Mutant(
    "rename-instead-of-link",
    STORE,
    "os.link(self._staged(staged, suffix), name, dst_dir_fd=directory, follow_symlinks=False)",
    "os.rename(self._staged(staged, suffix), name, dst_dir_fd=directory)",
)
SYNCHRONOUS_NORMAL = Mutant(
    "synchronous-normal", "adapters/sql/engine.py", "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"
)
NO_LOG_FSYNC = Mutant("no-log-fsync", "adapters/filesystem/audit_log.py", "partial(os.fdatasync, log)", "lambda: None")
MARKS = "adapters/filesystem/archives/archive_marks.py"
FILES = "adapters/filesystem/archives/archive_files.py"
TRASH = "adapters/filesystem/archives/trash_folder.py"
NO_TRASH_FSYNC = Mutant(
    "no-trash-fsync", TRASH, "            os.fsync(trash)\n            undo.pop_all()", "            undo.pop_all()"
)
NO_RETURN_FSYNC = Mutant(
    "no-return-fsync", TRASH, "        os.fsync(archives)\n        undo.pop_all()", "        undo.pop_all()"
)
NO_NOTE_FSYNC = Mutant(
    "no-note-fsync", "adapters/filesystem/archives/staged_file.py", "os.fsync(file.fileno())", "pass"
)
NO_MARK_FSYNC = Mutant(
    "no-mark-fsync", "adapters/filesystem/archives/archive_marks.py", "    os.fsync(directory)\n", ""
)
ARCHIVE_FIRST = Mutant("archive-linked-first", FILES, 'for suffix in (*_BESIDE, ""):', 'for suffix in ("", *_BESIDE):')
ARCHIVE_LAST = Mutant(
    "archive-unlinked-last",
    FILES,
    "    unlink(id.name, directory)\n    unlink_beside(id, directory)",
    "    unlink_beside(id, directory)\n    unlink(id.name, directory)",
)
NOTE_AFTER_BYTES = Mutant(
    "note-after-bytes",
    TRASH,
    """\
                    staged.move_to(id.name + NOTE_SUFFIX, trash)
            os.fsync(trash)  # even if the note was there: the purge that wrote it may have ended before its fsync
            tell()
            unlink_files(id, trash)
""",
    """\
                    unlink_files(id, trash)
                    staged.move_to(id.name + NOTE_SUFFIX, trash)
            tell()
            unlink_files(id, trash)
""",
)
ANSWER_BEFORE_COMMIT = Mutant(
    "answer-before-commit",
    "domain/usecases/receiving/settle.py",
    "            self.catalog.confirm(archive, claim.token)\n",
    "            __import__('threading').Timer(1, self.catalog.confirm, [archive, claim.token]).start()\n",
)

ZERO_NAMES = Mutant(
    "zero-names-compared",
    "domain/drills/comparison.py",
    "self.expected == self.observed > 0",
    "self.expected == self.observed",
)

UNCONDITIONAL_SIDECAR = Mutant(
    "unconditional-side-car",
    "adapters/s3/bucket/objects.py",
    'self._put(key, content, metadata, IfNoneMatch="*")',
    "self._put(key, content, metadata)",
)
CONFIRM_WITHOUT_TOKEN = Mutant(
    "confirm-without-token",
    "adapters/sql/shared/claims.py",
    "    update(archives)\n    .where(*_of_identity, *_is_ours)\n    .values(claim_token",
    "    update(archives)\n    .where(*_of_identity, _a.claimed)\n    .values(claim_token",
)
SETTLE_WITHOUT_LEASE = Mutant(
    "settle-without-lease",
    "adapters/sql/shared/claims.py",
    "_has_ended = func.coalesce(_a.claim_until_us, literal(0)) <= DatabaseClock()",
    "_has_ended = func.coalesce(_a.claim_until_us, literal(0)) >= literal(0)",
)
ABORT_AFTER_END = Mutant(
    "abort-after-end", "adapters/s3/sending.py", "if loose.upload and not loose.is_ending:", "if loose.upload:"
)
LAST_SEGMENT_FORGOTTEN = Mutant(
    "last-segment-forgotten",
    "adapters/s3/staging/segments.py",
    "        found = (*before, segment)\n    return found\n",
    "        found = (*before, segment)\n    return found[:-1]\n",
)
LEASE_BY_LOCAL_CLOCK = Mutant(
    "lease-by-local-clock",
    "adapters/sql/shared/database_clock.py",
    'return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"',
    'return str(__import__("time").time_ns() // 1000)',
)
LATE_REQUEST = Mutant("late-request", "adapters/s3/bucket/turns.py", "self.among.check()", "pass")
LATE_TRANSACTION = Mutant(
    "late-transaction",
    "adapters/sql/shared/lease_rows.py",
    '"which": fence.fence}):\n            raise TurnLost',
    '"which": fence.fence}):\n            pass',
)
PROFILE_HELD_HERE = Mutant(
    "profile-held-here",
    "adapters/process/upkeep/leased_names.py",
    'with self.here.hold_profile(profile), self._alone(f"profile/{profile}"):',
    "with self.here.hold_profile(profile):",
)


def run(copy: Path, folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    """The result of *test* over the source in *copy*."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = str(copy)
    of_faults = ["-m", "faults"] if test.startswith(HERE) else []
    options = ["-q", "-x", *of_faults, "-p", "no:cacheprovider", "--basetemp", str(folder / "base")]
    try:
        return subprocess.run(
            [sys.executable, "-m", "pytest", *options, test],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout
        pytest.fail(f"the layer did not end:\n{said}")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the source, importable before the real one."""
    copy = tmp_path / "copy"
    shutil.copytree(Path(tarkeep.__file__).parent, copy / "tarkeep", ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_the_layers_run_on_a_copy_of_the_source_and_are_green_where_nothing_is_broken(
    copy: Path, tmp_path: Path
) -> None:
    """So that only the mutation turns them red below."""
    with (copy / "tarkeep" / "__main__.py").open("a") as file:
        file.write("# the copy\n")
    asked = [sys.executable, "-c", "import tarkeep; print(tarkeep.__file__)"]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    imported = subprocess.run(asked, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert Path(imported.stdout.strip()).is_relative_to(copy)

    ran = run(copy, tmp_path, ORDER)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("mutant", "layer"),
    [
        (NO_FILE_FSYNC, f"{ORDER}[put]"),
        (NO_FILE_FSYNC, f"{SIMULATED}[0]"),
        (NO_FILE_FSYNC, f"{POWER_CUTS}[0]"),
        (NO_FILE_FSYNC, f"{SHUT_DOWN}[ext4]"),
        (NO_DIRECTORY_FSYNC, f"{ORDER}[put]"),
        (NO_DIRECTORY_FSYNC, f"{SIMULATED}[0]"),
        (NO_DIRECTORY_FSYNC, f"{POWER_CUTS}[0]"),
        (LINK_BEFORE_FSYNC, f"{SIMULATED}[0]"),
        (SYNCHRONOUS_NORMAL, f"{ORDER}[put]"),
        (SYNCHRONOUS_NORMAL, JOB_TABLE),
        (RENAME, f"{ORDER}[put]"),
        (RENAME, LAST_PIECE),
        (ANSWER_BEFORE_COMMIT, f"{ORDER}[put]"),
        (NO_TRASH_FSYNC, f"{AT_EACH_CHANGE}[trash]"),
        (NO_RETURN_FSYNC, f"{AT_EACH_CHANGE}[untrash]"),
        (NO_NOTE_FSYNC, f"{AT_EACH_CHANGE}[trash]"),
        (NO_MARK_FSYNC, f"{AT_EACH_CHANGE}[mark]"),
        (ARCHIVE_FIRST, f"{AT_EACH_CHANGE}[trash]"),
        (ARCHIVE_LAST, f"{AT_EACH_CHANGE}[trash]"),
        (NOTE_AFTER_BYTES, f"{AT_EACH_CHANGE}[purge]"),
        (NO_LOG_FSYNC, f"{ORDER}[put]"),
        (NO_LOG_FSYNC, f"{POWER_CUTS}[0]"),
        (ZERO_NAMES, NOTHING_IS_EQUAL),
        (UNCONDITIONAL_SIDECAR, f"{SCHEDULES}[receives-other bytes-goes on]"),
        (LATE_REQUEST, f"{SCHEDULES}[trashes-undeletes-goes on]"),
        (LATE_REQUEST, f"{SCHEDULES}[purges-undeletes, prunes-goes on]"),
        (LATE_TRANSACTION, f"{SCHEDULES}[undeletes-undeletes, prunes-goes on]"),
        (PROFILE_HELD_HERE, f"{SCHEDULES}[replaces-prunes-goes on]"),
        (CONFIRM_WITHOUT_TOKEN, HELD_BY_TOKEN),
        (SETTLE_WITHOUT_LEASE, LEASE_RUNS),
        (ABORT_AFTER_END, ENDING),
        (LAST_SEGMENT_FORGOTTEN, STAGED),
        (LEASE_BY_LOCAL_CLOCK, CLOCK),
    ],
    ids=str,
)
def test_a_mutant_turns_its_layer_red(copy: Path, tmp_path: Path, mutant: Mutant, layer: str) -> None:
    """The layer that is named fails, and by a check of its own."""
    file = copy / "tarkeep" / mutant.file
    source = file.read_text()
    assert source.count(mutant.old) == 1
    file.write_text(source.replace(mutant.old, mutant.new))

    ran = run(copy, tmp_path, layer)
    assert ran.returncode == 1, ran.stdout
    assert f"FAILED {layer}" in ran.stdout
    assert WHERE[layer.partition("[")[0]] in ran.stdout
