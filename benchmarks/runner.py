"""
Interleaved rounds.

A round runs the yardstick and then every entrant, each in an empty folder that is removed afterwards. Entrants
rotate, so that none always follows the same neighbour. Ratios are formed within a round, when the
machine was in the same state, and only then summarised: the median, with the smallest and largest.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from attrs import Factory, define, evolve, frozen

from .contestants import Answer, Contestant
from .corpus import Archive
from .processes import Finished, run_timed


@frozen
class Context:
    """
    The input of every bench: the work folder, the number of rounds, whether to be quick, and where to report progress.

    *only* is for benches of many measures: it selects those with this in their names.
    """

    work: Path
    rounds: int
    quick: bool
    say: Callable[[str], None]
    only: str = ""

    @property
    def corpus(self) -> Path:
        return self.work / "corpus"


@frozen
class Sample:
    """
    One timing whose answer was right; CPU is that of the server and of the client process.

    *disturbance* is the share of the machine's cores that other processes took meanwhile, 0 to 1.
    """

    seconds: float
    server_cpu_seconds: float | None = None
    client_cpu_seconds: float | None = None
    peak_mib: float | None = None
    disturbance: float = 0.0

    @classmethod
    def of(cls, finished: Finished, *, server_cpu_seconds: float, peak_mib: float) -> Sample:
        """The sample of a client that ended, and of its server."""
        others = finished.machine_cpu_seconds - finished.cpu_seconds - server_cpu_seconds
        return cls(
            seconds=finished.seconds,
            server_cpu_seconds=server_cpu_seconds,
            client_cpu_seconds=finished.cpu_seconds,
            peak_mib=peak_mib,
            disturbance=max(0.0, others / finished.seconds / (os.cpu_count() or 1)),
        )


@frozen
class Spread:
    """Median, smallest and largest of a few values."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        known = list(values)
        return cls(statistics.median(known), min(known), max(known))

    def text(self, digits: int, unit: str = "") -> str:
        return f"{self.median:.{digits}f}{unit} [{self.low:.{digits}f}-{self.high:.{digits}f}]"


@frozen
class Entrant:
    """Something to time once per round, in the empty folder it is given."""

    label: str
    run: Callable[[Path], Sample]


@define
class Race:
    """The samples of every entrant, one per round, in the order of rounds."""

    samples: dict[str, list[Sample]] = Factory(dict)

    def seconds(self, label: str) -> Spread:
        return Spread.of(sample.seconds for sample in self.samples[label])

    def ratio(self, label: str, to: str) -> Spread:
        """The times of *label* divided by those of *to* of the same round."""
        pairs = zip(self.samples[label], self.samples[to], strict=True)
        return Spread.of(mine.seconds / theirs.seconds for mine, theirs in pairs)

    def disturbance(self) -> str:
        """A remark on how much of the machine other processes took during the timings."""
        shares = Spread.of(sample.disturbance for samples in self.samples.values() for sample in samples)
        return (
            f"other processes (the kernel's writing back among them) took {shares.median:.0%} of the machine's cores "
            f"while something was timed [{shares.low:.0%}-{shares.high:.0%}]"
        )


def race(yardstick: Entrant, entrants: Sequence[Entrant], context: Context) -> Race:
    """
    Run all rounds.

    Raises:
        WrongAnswer, CannotRun: an entrant failed; nothing it did counts.
    """
    result = Race({entrant.label: [] for entrant in (yardstick, *entrants)})
    for number in range(context.rounds):
        turn = number % len(entrants) if entrants else 0
        for entrant in (yardstick, *entrants[turn:], *entrants[:turn]):
            with tempfile.TemporaryDirectory(dir=context.work, prefix="round-") as folder:
                sample = entrant.run(Path(folder))
            result.samples[entrant.label].append(sample)
            context.say(f"  round {number + 1}/{context.rounds}  {entrant.label}: {sample.seconds:.3f} s")
    return result


def settle() -> None:
    """Write back what earlier work left dirty, so that it does not disturb the next timing."""
    os.sync()


def command_entrant(
    label: str, command: Sequence[str], archive: Archive, check: Callable[[str], float | None]
) -> Entrant:
    """
    A yardstick: *command* run to its end.

    *check* looks at its output, and may return seconds that the command measured itself.
    """

    def run(folder: Path) -> Sample:
        del folder
        archive.warm()
        settle()
        finished = run_timed(command).succeeded(command)
        own_seconds = check(finished.output)
        sample = Sample.of(finished, server_cpu_seconds=0, peak_mib=0)
        return evolve(sample, seconds=own_seconds or finished.seconds, server_cpu_seconds=None, peak_mib=None)

    return Entrant(label, run)


def upload_entrant(contestant: Contestant, archive: Archive, warm_up: Archive) -> Entrant:
    """One upload of *archive* to a *contestant* that was started for it and took *warm_up* before."""

    def run(folder: Path) -> Sample:
        with contestant.start(folder) as running:
            command = running.upload(warm_up, "warm-up.tar.gz")
            answer = Answer.parse(run_timed(command).succeeded(command).output)
            running.check_upload(answer, warm_up, "warm-up.tar.gz")
            archive.warm()
            settle()
            command = running.upload(archive, "archive.tar.gz")
            before = running.server.cpu_seconds()
            finished = run_timed(command).succeeded(command)
            used = running.server.cpu_seconds() - before
            peak = running.server.peak_mib()
            running.check_upload(Answer.parse(finished.output), archive, "archive.tar.gz")
        return Sample.of(finished, server_cpu_seconds=used, peak_mib=peak)

    return Entrant(contestant.title, run)


def fresh(folder: Path) -> Path:
    """*folder*, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
