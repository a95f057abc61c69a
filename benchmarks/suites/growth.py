"""
How costs grow with the content of the server: each at three sizes, see `benchmarks.growth`.
"""

from __future__ import annotations

from ..growth import MEASURES, Measure
from ..report import Row, Table
from ..runner import Context, Spread


def run(context: Context) -> Table:
    chosen = [measure for measure in MEASURES if context.only in measure.name]
    return Table(
        name="growth",
        title="what grows with what, at three sizes",
        rows=[_measured(measure, context) for measure in chosen],
        remarks=[
            "CPU seconds of the server's process unless another unit is said; the best of all rounds",
            "n^1 is linear: twice as much costs twice as much; n^0 does not grow",
        ],
    )


def _measured(measure: Measure, context: Context) -> Row:
    sizes = measure.quick() if context.quick else measure.sizes
    folder = context.work / "growth"
    spreads = []
    for size in sizes:
        costs = [measure.cost(folder, size) for _ in range(context.rounds)]
        spreads.append(Spread.of(costs))
        context.say(f"  {measure.name}, {size:,} {measure.of}: {spreads[-1].text(3, measure.unit)}")
    # The smallest is the real cost; anything above it was taken by other processes.
    best = [spread.low for spread in spreads]
    power = measure.growth(sizes, best)
    is_met = power <= measure.power and (measure.limit is None or best[-1] <= measure.limit)
    limit = f"at most {measure.limit:g}{measure.unit}, " if measure.limit is not None else ""
    return Row(
        figure=f"{measure.name}: {' / '.join(f'{size:,}' for size in sizes)} {measure.of}",
        measured=" / ".join(f"{cost:.3f}" for cost in best) + measure.unit,
        ratio=f"n^{power:.2f}",
        target=f"{limit}n^{measure.power:g}",
        verdict="met" if is_met else "MISSED",
    )
