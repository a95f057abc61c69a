"""
The benches by name; each module holds one and states its demands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..report import Table
from ..runner import Context
from . import (
    catalog,
    chains,
    checked,
    client_memory,
    dashboard,
    download,
    drill,
    growth,
    inside,
    judge,
    latency,
    many,
    memory,
    original,
    push,
    scale_out,
    scrub,
    slow,
    startup,
    tus,
    upload,
    validate,
    watch,
)

BENCHES: Mapping[str, Callable[[Context], Table]] = {
    "upload": upload.run,
    "validate": validate.run,
    "tus": tus.run,
    "push": push.run,
    "many": many.run,
    "client-memory": client_memory.run,
    "original": original.run,
    "download": download.run,
    "checked": checked.run,
    "memory": memory.run,
    "catalog": catalog.run,
    "startup": startup.run,
    "latency": latency.run,
    "slow": slow.run,
    "inside": inside.run,
    "dashboard": dashboard.run,
    "judge": judge.run,
    "watch": watch.run,
    "scrub": scrub.run,
    "drill": drill.run,
    "chains": chains.run,
    "scale-out": scale_out.run,
    "growth": growth.run,
}
