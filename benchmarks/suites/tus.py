"""
A resumable upload of one large archive, against the same archive in one PUT.

Both are sent by curl. The resumable one is two requests, POST and PATCH, and so two starts of curl.
"""

from __future__ import annotations

from ..corpus import real_archive, tiny_archive
from ..report import Table, Target, race_row
from ..runner import Context, race, upload_entrant
from ..tarkeep_server import Tarkeep

TO_RAW = Target(1.15)


def run(context: Context) -> Table:
    archive = real_archive(context.corpus, quick=context.quick)
    tiny = tiny_archive(context.corpus)
    pairs = [(Tarkeep(validate=how, route="raw"), Tarkeep(validate=how, route="tus")) for how in ("full", "off")]
    first, *others = [upload_entrant(contestant, archive, tiny) for pair in pairs for contestant in pair]
    result = race(first, others, context)
    rows = []
    for raw, tus in pairs:
        rows += [race_row(result, raw.title), race_row(result, tus.title, to=raw.title, target=TO_RAW)]
    return Table(
        name="tus",
        title=f"a resumable upload in one piece, and one PUT ({archive.label})",
        rows=rows,
        remarks=[
            "ratio: to raw of the same validation and round",
            "what a PATCH has sent is on the disk every 8 MB, and noted; a PUT is flushed once, at its end",
            result.disturbance(),
        ],
    )
