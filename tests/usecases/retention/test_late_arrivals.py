"""A dump was under way when what it continues from went to the trash: it is received, and restores."""

from __future__ import annotations

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import Lineage, Offer
from tarkeep.domain.errors.restoring import ParentMismatch
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.profiles.retention_policy import Every, KeepRule
from tarkeep.domain.profiles.rules import ProfileRules, RuleBook
from tarkeep.domain.profiles.span import Span
from tests.support.nights import NIGHT, POLICY, Nights

FULL, INC = BackupType.FULL, BackupType.INC
LETS_GO = evolve(POLICY, rules=(KeepRule(Every.DAY, Span.parse("2d")),), minimum_fulls=0, ages_when_silent=True)
LEFT = "a5" * 32
"""The digest of the snapshot file that the base of the dump left behind."""


def begun(nights: Nights) -> tuple[list[ArchiveId], Offer, bytes]:
    """A chain of two, the last of which left a snapshot file; and an INC that continues from it and is not sent yet."""
    chain = [nights.night(FULL), nights.night(INC, lineage=Lineage(snapshot_after=LEFT))]
    id, content = nights.dump(INC)
    return chain, Offer(evolve(id, name="late.tar.gz")), content


@pytest.mark.parametrize("states_parent", [False, True])
def test_what_a_dump_started_from_comes_back_with_it(nights: Nights, states_parent: bool) -> None:
    chain, late, content = begun(nights)
    new = nights.chain(3)
    assert nights.prune() == chain[::-1]
    lineage = Lineage((INC, chain[1].name) if states_parent else None, LEFT)

    received = nights.tarkeep.receive(evolve(late, lineage=lineage), [content])

    assert received.brought_back == tuple(chain)
    assert received.warnings == ()
    assert nights.stored() == [*chain, *new, late.id]
    assert nights.restored(late.id)
    nights.clock.advance(NIGHT)
    nights.prune()
    assert nights.restored(late.id)


def test_a_declared_parent_comes_back_if_it_is_newer_than_all_that_is_left(nights: Nights) -> None:
    """Without a snapshot file nothing else shows that the dump continued from it."""
    chain, late, content = begun(nights)
    nights.tarkeep.make_hold(chain[0], "audit", "tax audit")
    nights.rules.book = RuleBook((("*", ProfileRules(retention=LETS_GO)),))
    nights.clock.advance(9 * NIGHT)
    assert nights.prune() == [chain[1]]

    received = nights.tarkeep.receive(evolve(late, lineage=Lineage((INC, chain[1].name))), [content])

    assert received.brought_back == (chain[1],)
    assert nights.restored(late.id)


def test_nothing_but_the_newest_is_brought_back_by_declaring_it(nights: Nights) -> None:
    """Whoever may only push cannot empty the trash into the store."""
    chain, late, content = begun(nights)
    new = nights.chain(3)
    nights.prune()

    with pytest.raises(ParentMismatch):
        nights.tarkeep.receive(evolve(late, lineage=Lineage((INC, chain[1].name))), [content])
    with pytest.raises(ParentMismatch):
        nights.tarkeep.receive(evolve(late, lineage=Lineage((INC, chain[1].name), "b6" * 32)), [content])

    assert nights.stored() == new


def test_a_parent_whose_bytes_are_gone_is_refused_as_ever(nights: Nights) -> None:
    chain, late, content = begun(nights)
    nights.chain(3)
    nights.prune()
    nights.clock.advance(8 * NIGHT)
    nights.tarkeep.purge_trash()

    with pytest.raises(ParentMismatch, match="is not stored"):
        nights.tarkeep.receive(evolve(late, lineage=Lineage((INC, chain[1].name), LEFT)), [content])


def test_what_builds_by_rule_on_the_trash_brings_it_back(nights: Nights) -> None:
    """Nothing is declared; the newest archive before it lies in the trash, and an older one is stored."""
    chain, late, content = begun(nights)
    nights.tarkeep.make_hold(chain[0], "audit", "tax audit")
    nights.rules.book = RuleBook((("*", ProfileRules(retention=LETS_GO)),))
    nights.clock.advance(9 * NIGHT)
    assert nights.prune() == [chain[1]]

    received = nights.tarkeep.receive(late, [content])

    assert received.brought_back == (chain[1],)
    assert nights.restored(late.id)
