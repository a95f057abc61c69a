"""One cost at three sizes, and the tools to take it with."""

from __future__ import annotations

import math
import multiprocessing
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from attrs import frozen

_P = ParamSpec("_P")
_T = TypeVar("_T")


@frozen
class Measure:
    """
    A cost at three *sizes*, which ascend and count *of* something.

    ``cost(folder, size)`` returns the cost of one run, in *unit*: CPU seconds by default. The folder is the same for
    all sizes and runs, and for other measures. *limit* is the highest cost of the largest size, *power* the largest
    power of the size that the cost may grow with: 1 is linear, 0 does not grow; some noise is allowed for. Costs below
    *negligible* count as that much, since their growth means nothing.
    """

    name: str
    of: str
    sizes: tuple[int, int, int]
    cost: Callable[[Path, int], float]
    limit: float | None = None
    power: float = 1.15
    unit: str = " s"
    negligible: float = 0.01

    def quick(self) -> tuple[int, ...]:
        """A tenth of the sizes, for trying."""
        return tuple(max(1, size // 10) for size in self.sizes)

    def growth(self, sizes: Sequence[int], costs: Sequence[float]) -> float:
        """The power of the size that *costs* grow with, from the smallest to the largest of *sizes*."""
        first, last = (max(cost, self.negligible) for cost in (costs[0], costs[-1]))
        return math.log(last / first) / math.log(sizes[-1] / sizes[0])


def apart(work: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """The result of *work*, a function of a module, from a process that is started for it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        return alone.submit(work, *arguments, **named).result()


def cpu_seconds(work: Callable[[], object]) -> float:
    """The CPU seconds, user and system, of all threads of this process while *work* runs."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def peak_mib() -> float:
    """The peak of this process's resident memory so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError("the kernel does not tell the peak of resident memory")


def made(place: Path, make: Callable[[Path], object]) -> Path:
    """*place*, a folder that *make* fills unless it was completely made before."""
    done = place.with_name(place.name + ".complete")
    if not done.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700, parents=True)
        make(place)
        done.touch()
    return place
