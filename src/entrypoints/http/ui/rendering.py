"""Pages from templates, and how they may be shown: their policy forbids whatever did not come from this server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import Response

from ....domain.text.counted import counted
from ....domain.text.durations import duration
from ....domain.text.sizes import human_size
from ...remedies import remedy
from .sending.packed import PackedResponse
from .sending.static_files import static_url

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "private, no-cache", "Vary": "Cookie"}


def _time(at: datetime | None) -> Markup:
    """*at* as people read it, in UTC, with the exact time for programs."""
    if at is None:
        return Markup("never")
    exact, _, _ = at.astimezone(UTC).isoformat().partition("+")  # numbers alone: nothing is to be escaped
    text = f"{exact[:10]} {exact[11:16]} UTC"
    return Markup(f'<local-time datetime="{exact[:19]}Z"><time datetime="{exact[:19]}Z">{text}</time></local-time>')


def size_text(size_bytes: int) -> str:
    """*size_bytes* as people read it; bytes have no fractions."""
    return human_size(size_bytes) if size_bytes >= 1024 else f"{size_bytes} B"


def ago(at: datetime, now: datetime) -> str:
    """How long before *now* that was, in its largest unit."""
    seconds = max(int((now - at).total_seconds()), 0)
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size * (2 if unit != "minute" else 1):
            return f"{counted(seconds // size, unit)} ago"
    return f"{counted(seconds, 'second')} ago"


_environment = Environment(
    loader=PackageLoader(__package__, "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    time=_time, size=size_text, counted=counted, duration=duration, segment=lambda text: quote(text, safe="")
)
_environment.globals.update(ago=ago, static=static_url, remedy=remedy)


def render(template: str, values: Mapping[str, object], status: int = 200) -> Response:
    """The page *template* with *values*."""
    text = _environment.get_template(template).render(values)
    return PackedResponse(text, status, _HEADERS, "text/html")
