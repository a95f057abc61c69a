"""
Which writers of one database exclude which.

SQLite has one writer at a time. In PostgreSQL servers write beside each other: each transaction takes locks at its
start, before it reads, so that what it read stays true until it commits. They end with the transaction, since a pooler
such as pgbouncer gives the next one another session.

The rule of the catalog: who changes something of a profile holds the lock of that profile, who changes anything else
holds that of everybody, and both share the lock of the whole catalog, which who replaces it holds alone. Whoever holds
locks only tries to get further ones, so that no two wait for each other.
"""

from __future__ import annotations

from enum import Enum
from hashlib import blake2b

from sqlalchemy import BigInteger, bindparam, func, select, text

from ..statements import Transaction


class Exclusion(Enum):
    """What is changed under one lock, by its number in the database."""

    CATALOG = 8_386_654_245_126_367_598
    NEW_TOTALS = 5_718_020_318_114_021_860
    # the smaller tables together
    SETTINGS = 5_718_020_318_114_021_861
    AUDIT = 5_718_020_318_114_021_862
    EVIDENCE = 5_718_020_318_114_021_863


def excluding(dialect: str, busy_seconds: float, exclusion: Exclusion = Exclusion.CATALOG) -> str:
    """
    The statement that begins a transaction without other writers, having waited for them *busy_seconds* at most.

    Those are the ones with the same *exclusion*, in SQLite all.
    """
    if dialect == "sqlite":  # which waits as its connection says
        return "BEGIN IMMEDIATE"  # one that reads first and then writes cannot wait for the lock, it fails at once
    return f"{_beginning(busy_seconds)}; SELECT pg_advisory_xact_lock({exclusion.value})"


def sharing(dialect: str, busy_seconds: float, of: str) -> str:
    """The statement that begins a transaction for changes of the catalog's profile *of*, or of everybody."""
    if dialect == "sqlite":
        return excluding(dialect, busy_seconds)
    everything = f"SELECT pg_advisory_xact_lock_shared({Exclusion.CATALOG.value})"
    return f"{_beginning(busy_seconds)}; {everything}; SELECT pg_advisory_xact_lock({_number(of)})"


def _beginning(busy_seconds: float) -> str:
    return f"BEGIN; SET LOCAL lock_timeout = {max(round(busy_seconds * 1000), 1)}"


def joins(transaction: Transaction, of: str) -> bool:
    """Whether *transaction*, begun by `sharing`, may change the profile *of*, too: nobody else changes it."""
    if transaction.dialect == "sqlite" or of in transaction.holds:
        return True
    ((is_free,),) = transaction.rows(_TRY, {"number": _number(of)})
    if is_free:
        transaction.holds.add(of)
    return bool(is_free)


def alone_with_profile(transaction: Transaction, of: str) -> None:
    """
    Wait until nobody else changes the profile *of*, until the end of *transaction*.

    For one that changes other tables: who has a lock of the catalog wants none of theirs.
    """
    if transaction.dialect != "sqlite":
        transaction.rows(_WAIT, {"number": _number(of)})


def alone_with_new_totals(transaction: Transaction) -> None:
    """
    Wait until nobody else numbers new totals, until the end of *transaction*: numbers become visible in their order.

    Also for whoever holds other locks: whoever numbers waits for no other lock any more.
    """
    if transaction.dialect != "sqlite":
        transaction.rows(_NUMBERING, {})


def _number(of: str) -> int:
    """The number of the lock of *of*; the same for two profiles is no harm."""
    return int.from_bytes(blake2b(of.encode(), digest_size=8, person=b"tarkeep").digest(), signed=True)


_TRY = select(func.pg_try_advisory_xact_lock(bindparam("number", type_=BigInteger)))
_WAIT = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))
_NUMBERING = text(f"SELECT pg_advisory_xact_lock({Exclusion.NEW_TOTALS.value})")
