"""How far an archive may expand."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import ge


@frozen
class InspectionLimits:
    """
    How far an archive may expand; one that expands further is refused.

    *max_members* counts entries, and also limits the names in all listings; *max_records* counts what adds no entry but
    takes time: extension headers, the blocks of sparse maps, and pax records, of which one header may have
    *max_pax_records*. *max_name_bytes* is for one path, link target, listed name or owner, *max_header_bytes* for all
    that is recorded of one member, such as the listing of a directory (of 1.5 million names), and *max_global_bytes*
    for the global headers, which apply to every member.
    """

    max_unpacked_bytes: int = field(default=64 << 30, validator=ge(0))
    max_members: int = field(default=10_000_000, validator=ge(0))
    max_name_bytes: int = field(default=65_536, validator=ge(0))
    max_records: int = field(default=160_000_000, validator=ge(0))
    max_pax_records: int = field(default=100_000, validator=ge(0))
    max_header_bytes: int = field(default=32 << 20, validator=ge(0))
    max_global_bytes: int = field(default=8 << 10, validator=ge(0))
