"""
Layer 0. Store, uploads and recovery on a simulated kernel, in any sequence that Hypothesis generates.

A script is a sequence of client actions, each with a failing call, a power cut after any number of changes,
further cuts in the recovery after it, all of them, or none of them.
"""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, currently_in_test_context, example, given, note, seed, settings
from hypothesis import strategies as st

from tests.faults.share import drawn
from tests.faults.simulated_kernel import FAILS
from tests.faults.simulated_machine import (
    Append,
    Archive,
    Begin,
    Cut,
    Damage,
    End,
    Join,
    Keep,
    Receive,
    Restart,
    SimulatedMachine,
    Step,
    Trouble,
)

# Files left open by a process that dies are collected in any order. A process that lives must leave nothing open, which
# the machine checks by the kernel's own table.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

SEEDS = drawn(2_000)
AT_A_TIME = 250

ARCHIVES = st.builds(Archive, st.integers(0, 3), st.integers(0, 1))
WHICH = st.integers(0, 3)
RECEIVE = st.builds(Receive, ARCHIVES, st.sampled_from((700, 5_000, 1 << 20)))
BEGIN = st.builds(Begin, ARCHIVES, st.integers(0, 3))
APPEND = st.builds(Append, WHICH, st.sampled_from((1, 4, 4)), st.booleans(), st.booleans())
STEPS: st.SearchStrategy[Step] = st.one_of(
    RECEIVE,
    RECEIVE,
    BEGIN,
    BEGIN,
    BEGIN,
    APPEND,
    APPEND,
    APPEND,
    st.builds(End, WHICH),
    st.builds(Join, ARCHIVES),
    st.builds(Keep, WHICH),
    st.builds(Keep, WHICH),
    st.builds(Damage, WHICH),
    st.builds(Damage, WHICH),
    st.just(Restart()),
)
FAILURES = st.tuples(st.sampled_from(sorted(FAILS)), st.integers(1, 40))
CUTS = st.builds(Cut, st.integers(1, 60), st.integers(0, 1 << 16))
TROUBLES = st.builds(
    Trouble,
    st.one_of(st.none(), FAILURES),
    st.one_of(st.just(()), st.lists(CUTS, min_size=1, max_size=3).map(tuple)),
)
STORED, FINE = Receive(Archive(0, 0), 5_000), Trouble()
# after an archive and half of another, so that every step has an object
BEFORE: list[tuple[Step, Trouble]] = [(STORED, FINE), (Begin(Archive(1, 0), 2), FINE)]
SCRIPTS = st.lists(st.tuples(STEPS, TROUBLES), min_size=1, max_size=8).map(lambda script: BEFORE + script)
MOST_BYTES = st.sampled_from((512, 4_096, 1 << 20))

simulating = settings(deadline=None, database=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))


def go_through(script: list[tuple[Step, Trouble]], most_bytes: int) -> None:
    if currently_in_test_context():
        note(f"most_bytes={most_bytes}, script={script}")
    with tempfile.TemporaryDirectory() as space:
        SimulatedMachine.on(Path(space), most_bytes).go_through(script)


@pytest.mark.faults
@pytest.mark.parametrize("first", range(0, SEEDS, AT_A_TIME))
def test_whatever_happens_what_was_acknowledged_is_there(first: int) -> None:
    """After each cut and error: acknowledged byte for byte, all else whole or gone, nothing left, then accepted."""
    # as generated: shrinking takes minutes
    chosen = settings(simulating, max_examples=AT_A_TIME, phases=[Phase.generate])
    seed(first)(chosen(given(SCRIPTS, MOST_BYTES)(go_through)))()


@pytest.mark.faults
def test_each_call_of_the_last_piece_of_an_upload_fails_in_turn() -> None:
    """Bytes staged before stay until the archive is stored, so that the upload can continue."""
    for which in range(1, 41):
        go_through([*BEFORE, (Append(0, 4, False, False), Trouble((errno.ENOSPC, which)))], 1 << 20)


@settings(simulating, max_examples=50, derandomize=True)
@given(SCRIPTS, MOST_BYTES)
@example([(STORED, FINE), (Keep(0), FINE), (Damage(0), Trouble(cuts=(Cut(25, 2),)))], 4_096)  # lost the snapshot file
@example([(Begin(Archive(0, 0), 0), Trouble(cuts=(Cut(2, 1),)))], 4_096)  # left a torn journal
def test_some_of_it(script: list[tuple[Step, Trouble]], most_bytes: int) -> None:
    """The same, in the time of every test run, and shrunk if it fails."""
    go_through(script, most_bytes)
