"""
``tarkeep push`` of one large archive, against curl that PUTs it.

The client does more than curl: it asks what is stored, computes the SHA-256 of what it sends and compares it with the
server's, sends in a way that can be resumed, and records all that for the next run.
"""

from __future__ import annotations

from pathlib import Path

from ..contestants import check_stored
from ..corpus import Archive, real_archive, tiny_archive
from ..report import Table, Target, race_row
from ..runner import Context, Entrant, Sample, race, settle, upload_entrant
from ..tarkeep_client import Client, check_summary
from ..tarkeep_server import PROFILE, Tarkeep

TO_CURL = Target(1.2)


def run(context: Context) -> Table:
    archive = real_archive(context.corpus, quick=context.quick)
    tiny = tiny_archive(context.corpus)
    servers = [Tarkeep(validate=how, route="raw") for how in ("full", "off")]
    curls = [
        Entrant(f"curl, validation {server.validate}", upload_entrant(server, archive, tiny).run) for server in servers
    ]
    pushes = [_push(server, archive, tiny) for server in servers]
    first, *others = [entrant for pair in zip(curls, pushes, strict=True) for entrant in pair]
    result = race(first, others, context)
    rows = []
    for curl, push in zip(curls, pushes, strict=True):
        rows += [race_row(result, curl.label), race_row(result, push.label, to=curl.label, target=TO_CURL)]
    return Table(
        name="push",
        title=f"tarkeep push and curl PUT over loopback ({archive.label})",
        rows=rows,
        remarks=[
            "ratio: to curl of the same validation and round; from the start of the client to its end",
            "client and server share the machine's cores: what the client computes, the server waits for",
            result.disturbance(),
        ],
    )


def _push(server: Tarkeep, archive: Archive, warm_up: Archive) -> Entrant:
    def run(folder: Path) -> Sample:
        with server.start(folder) as running:
            client = Client(running.url, folder)
            client.run(client.push(warm_up.path, "--type", "FULL"))
            archive.warm()
            settle()
            before = running.server.cpu_seconds()
            finished = client.run(client.push(archive.path, "--type", "FULL"))
            used = running.server.cpu_seconds() - before
            peak = running.server.peak_mib()
            check_summary(finished.output, sent=1)
            check_stored(running.folder / "archives" / PROFILE / "FULL" / archive.path.name, archive)
        return Sample.of(finished, server_cpu_seconds=used, peak_mib=peak)

    return Entrant(f"tarkeep push, validation {server.validate}", run)
