"""
Tarkeep against other servers that take a file over HTTP, first of all the one that it replaces.

The targets are for validation switched off, which is closest to the work of the peers; the default is shown beside it.
"""

from __future__ import annotations

from ..corpus import real_archive, tiny_archive
from ..peers import Original, Rclone, all_peers
from ..report import Row, Table, Target, race_row, ratio_row
from ..runner import Context, race, upload_entrant
from ..tarkeep_server import Tarkeep

TIMES_AS_FAST_AS_ORIGINAL = Target(2.5, at_least=True)
TIMES_AS_FAST_AS_RCLONE = Target(1.0, at_least=True)


def run(context: Context) -> Table:
    archive = real_archive(context.corpus, quick=context.quick)
    tiny = tiny_archive(context.corpus)
    peers = all_peers(context.work)
    absent = [(peer, reason) for peer in peers if (reason := peer.missing())]
    present = [peer for peer in peers if peer not in [peer for peer, _ in absent]]
    plain, default = Tarkeep(validate="off"), Tarkeep()
    first, *others = [upload_entrant(contestant, archive, tiny) for contestant in (plain, default, *present)]
    result = race(first, others, context)

    rows = [race_row(result, entrant.label) for entrant in (first, *others)]
    targets = {Original: TIMES_AS_FAST_AS_ORIGINAL, Rclone: TIMES_AS_FAST_AS_RCLONE}
    for peer in present:
        target = targets.get(type(peer))
        rows.append(ratio_row(f"{peer.title} / {plain.title}", result.ratio(peer.title, plain.title), target))
        rows.append(ratio_row(f"{peer.title} / {default.title}", result.ratio(peer.title, default.title)))
    rows += [Row(peer.title, measured=reason) for peer, reason in absent]
    return Table(
        name="original",
        title=f"uploads to the original and other servers ({archive.label})",
        rows=rows,
        remarks=[
            "a ratio of 2 means: Tarkeep took half the time of that peer in the same round",
            "no peer flushes to the disk before it answers, only the original computes a digest (MD5), none validates",
            result.disturbance(),
            f"versions: {'; '.join(peer.version() for peer in present)}",
        ],
    )
