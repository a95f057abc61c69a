"""
The benches by name; each module holds one and says what it demands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..report import Table
from ..runner import Context
from . import catalog, download, latency, memory, original, startup, upload, validate

BENCHES: Mapping[str, Callable[[Context], Table]] = {
    "upload": upload.run,
    "validate": validate.run,
    "original": original.run,
    "download": download.run,
    "memory": memory.run,
    "catalog": catalog.run,
    "startup": startup.run,
    "latency": latency.run,
}
