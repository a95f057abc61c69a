"""Pages from templates, and how they may be shown: their policy forbids whatever did not come from this server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import Response

from ....domain.text.counted import counted
from ....domain.text.durations import duration
from ....domain.text.sizes import human_size
from ...remedies import remedy_parts
from .sending.packed import PackedResponse
from .sending.static_files import static_url

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# not kept by browsers: else Back would show a page again to whoever comes after its reader has logged out
_HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}

_TOLD_TIME = re.compile(
    r"(?<![\w./:-])\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d{6})?(Z|\+00:00)(?![\w/:-]|\.\w)", re.ASCII
)


def _time(at: datetime | None) -> Markup:
    """*at* as people read it, in UTC, with the exact time for programs."""
    if at is None:
        return Markup("never")
    exact, _, _ = at.astimezone(UTC).isoformat().partition("+")  # numbers alone: nothing is to be escaped
    text = f"{exact[:10]} {exact[11:16]} UTC"
    return Markup(f'<local-time datetime="{exact[:19]}Z"><time datetime="{exact[:19]}Z">{text}</time></local-time>')


def told(text: str) -> Markup:
    """*text*, with the times in it as people read them: those that no name goes on with."""
    parts, end = [], 0
    for found in _TOLD_TIME.finditer(text):
        at = datetime.fromisoformat(found[0].replace(" ", "T"))
        parts += [escape(text[end : found.start()]), _time(at)]
        end = found.end()
    return Markup().join([*parts, escape(text[end:])])


def sentence(text: str) -> Markup:
    """A sentence of *text*, which may begin with a small letter and lack its full stop."""
    return told(text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else "."))


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
    time=_time,
    told=told,
    sentence=sentence,
    size=size_text,
    counted=counted,
    duration=duration,
    segment=lambda text: quote(text, safe=""),
)
_environment.globals.update(ago=ago, static=static_url, remedy_parts=remedy_parts)


def render(template: str, values: Mapping[str, object], status: int = 200) -> Response:
    """The page *template* with *values*."""
    text = _environment.get_template(template).render(values)
    return PackedResponse(text, status, _HEADERS, "text/html")
