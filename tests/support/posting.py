"""
How users name, date and send dumps: with wrong clocks, only a day or nothing, out of order, with or without proof.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from attrs import frozen

from .real_people import Dump

CLOCKS = ("right", "right", "ahead from one on", "ahead once", "back once")
NAMES = ("stated", "named", "day", "today", "nothing")
ORDERS = ("in order", "in order", "backwards", "shuffled")
EVIDENCE = ("digests", "digests", "parents", "nothing")
"""Declarations about parents."""


@frozen
class Habit:
    """How a user names, dates and sends archives."""

    clock: str
    names: str
    order: str
    evidence: str

    @classmethod
    def drawn(cls, rng: random.Random) -> Habit:
        return cls(rng.choice(CLOCKS), rng.choice(NAMES), rng.choice(ORDERS), rng.choice(EVIDENCE))


@frozen
class Letter:
    """A dump as it is sent."""

    dump: Dump
    name: str
    headers: dict[str, str]

    @property
    def label(self) -> str:
        return f"{self.dump.type}/{self.name}"


def letters(dumps: list[Dump], habit: Habit, rng: random.Random) -> list[Letter]:
    """*dumps* with their names and declarations, in the order in which they were made."""
    slipped, names, found = rng.randrange(len(dumps)), {}, []
    now = datetime.now(UTC).replace(microsecond=0)
    for at, dump in enumerate(dumps):
        taken = now - timedelta(days=len(dumps) - 1 - at)
        if (habit.clock == "ahead from one on" and at >= slipped) or (habit.clock == "ahead once" and at == slipped):
            taken += timedelta(days=400)
        elif habit.clock == "back once" and at == slipped:
            taken = datetime(1970, 1, 1, 2, tzinfo=UTC)
        headers = {}
        name = f"{dump.type.lower()}-{dump.person}-{at}.tar.gz"
        if habit.names == "stated":
            headers["Tarkeep-Taken-At"] = taken.isoformat()
        elif habit.names == "named":
            name = f"{dump.type.lower()}-{dump.person}_{taken:%Y-%m-%d_%H-%M-%S}.tar.gz"
        elif habit.names == "day":
            name = f"{dump.type.lower()}-{dump.person}_{taken:%Y-%m-%d}.tar.gz"
        elif habit.names == "today":
            name = f"{dump.type.lower()}-{dump.person}-{at}_{now:%Y-%m-%d}.tar.gz"
        names[dump.person, dump.number] = name
        if habit.evidence == "digests":
            headers["Tarkeep-Snapshot-After"] = dump.after
            headers |= {"Tarkeep-Snapshot-Before": dump.before} if dump.before is not None else {}
        elif habit.evidence == "parents" and dump.parent is not None:
            parent = dump.parent
            headers["Tarkeep-Parent"] = f"{parent.type}/{names[parent.person, parent.number]}"
        found.append(Letter(dump, name, headers))
    return found


def posted(made: list[Letter], habit: Habit, rng: random.Random) -> list[Letter]:
    """*made* in the order in which they are sent."""
    found = list(made)
    if habit.order == "backwards":
        found.reverse()
    elif habit.order == "shuffled":
        rng.shuffle(found)
    return found
