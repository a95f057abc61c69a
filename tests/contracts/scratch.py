"""What `Scratch` and its `ScratchFile` promise."""

from __future__ import annotations

import os
import random
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.ports.scratch import Scratch
from tests.support.processes import open_files

KIB = 1 << 10
INHERITED = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture])
NOISE = random.Random(1).randbytes(1000 * KIB)


class ScratchDoor(Protocol):
    """A scratch, and its files as seen from outside."""

    @property
    def scratch(self) -> Scratch: ...

    def names(self) -> list[str]:
        """The names of files that a crash at this moment would leave."""


class ScratchContract:
    """A subclass gives the fixture *door*."""

    @INHERITED
    @given(
        st.lists(st.tuples(st.integers(0, 150 * KIB), st.integers(0, 900 * KIB), st.integers(0, 300 * KIB)), max_size=6)
    )
    def test_what_was_appended_is_read_anywhere(self, door: ScratchDoor, steps: list[tuple[int, int, int]]) -> None:
        """While it grows, from any position up to the end; and it holds exactly what was appended."""
        expected = b""
        with door.scratch.file() as file:
            assert file.size_bytes == 0
            assert file.read(0, 1) == b""
            for size, start, length in steps:
                block = NOISE[len(expected) : len(expected) + size]
                file.append(memoryview(block))
                expected += block
                assert file.size_bytes == len(expected)
                for begin in (start, len(expected) - 1, len(expected)):
                    assert file.read(max(begin, 0), length) == expected[max(begin, 0) :][:length]
            assert file.read(0, len(expected) + 1) == expected

    def test_files_are_apart(self, door: ScratchDoor) -> None:
        """Even if they are appended and read alternately."""
        with door.scratch.file() as one, door.scratch.file() as other:
            for at in range(0, 400 * KIB, 100 * KIB):
                one.append(NOISE[at : at + 100 * KIB])
                other.append(NOISE[at + 500 * KIB : at + 600 * KIB])
            assert one.read(0, 400 * KIB) == NOISE[: 400 * KIB]
            assert other.read(0, 400 * KIB) == NOISE[500 * KIB : 900 * KIB]

    def test_what_is_appended_may_be_changed_afterwards(self, door: ScratchDoor) -> None:
        """The file keeps the bytes as given, even if the buffer changes later."""
        block = bytearray(b"first")
        with door.scratch.file() as file:
            file.append(block)
            block[:] = b"other"
            assert file.read(0, 5) == b"first"

    @pytest.mark.parametrize("size", [1, 900 * KIB])
    def test_nothing_is_left_of_it(self, door: ScratchDoor, size: int) -> None:
        """It has no name that a crash could leave, and no file is open after leaving, even after an error."""
        before = open_files()

        def fail() -> None:
            with door.scratch.file() as file:
                file.append(NOISE[:size])
                assert door.names() == []
                raise ValueError("failed")

        with pytest.raises(ValueError, match="failed"):
            fail()
        assert (door.names(), open_files()) == ([], before)

    def test_a_file_whose_context_was_not_left_ends_with_the_process(self, door: ScratchDoor) -> None:
        """The process may be killed at any time."""
        child = os.fork()
        if child == 0:
            door.scratch.file().append(NOISE)
            os._exit(0 if door.names() == [] else 1)
        _, status = os.waitpid(child, 0)

        assert (status, door.names()) == (0, [])
