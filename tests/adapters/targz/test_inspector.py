"""The inspector over both inflate engines, the one that inspects nothing, and gzip streams in chunks of any size."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tarkeep.adapters.targz.deflate import InflateEngine, Inflater, IsalInflater, ZlibInflater
from tarkeep.adapters.targz.gzip_stream import GzipStream
from tarkeep.adapters.targz.inspector import InspectionLimits, NoInspector, TargzInspector
from tests.contracts.inspector import FATES, InspectorContract, LookingInspectorContract, MakeInspector, verdict
from tests.support.tars import BROKEN, WHOLE, gz, gzip_member

ENGINES = (IsalInflater, ZlibInflater)
_RNG = random.Random(5)
MIXED = gz(b"".join(_RNG.randbytes(40) + bytes(60) for _ in range(1_500)))


def _maker(engine: InflateEngine) -> MakeInspector:
    def make(**limits: int) -> TargzInspector:
        return TargzInspector(engine, InspectionLimits(**limits))

    return make


class TestTargzInspectorOverIsal(LookingInspectorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> MakeInspector:
        return _maker(IsalInflater)


class TestTargzInspectorOverZlib(LookingInspectorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> MakeInspector:
        return _maker(ZlibInflater)


class TestNoInspector(InspectorContract):
    @pytest.fixture
    def make(self) -> MakeInspector:
        return lambda **_limits: NoInspector()


@pytest.mark.parametrize("name", [*FATES, *WHOLE, *BROKEN])
def test_the_engines_agree(name: str) -> None:
    """The verdict on an archive, offsets included, does not depend on the engine."""
    content = FATES.get(name) or gz(WHOLE[name][1] if name in WHOLE else BROKEN[name])

    assert verdict(_maker(IsalInflater)(), content) == verdict(_maker(ZlibInflater)(), content)


@given(place=st.integers(0, len(MIXED) - 1), byte=st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_the_engines_agree_on_damage(place: int, byte: int) -> None:
    """
    A wrong byte anywhere gets the same class of verdict from both engines.

    The reason may differ: isal tolerates some broken Huffman codes that zlib rejects, and the CRC then fails.
    """
    content = bytearray(MIXED)
    content[place] ^= byte
    by_isal, by_zlib = (verdict(_maker(engine)(), bytes(content)) for engine in ENGINES)

    assert isinstance(by_isal, tuple)
    assert isinstance(by_zlib, tuple)
    assert by_isal[0] is by_zlib[0]


@pytest.mark.parametrize("engine", ENGINES)
@given(
    contents=st.lists(st.one_of(st.binary(max_size=300), st.integers(0, 2_000_000).map(bytes)), min_size=1, max_size=4),
    fields=st.fixed_dictionaries(
        {
            "extra": st.none() | st.binary(max_size=20),
            "name": st.none() | st.text("ab", max_size=600).map(str.encode),
            "comment": st.none() | st.text("ab", max_size=20).map(str.encode),
            "header_crc": st.booleans(),
            "level": st.sampled_from((0, 1, 9)),
        }
    ),
    sizes=st.lists(st.integers(1, 70), min_size=1, max_size=20),
    padding=st.integers(0, 40),
)
@settings(max_examples=60, deadline=None)
def test_a_gzip_stream_gives_back_what_went_in(
    engine: InflateEngine,
    contents: list[bytes],
    fields: dict[str, bytes | None],
    sizes: list[int],
    padding: int,
) -> None:
    """However small the chunks are and wherever members, fields and trailers are cut, all bytes come out."""
    file = b"".join(gzip_member(content, **fields) for content in contents) + bytes(padding)  # type: ignore[arg-type]  # one strategy per keyword
    stream = GzipStream(engine)
    pieces: list[bytes] = []
    position = 0
    while position < len(file):
        # Small chunks at the front, where the fields are, and larger ones once they get many.
        size = sizes[position % len(sizes)] * (1 + position // 2_000)
        pieces += stream.inflate(memoryview(file)[position : position + size])
        position += size
    stream.finish()

    assert b"".join(pieces) == b"".join(contents)
    assert stream.whole_members == len(contents)


class Meter:
    """Counts the input and output of the inflaters it starts: isal, with counters."""

    def __init__(self) -> None:
        self.in_bytes = 0
        self.out_bytes = 0
        self.works_beside = threading.Event()  # set once a thread other than the test's inflates

    def __call__(self, window: bytes = b"") -> Inflater:
        return _MeteredInflater(self, window)


class _MeteredInflater(IsalInflater):
    def __init__(self, meter: Meter, window: bytes) -> None:
        super().__init__(window)
        self._meter = meter

    def inflate(self, data: memoryview | bytes) -> bytes:
        piece = super().inflate(data)
        if threading.current_thread() is not threading.main_thread():
            self._meter.works_beside.set()
        self._meter.in_bytes += len(data)
        self._meter.out_bytes += len(piece)
        return piece


def test_small_gzip_members_cost_no_more_than_their_share() -> None:
    """However many members lie in a chunk, the rest of it is not handed over, and copied, for each of them."""
    meter = Meter()
    members = 10_000
    file = gz(b"x" * 100) * members

    assert sum(map(len, GzipStream(meter).inflate(memoryview(file)))) == 100 * members
    assert meter.in_bytes <= 4096 * members + 3 * len(file)
    assert len(file) > 40 * 4096


def test_large_gzip_members_are_handed_over_once() -> None:
    """What is inflated in small bites at first is not inflated twice."""
    meter = Meter()
    file = FATES["whole"]

    assert sum(map(len, GzipStream(meter).inflate(memoryview(file)))) > len(file) - 10_000
    assert meter.in_bytes <= len(file)


def test_leaving_stops_in_the_middle_of_a_block() -> None:
    """An abandoned inspection stops at the next piece, however much its block would still inflate to."""
    meter = Meter()
    bomb = gz(bytes(1 << 20)) * 1_000
    with TargzInspector(meter).start() as inspection:
        inspection.feed(bomb)
        inspection.feed(bomb * 9)
        assert meter.works_beside.wait(60)

    assert meter.out_bytes < 9_000 << 20


def test_no_inspector_lets_anything_pass() -> None:
    """With validation switched off, bytes of any kind are accepted and nothing is known about them."""
    with NoInspector().start() as inspection:
        inspection.feed(b"")
        inspection.feed(b"anything")

        assert inspection.finish() is None


def test_without_isal_the_standard_library_does_it() -> None:
    """Without isal, the server starts and validates all the same."""
    program = (
        "import sys; sys.modules['isal'] = None\n"
        "from tarkeep.adapters.targz.deflate import FASTEST; from tarkeep.adapters.targz.deflate import ZlibInflater\n"
        "from tarkeep.adapters.targz.inspector import TargzInspector\n"
        "from tests.support.archives import make_targz\n"
        "with TargzInspector().start() as running:\n"
        "    running.feed(make_targz())\n"
        "    print(FASTEST is ZlibInflater, running.finish().members)\n"
    )
    root = Path(__file__).parents[3]

    run = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)

    assert run.stdout == "True 1\n"
