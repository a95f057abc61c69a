"""
What every test needs before it is imported.

A run has one temporary directory, for pytest's own folders and for whatever tests and the programs they start put into
``TMPDIR``; it is removed at the end, with what programs that were killed have left in it. ``TARKEEP_TEST_KEEP=1`` keeps
it and says where it is. Signals that a shell ignores for what it starts in the background are heeded again, since tests
send them. No example has a deadline: how fast a machine is proves nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

settings.register_profile("no deadline", settings.default, deadline=None)  # a slow machine is no fault
settings.load_profile("no deadline")

pytest.register_assert_rewrite("tests.contracts", "tests.faults", "tests.support")

from tests.support import forked_starts  # noqa: E402 - after the line above, which it needs

forked_starts.install()

if TYPE_CHECKING:
    from tests.support.object_stores import ObjectStore
    from tests.support.postgres import Postgres

_COUNTED = {
    "real people": "what became of what real people do",
    "pruned histories": "what became of histories that were pruned",
}
_PLACE = pytest.StashKey[Path]()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """More workers than processors: many tests wait, for programs or for times to be over."""
    processors = os.cpu_count() or 1
    return processors if config.option.markexpr == "faults" else processors + (processors + 1) // 2


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
    if config.option.basetemp is None and not hasattr(config, "workerinput"):  # workers are given theirs
        place = Path(tempfile.mkdtemp(prefix="tarkeep-tests-"))
        place.chmod(0o755)  # some tests act as another user below it
        config.stash[_PLACE] = place
        config.option.basetemp = str(place / "pytest")
        os.environ["TMPDIR"] = str(place)
        tempfile.tempdir = None
        _keep_compiled(place / "compiled")


def _keep_compiled(place: Path) -> None:
    """Have Python keep what it compiles in *place*: some machines forbid it, and each program compiles all modules."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(place)
    sys.dont_write_bytecode = False


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests counted in a property that has a title here, all parts together."""
    counts: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in getattr(report, "user_properties", ()):
                if name in _COUNTED and report.when == "call":
                    counts.setdefault(name, Counter()).update(value)
    for name, found in counts.items():
        terminalreporter.section(_COUNTED[name])
        for kind in sorted(found, key=lambda kind: (not kind.startswith("ERROR"), -found[kind])):
            terminalreporter.line(f"{found[kind]:6}  {kind}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for the tests of this process."""
    from tests.support.postgres import running_postgres

    with running_postgres() as postgres:
        yield postgres


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[ObjectStore]:
    """A SeaweedFS for the tests of this process."""
    from tests.support.object_stores import credentials, running_seaweedfs

    with credentials(), running_seaweedfs() as store:
        yield store


@pytest.fixture(scope="session")
def radosgw() -> Iterator[ObjectStore]:
    """A Ceph with its gateway for the tests of this process."""
    from tests.support.object_stores import credentials, running_radosgw

    with credentials(), running_radosgw() as store:
        yield store


@pytest.fixture(scope="session")
def pgbouncer(postgres: Postgres) -> Iterator[int]:
    """The port of a pgbouncer before it, in the mode that gives each transaction another connection."""
    from tests.support.postgres import running_pgbouncer

    with running_pgbouncer(postgres) as port:
        yield port


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    place = config.stash.get(_PLACE, None)
    if place is None:
        return
    if os.environ.get("TARKEEP_TEST_KEEP"):
        print(f"\nkept: {place}")
    else:
        for folder, folders, _ in os.walk(place):  # tests make some that even their owner may not change
            for name in folders:
                if not (path := Path(folder) / name).is_symlink():
                    with suppress(OSError):
                        path.chmod(0o700)
        shutil.rmtree(place, ignore_errors=True)
