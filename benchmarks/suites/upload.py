"""
Receiving without inspection: both digests and fsync, against reading the file once with ``md5sum``.

MD5 cannot be computed faster than ``md5sum`` does on one core, so the ratio shows the cost of everything else.
"""

from __future__ import annotations

from ..contestants import WrongAnswer
from ..corpus import Archive, real_archive, tiny_archive
from ..report import Table, Target, race_row, ratio_row
from ..runner import Context, Entrant, command_entrant, race, upload_entrant
from ..tarkeep_server import Tarkeep

MULTIPART = Target(1.5, stretch=1.2)
RAW_TO_MULTIPART = Target(1.1)


def run(context: Context) -> Table:
    archive = real_archive(context.corpus, quick=context.quick)
    tiny = tiny_archive(context.corpus)
    yardstick = md5sum(archive)
    multipart, raw = Tarkeep(validate="off"), Tarkeep(validate="off", route="raw")
    result = race(yardstick, [upload_entrant(multipart, archive, tiny), upload_entrant(raw, archive, tiny)], context)
    return Table(
        name="upload",
        title=f"multipart and raw uploads, MD5 + SHA-256 + fsync, no validation ({archive.label})",
        rows=[
            race_row(result, yardstick.label),
            race_row(result, multipart.title, to=yardstick.label, target=MULTIPART),
            race_row(result, raw.title, to=yardstick.label),
            ratio_row("raw to multipart", result.ratio(raw.title, multipart.title), RAW_TO_MULTIPART),
        ],
        remarks=["ratio: to md5sum of the same round", result.disturbance()],
    )


def md5sum(archive: Archive) -> Entrant:
    """The yardstick ``md5sum FILE``."""

    def check(output: str) -> None:
        if output.split()[0] != archive.md5:
            raise WrongAnswer("md5sum disagrees")

    return command_entrant("md5sum", ["md5sum", str(archive.path)], archive, check)
