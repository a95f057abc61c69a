"""
Style sheet, scripts and icon: read once, and served under names that tell their content, so that browsers keep them.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from ...answers.problems import Problem
from .packed import KeptResponse

PREFIX = "/ui/static/"
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def _read() -> dict[str, tuple[str, bytes]]:
    """Each file by its own name: the name with its digest, and its content."""
    found = {}
    for file in files(__package__.rpartition(".")[0]).joinpath("static").iterdir():
        stem, _, suffix = file.name.rpartition(".")
        if suffix in _TYPES:
            content = file.read_bytes()
            found[file.name] = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{suffix}", content
    return found


_FILES = _read()
_BY_URL = dict(_FILES.values())


def static_url(name: str) -> str:
    """The path of the static file *name*."""
    return PREFIX + _FILES[name][0]


async def send_static(request: Request) -> Response:
    """The file, for ever: another content has another name."""
    name = request.path_params["name"]
    if name not in _BY_URL:
        raise Problem(404, "not-found", "no such file; reload the page that names it")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return KeptResponse(_BY_URL[name], 200, headers, _TYPES[name.rpartition(".")[2]])
