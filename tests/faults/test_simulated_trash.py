"""
Layer 0, continued. Marks and the trash on a simulated kernel, in any sequence that Hypothesis generates.

Each step may meet a call that fails, a power cut after any number of changes, further cuts in the starts after it, all
of them, or none. It is then done again, as recovery does, until it is done.
"""

from __future__ import annotations

import errno
import tempfile
from itertools import count
from pathlib import Path

import pytest
from hypothesis import Phase, currently_in_test_context, given, note, seed, settings
from hypothesis import strategies as st

from tests.faults.share import drawn
from tests.faults.simulated_kernel import FAILS
from tests.faults.simulated_machine import Cut, Trouble
from tests.faults.simulated_trash import Forget, Mark, Purge, Put, SimulatedTrash, Step, Trash, Untrash
from tests.faults.test_simulated import CUTS, FINE, MOST_BYTES, simulating

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

SEEDS = drawn(1_000)
AT_A_TIME = 250

WHICH = st.integers(0, 2)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(Put, WHICH, st.booleans()),
    st.builds(Put, WHICH, st.booleans(), st.booleans()),
    st.builds(Mark, WHICH, st.booleans()),
    st.builds(Trash, WHICH),
    st.builds(Trash, WHICH),
    st.builds(Untrash, WHICH),
    st.builds(Purge, WHICH),
    st.builds(Forget, WHICH),
)
TROUBLES = st.builds(
    Trouble,
    st.one_of(st.none(), st.tuples(st.sampled_from(sorted(FAILS)), st.integers(1, 30))),
    st.one_of(st.just(()), st.lists(CUTS, min_size=1, max_size=3).map(tuple)),
)
# one archive in the store and one in the trash, so that every step has an object
BEFORE: list[tuple[Step, Trouble]] = [
    (Put(0, True), FINE),
    (Put(1, True), FINE),
    (Mark(1, False), FINE),
    (Trash(1), FINE),
]
SCRIPTS = st.lists(st.tuples(STEPS, TROUBLES), min_size=1, max_size=8).map(lambda script: BEFORE + script)

ONCE: dict[str, list[Step]] = {
    "put with marks": [Put(2, False, True)],
    "mark": [Mark(0, True)],
    "mark in the trash": [Mark(1, True)],
    "trash": [Mark(0, False), Trash(0)],
    "trash over a note": [Purge(1), Put(1, True), Trash(1)],
    "untrash": [Untrash(1)],
    "purge": [Purge(1)],
    "forget": [Purge(1), Forget(1)],
}


def go_through(script: list[tuple[Step, Trouble]], most_bytes: int) -> None:
    if currently_in_test_context():
        note(f"most_bytes={most_bytes}, script={script}")
    with tempfile.TemporaryDirectory() as space:
        SimulatedTrash.on(Path(space), most_bytes).go_through(script)


@pytest.mark.faults
@pytest.mark.parametrize("first", range(0, SEEDS, AT_A_TIME))
def test_whatever_happens_no_archive_is_lost_on_its_way(first: int) -> None:
    """After each cut and error each archive is whole in one place or in both, its marks last, and the step ends."""
    chosen = settings(simulating, max_examples=AT_A_TIME, phases=[Phase.generate])
    seed(first)(chosen(given(SCRIPTS, MOST_BYTES)(go_through)))()


@settings(simulating, max_examples=25, derandomize=True)
@given(SCRIPTS, MOST_BYTES)
def test_some_of_it(script: list[tuple[Step, Trouble]], most_bytes: int) -> None:
    """The same, in the time of every test run, and shrunk if it fails."""
    go_through(script, most_bytes)


@pytest.mark.faults
@pytest.mark.parametrize("steps", ONCE.values(), ids=ONCE)
@pytest.mark.parametrize("code", sorted(FAILS), ids=lambda code: errno.errorcode[code])
def test_each_call_of_a_step_fails_in_turn(steps: list[Step], code: int, tmp_path: Path) -> None:
    """It says so, the archive is whole somewhere, and the same step then succeeds."""
    *first, last = steps
    for which in count(1):
        space = tmp_path / str(which)
        space.mkdir()
        machine = SimulatedTrash.on(space, 1 << 20)
        machine.go_through([*BEFORE, *((step, FINE) for step in first), (last, Trouble((code, which)))])
        if not machine.failed:
            break
    assert which > 1


@pytest.mark.faults
@pytest.mark.parametrize("steps", ONCE.values(), ids=ONCE)
def test_the_power_is_cut_at_each_change_of_a_step(steps: list[Step]) -> None:
    """Whatever of it survives: the archive is whole somewhere, and the same step then ends."""
    *first, last = steps
    for after in range(1, 26):
        for left in (0, 1, 2, 3, 5):
            trouble = Trouble(cuts=(Cut(after, left), Cut(after, left)))
            go_through([*BEFORE, *((step, FINE) for step in first), (last, trouble)], 1 << 20)
