"""
Turning measurements into tables, and figures into verdicts.

A target is judged by the median. The table says "met" or "MISSED" and nothing softer.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from attrs import fields, frozen

from .runner import Race, Sample, Spread


@frozen
class Target:
    """A limit for a figure; *stretch* is a better one that is mentioned if it is reached."""

    limit: float
    stretch: float | None = None
    at_least: bool = False
    unit: str = "x"

    def verdict(self, value: float) -> str:
        """``met`` or ``MISSED``."""
        if self.stretch is not None and self._holds(value, self.stretch):
            return "met, stretch too"
        return "met" if self._holds(value, self.limit) else "MISSED"

    def __str__(self) -> str:
        bound = "at least" if self.at_least else "at most"
        more = f", stretch {self.stretch:g}{self.unit}" if self.stretch is not None else ""
        return f"{bound} {self.limit:g}{self.unit}{more}"

    def _holds(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit


@frozen
class Row:
    """One line of a table, all text; empty fields do not apply."""

    figure: str
    measured: str = ""
    server_cpu: str = ""
    client_cpu: str = ""
    peak: str = ""
    ratio: str = ""
    target: str = ""
    verdict: str = ""


def percentile(values: Sequence[float], percent: int) -> float:
    """The percentile of one value or more."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def times_row(figure: str, values: Sequence[float], target: str = "", verdict: str = "") -> Row:
    """The spread of many times in milliseconds."""
    told = ", ".join(f"p{percent} {percentile(values, percent):.1f}" for percent in (50, 99))
    return Row(figure, f"{told}, max {max(values):.1f} ms ({len(values)})", target=target, verdict=verdict)


@frozen
class Table:
    """The results of one bench."""

    name: str
    title: str
    rows: Sequence[Row]
    remarks: Sequence[str] = ()


_HEADINGS = Row(
    figure="figure",
    measured="measured",
    server_cpu="server CPU s",
    client_cpu="client CPU s",
    peak="peak MiB",
    ratio="ratio",
    target="target",
    verdict="verdict",
)


def race_row(race: Race, label: str, *, to: str | None = None, target: Target | None = None) -> Row:
    """The times of *label*, with its ratio to *to* judged by *target*."""
    samples = race.samples[label]
    seconds = race.seconds(label)
    ratio = race.ratio(label, to) if to else None
    return Row(
        figure=label,
        measured=seconds.text(2 if seconds.median >= 1 else 3, " s"),
        server_cpu=_median(samples, "server_cpu_seconds", 2),
        client_cpu=_median(samples, "client_cpu_seconds", 2),
        peak=_median(samples, "peak_mib", 0),
        ratio=ratio.text(2) if ratio else "",
        target=str(target) if target else "",
        verdict=target.verdict(ratio.median) if ratio and target else "",
    )


def ratio_row(figure: str, ratio: Spread, target: Target | None = None) -> Row:
    """A *ratio* of its own, such as one entrant to another."""
    verdict = target.verdict(ratio.median) if target else ""
    return Row(figure, ratio=ratio.text(2), target=str(target) if target else "", verdict=verdict)


def value_row(figure: str, value: Spread, digits: int, unit: str, target: Target | None = None, **more: str) -> Row:
    """A measured *value* judged as it is."""
    verdict = target.verdict(value.median) if target else ""
    return Row(figure, value.text(digits, unit), target=str(target) if target else "", verdict=verdict, **more)


def as_text(table: Table) -> str:
    """The table for a terminal."""
    cells = _cells(table.rows)
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join(
        [f"{table.name}: {table.title}", lines[0], rule, *lines[1:], *(f"* {text}" for text in table.remarks)]
    )


def as_markdown(table: Table) -> str:
    """The table for RESULTS.md."""
    head, *body = [[text.replace("|", "\\|") for text in line] for line in _cells(table.rows)]
    lines = [f"## {table.name}: {table.title}", "", _line(head), _line(["---"] * len(head)), *map(_line, body)]
    if table.remarks:
        lines += ["", *(f"- {text}" for text in table.remarks)]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """Headings and rows, without the columns that no row fills."""
    names = [field.name for field in fields(Row)]
    used = [name for name in names if any(getattr(row, name) for row in rows)]
    return [[getattr(row, name) for name in used] for row in (_HEADINGS, *rows)]


def _median(samples: Sequence[Sample], name: str, digits: int) -> str:
    values = [value for sample in samples if (value := getattr(sample, name)) is not None]
    return f"{statistics.median(values):.{digits}f}" if values else ""
