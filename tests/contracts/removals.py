"""
What every `Catalog` promises of removed archives, and of those that do not restore: `Removals`, a part of its contract.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import ArchiveState, BackupArchive
from tarkeep.domain.archives.inventory import InventoryEntry
from tarkeep.domain.errors.archives import ArchiveNotFound
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.catalog import AlreadyStored, Catalog, Claimed
from tests.support.archives import NOON, make_archive
from tests.support.catalogs import all_archives
from tests.support.claims import LEASE, confirm

FULL, INC = BackupType.FULL, BackupType.INC


def removed(catalog: Catalog, *archives: BackupArchive) -> list[BackupArchive]:
    """*archives*, entered and trashed."""
    catalog.adopt(archives)
    for archive in archives:
        catalog.mark(archive.id, ArchiveState.TRASHED)
    return [evolve(archive, state=ArchiveState.TRASHED) for archive in archives]


class RemovalsContract:
    def test_trashed_entries_are_listed_in_order(self, catalog: Catalog) -> None:
        """Of all profiles, as they were, and no others."""
        archives = [
            make_archive("b.tar.gz", profile="web", type=INC),
            make_archive("a.tar.gz", profile="web", type=INC),
            make_archive("a.tar.gz", profile="db", type=FULL),
        ]
        catalog.adopt([make_archive("stays.tar.gz")])
        catalog.claim(make_archive("claimed.tar.gz"), LEASE)
        found = removed(catalog, *archives)

        assert catalog.trashed() == sorted(found, key=lambda archive: archive.id)

    def test_names_are_looked_up_among_the_trashed_alone(self, catalog: Catalog) -> None:
        gone, stays = make_archive("gone.tar.gz"), make_archive("stays.tar.gz")
        catalog.adopt([stays])
        removed(catalog, gone, make_archive("gone.tar.gz", profile="another"))

        found = catalog.removed(gone.id.profile, gone.id.type, ["gone.tar.gz", "stays.tar.gz", "nowhere.tar.gz"])

        digests = gone.digests
        assert found == [InventoryEntry(gone.id.type, "gone.tar.gz", gone.size_bytes, digests.md5, digests.sha256)]
        assert catalog.removed(gone.id.profile, gone.id.type, []) == []
        assert catalog.removed("../no profile", gone.id.type, ["gone.tar.gz"]) == []

    def test_an_archive_is_hidden_only_while_nothing_else_happens_to_its_profile(self, catalog: Catalog) -> None:
        """What comes, goes or changes before leaves it as it is; the version that is returned is the present one."""
        one, other = make_archive("one.tar.gz"), make_archive("other.tar.gz")
        catalog.adopt([one, other, make_archive("one.tar.gz", profile="another")])
        profile = one.id.profile
        before = catalog.link_state(profile).version
        catalog.mark(other.id, ArchiveState.DAMAGED)

        assert catalog.hide(one.id, before) is None
        assert catalog.find(one.id) == one
        version = catalog.link_state(profile).version
        catalog.claim(make_archive("claimed.tar.gz"), LEASE)
        catalog.mark(ArchiveId("another", one.id.type, one.id.name), ArchiveState.DAMAGED)
        hidden = catalog.hide(one.id, version)

        assert hidden == catalog.link_state(profile).version != version
        assert catalog.trashed() == [evolve(one, state=ArchiveState.TRASHED)]
        confirm(catalog, make_archive("claimed.tar.gz"))
        assert catalog.hide(other.id, hidden) is None
        assert catalog.is_sound()

    def test_only_what_is_stored_can_be_hidden(self, catalog: Catalog) -> None:
        (gone,) = removed(catalog, make_archive("gone.tar.gz"))
        version = catalog.link_state(gone.id.profile).version

        for id in (gone.id, ArchiveId("p", FULL, "nowhere.tar.gz")):
            with pytest.raises(ArchiveNotFound):
                catalog.hide(id, version)

        assert catalog.link_state(gone.id.profile).version == version

    def test_a_forgotten_identity_is_free(self, catalog: Catalog) -> None:
        """Nothing is left of the entry, and the next archive of that name is a new one."""
        (gone,) = removed(catalog, make_archive("gone.tar.gz"))
        assert catalog.claim(make_archive("gone.tar.gz"), LEASE) == AlreadyStored(gone)

        catalog.forget(gone.id)
        catalog.forget(gone.id)

        assert catalog.trashed() == []
        assert catalog.entries(gone.id.profile) == []
        assert isinstance(catalog.claim(make_archive("gone.tar.gz"), LEASE), Claimed)
        confirm(catalog, make_archive("gone.tar.gz"))
        assert all_archives(catalog) == [make_archive("gone.tar.gz")]
        assert catalog.is_sound()

    @pytest.mark.parametrize("state", [ArchiveState.STORED, ArchiveState.DAMAGED])
    def test_only_trashed_entries_can_be_forgotten(self, catalog: Catalog, state: ArchiveState) -> None:
        stored, claimed = evolve(make_archive("stored.tar.gz"), state=state), make_archive("claimed.tar.gz")
        catalog.adopt([stored])
        catalog.claim(claimed, LEASE)

        for id in (stored.id, claimed.id, ArchiveId("p", FULL, "nowhere.tar.gz")):
            catalog.forget(id)

        assert catalog.find(stored.id) == stored
        assert catalog.open_claims() == [claimed]

    def test_the_first_time_an_archive_was_found_broken_stays(self, catalog: Catalog) -> None:
        one, other = ArchiveId("p", FULL, "one.tar.gz"), ArchiveId("p", INC, "other.tar.gz")
        catalog.note_broken("p", [one], NOON)
        catalog.note_broken("q", [ArchiveId("q", FULL, "one.tar.gz")], NOON)

        catalog.note_broken("p", [one, other], NOON + timedelta(days=1))

        assert catalog.broken_since("p") == {one: NOON, other: NOON + timedelta(days=1)}
        assert catalog.broken_since("nowhere") == {}
        assert catalog.broken_since("../no profile") == {}

    def test_an_archive_that_restores_again_is_forgotten(self, catalog: Catalog) -> None:
        one = ArchiveId("p", FULL, "one.tar.gz")
        catalog.note_broken("p", [one], NOON)

        catalog.note_broken("p", [], NOON + timedelta(days=1))
        assert catalog.broken_since("p") == {}

        catalog.note_broken("p", [one], NOON + timedelta(days=2))
        assert catalog.broken_since("p") == {one: NOON + timedelta(days=2)}
