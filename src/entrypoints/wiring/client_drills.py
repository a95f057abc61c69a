"""The client's composition root for restore drills."""

from __future__ import annotations

import time
from pathlib import Path

from ...adapters.http.drills import HttpDrills
from ...domain.client.drills.run_drill import RunDrill
from ...domain.client.ports.drilling import RemoteDrills
from .client import Client


def drills(client: Client) -> RemoteDrills:
    """The drills of the server of *client*."""
    return HttpDrills(client.connection)


def run_drill(client: Client, scratch: Path, sandbox: str) -> RunDrill:
    """The use case, with tar kept by *sandbox* in a new folder within *scratch*."""
    from ...adapters.gnu_tar.members import TarMembers  # these look into archives; a list needs neither
    from ...adapters.local.drill_room import SandboxedRoom

    room = SandboxedRoom(scratch, sandbox)
    return RunDrill(HttpDrills(client.connection), room, TarMembers(), client.hasher, time.monotonic, client.retrying)
