"""Series of numbers as lines in an SVG picture, each on a scale of its own, from 0 to its largest number."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _LEFT, _TOP = 800, 240, 20, 50
_COLOURS = ("#1f6feb", "#d1242f", "#1a7f37")


def line_chart(title: str, series: Sequence[tuple[str, Sequence[float], str]]) -> str:
    """
    The picture of *series*: the name of each, its numbers at equal distances, and its largest number in words.

    At most three series are drawn in colours that differ.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 2 * _LEFT} {_HEIGHT + 2 * _TOP}" '
        'font-family="sans-serif" font-size="14">',
        f'<title>{escape(title)}</title><rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="22">{escape(title)}</text>',
        f'<path d="M{_LEFT} {_TOP}v{_HEIGHT}h{_WIDTH}" fill="none" stroke="#888"/>',
    ]
    for number, (name, values, largest) in enumerate(series):
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f'<polyline points="{_points(values)}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        at = _LEFT + number * _WIDTH // len(series)
        parts.append(f'<text x="{at}" y="42" fill="{colour}">{escape(name)}, at most {escape(largest)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _points(values: Sequence[float]) -> str:
    top = max(values, default=0) or 1
    step = _WIDTH / max(1, len(values) - 1)
    return " ".join(
        f"{_LEFT + number * step:.1f},{_TOP + _HEIGHT * (1 - value / top):.1f}" for number, value in enumerate(values)
    )
