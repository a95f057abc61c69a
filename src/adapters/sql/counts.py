"""The sums of the SQL catalog, which every change of an entry changes in its transaction."""

from __future__ import annotations

from sqlalchemy import bindparam, update

from .schema import totals
from .shared.exclusion import alone_with_new_totals
from .statements import Transaction


def add_to_totals(transaction: Transaction, profile: str, type: str, archives: int, size_bytes: int) -> None:
    """Add *archives* with *size_bytes* altogether to the sums of *profile*; both may be negative."""
    if not transaction.run(_ADD, {"of_profile": profile, "of_type": type, "more": archives, "more_bytes": size_bytes}):
        alone_with_new_totals(transaction)
        transaction.run(_FIRST, {"profile": profile, "type": type, "archives": archives, "size_bytes": size_bytes})


_t = totals.c
_ADD = (
    update(totals)
    .where(_t.profile == bindparam("of_profile"), _t.type == bindparam("of_type"))
    .values(
        archives=_t.archives + bindparam("more", type_=_t.archives.type),
        size_bytes=_t.size_bytes + bindparam("more_bytes", type_=_t.size_bytes.type),
    )
)
_FIRST = totals.insert().inline()
