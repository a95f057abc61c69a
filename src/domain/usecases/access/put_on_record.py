"""Adding to the evidence what was done, and saying so where that fails."""

from __future__ import annotations

from ...errors.access import EvidenceNotWritten
from ...evidence.entry import EvidenceEntry
from ...ports.upkeep.evidence import EvidenceLog
from ...tarkeep_error import TarkeepError


def put_on_record(entry: EvidenceEntry, evidence: EvidenceLog, what: str, *, is_void: bool = False) -> None:
    """
    Add *entry* to *evidence*; *what* says as a sentence without its full stop what happened all the same, and
    *is_void* that it does not count without evidence.

    Raises:
        EvidenceNotWritten: it could not be added.
    """
    try:
        evidence.append(entry)
    except TarkeepError as error:
        raise EvidenceNotWritten(what, str(error), is_void) from error
