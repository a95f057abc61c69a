"""
What every `Catalog` promises; each sentence of the port's docstrings has its test here.

A test file of an adapter subclasses `CatalogContract` and provides the fixture ``catalog``: a new, empty one.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import AfterEnd, ArchiveState, BackupArchive, Contents, Kind, Lineage
from tarkeep.domain.archives.inventory import InventoryEntry
from tarkeep.domain.archives.totals import Sums, Totals
from tarkeep.domain.errors.archives import ArchiveNotFound, ClaimLost
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.catalog import AlreadyStored, Catalog, Claimed, ClaimedElsewhere, ListedArchive
from tarkeep.domain.retention.arrival import arrival_of
from tests.contracts.claims import ClaimsContract
from tests.contracts.removals import RemovalsContract
from tests.support.archives import NOON, make_archive
from tests.support.catalogs import all_archives, all_entries, recounted
from tests.support.claims import LEASE, claimed, confirm

FULL, INC, DIFF = BackupType.FULL, BackupType.INC, BackupType.DIFF


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def summed(rows: Iterable[Totals]) -> dict[BackupType, Sums]:
    rows = list(rows)
    return {
        type: Sums(
            sum(row.archives for row in rows if row.type is type),
            sum(row.size_bytes for row in rows if row.type is type),
        )
        for type in BackupType
    }


def several() -> list[BackupArchive]:
    """Ten archives of three profiles and all types, in no particular order, some with equal times."""
    return [
        make_archive(f"{number}.tar.gz".rjust(10, "a"), profile=profile, type=type, received_at=later(seconds))
        for number, (profile, type, seconds) in enumerate(
            [
                ("web", INC, 50),
                ("db", FULL, 10),
                ("web", FULL, 10),
                ("db", INC, 20),
                ("mail", DIFF, 70),
                ("web", INC, 20),
                ("web", DIFF, 20),
                ("db", FULL, 5),
                ("web", INC, 20),
                ("db", DIFF, 90),
            ]
        )
    ]


class CatalogContract(ClaimsContract, RemovalsContract):
    # -- what is kept --

    def test_all_of_an_archive_is_kept(self, catalog: Catalog) -> None:
        """Its contents and its lineage, whichever method enters it."""
        roots, after_end = ("document", "\\xff", "/"), AfterEnd(5, is_tar=True)
        contents = Contents(Kind.INCREMENTAL, 3, 10_240, later(1), has_unchanged=True, roots=roots, after_end=after_end)
        lineages = [
            Lineage(),
            Lineage((FULL, "full.tar.gz"), "0a" * 32, "1b" * 32),
            Lineage(parent=(INC, "inc.tar.gz")),
            Lineage(snapshot_after="2c" * 32),
        ]
        archives = [
            evolve(make_archive(f"{number}.tar.gz"), lineage=lineage, contents=contents)
            for number, lineage in enumerate(lineages)
        ]
        archives[1] = evolve(archives[1], notes=("a/b could not be read", "ärger, \\xff"))
        catalog.claim(archives[0], LEASE)
        confirm(catalog, archives[0])
        catalog.adopt(archives)

        assert list(catalog.page().archives) == archives
        assert catalog.replace(archives) == 4
        assert [catalog.find(archive.id) for archive in archives] == archives

    # -- claims --

    def test_a_free_identity_is_claimed(self, catalog: Catalog) -> None:
        """The first to ask for an identity gets it."""
        outcome = catalog.claim(make_archive(), LEASE)

        assert isinstance(outcome, Claimed)

    def test_a_claimed_identity_is_refused(self, catalog: Catalog) -> None:
        """While a claim is open, no other caller gets the identity, whatever bytes it has."""
        catalog.claim(make_archive(content=b"first"), LEASE)

        outcome = catalog.claim(make_archive(content=b"second"), LEASE)

        assert outcome == ClaimedElsewhere()
        assert catalog.open_claims() == [make_archive(content=b"first")]

    def test_a_stored_identity_is_answered_with_its_entry(self, catalog: Catalog) -> None:
        """Claiming a stored identity returns the stored archive, not the offered one."""
        stored = make_archive(content=b"first")
        catalog.adopt([stored])

        outcome = catalog.claim(make_archive(content=b"second"), LEASE)

        assert outcome == AlreadyStored(stored)
        assert catalog.open_claims() == []

    @pytest.mark.parametrize(
        "other",
        [make_archive(profile="other"), make_archive(type=INC), make_archive("other.tar.gz")],
        ids=["profile", "type", "name"],
    )
    def test_an_identity_is_profile_and_type_and_name(self, catalog: Catalog, other: BackupArchive) -> None:
        """Archives that differ in one part of the identity do not block each other."""
        catalog.claim(make_archive(), LEASE)

        outcome = catalog.claim(other, LEASE)

        assert isinstance(outcome, Claimed)

    def test_racing_claims_have_one_winner(self, catalog: Catalog) -> None:
        """Of eight threads claiming one identity at the same moment, one gets it and seven are refused."""
        rounds, threads = 10, 8
        start = Barrier(threads)

        def race(thread: int) -> list[object]:
            outcomes: list[object] = []
            for number in range(rounds):
                start.wait(timeout=60)
                outcomes.append(catalog.claim(make_archive(f"race-{number}.tar.gz", content=bytes([thread])), LEASE))
            return outcomes

        with ThreadPoolExecutor(threads) as pool:
            by_thread = list(pool.map(race, range(threads)))

        for outcomes in zip(*by_thread, strict=True):
            assert sum(isinstance(outcome, Claimed) for outcome in outcomes) == 1
            assert outcomes.count(ClaimedElsewhere()) == threads - 1

    def test_an_open_claim_is_no_entry(self, catalog: Catalog) -> None:
        """A claim is seen by `claim` and `open_claims` only."""
        archive = make_archive()
        catalog.claim(archive, LEASE)

        assert catalog.open_claims() == [archive]
        assert catalog.page().archives == ()
        assert catalog.inventory().entries == ()
        assert catalog.inventory(profile=archive.id.profile).entries == ()
        assert catalog.named(archive.id.type, archive.id.name) == []
        assert catalog.totals() == []
        with pytest.raises(ArchiveNotFound):
            catalog.find(archive.id)
        with pytest.raises(ArchiveNotFound):
            catalog.mark(archive.id, ArchiveState.DAMAGED)

    def test_open_claims_come_in_the_order_of_ids(self, catalog: Catalog) -> None:
        """Claims are complete, and listed by profile, type and name, in whatever order they were made."""
        claimed = several()
        for archive in claimed:
            catalog.claim(archive, LEASE)

        assert catalog.open_claims() == sorted(claimed, key=lambda archive: archive.id)

    def test_a_confirmed_claim_is_an_entry(self, catalog: Catalog) -> None:
        """Confirming makes the claim an entry everywhere and ends the claim."""
        archive = make_archive()
        catalog.claim(archive, LEASE)

        confirm(catalog, archive)

        assert catalog.open_claims() == []
        assert catalog.find(archive.id) == archive
        assert catalog.page().archives == (archive,)
        assert catalog.claim(archive, LEASE) == AlreadyStored(archive)

    def test_confirm_enters_what_it_is_given(self, catalog: Catalog) -> None:
        """The entry equals the confirmed archive, even if that differs from the claimed one."""
        claimed = make_archive(content=b"planned")
        confirmed = evolve(make_archive(content=b"what it became", received_at=later(9)), contents=None)
        catalog.claim(claimed, LEASE)

        confirm(catalog, confirmed)

        assert catalog.find(claimed.id) == confirmed
        assert catalog.totals() == recounted([confirmed])

    def test_confirm_needs_a_claim(self, catalog: Catalog) -> None:
        """Nothing becomes an entry through `confirm` without an open claim."""
        archive = make_archive()

        with pytest.raises(ClaimLost) as caught:
            catalog.confirm(archive, "")

        assert caught.value.id == archive.id
        assert catalog.page().archives == ()
        assert catalog.totals() == []

    def test_confirm_works_once(self, catalog: Catalog) -> None:
        """A second `confirm` of other bytes is an error and changes nothing."""
        archive = make_archive()
        token = claimed(catalog, archive)
        catalog.confirm(archive, token)

        with pytest.raises(ClaimLost):
            catalog.confirm(make_archive(content=b"other"), token)

        assert catalog.find(archive.id) == archive
        assert catalog.totals() == recounted([archive])

    def test_a_released_identity_is_free_again(self, catalog: Catalog) -> None:
        """After `release` the identity can be claimed, and only that one was released."""
        archive, other = make_archive(), make_archive("other.tar.gz")
        token = claimed(catalog, archive)
        catalog.claim(other, LEASE)

        catalog.release(archive.id, token)

        assert catalog.open_claims() == [other]
        assert isinstance(catalog.claim(archive, LEASE), Claimed)

    def test_release_leaves_entries_alone(self, catalog: Catalog) -> None:
        """Releasing a stored or an unknown identity changes nothing."""
        archive = make_archive()
        catalog.adopt([archive])

        for id in (archive.id, ArchiveId("nobody", INC, "unknown.tar.gz")):
            with pytest.raises(ClaimLost):
                catalog.release(id, "")

        assert catalog.find(archive.id) == archive
        assert catalog.totals() == recounted([archive])

    # -- adopting and replacing --

    def test_adopt_enters_and_counts(self, catalog: Catalog) -> None:
        """All archives become entries, and their number is returned."""
        archives = several()

        entered = catalog.adopt(archives)

        assert entered == len(archives)
        assert set(all_archives(catalog)) == set(archives)

    def test_adopt_of_nothing(self, catalog: Catalog) -> None:
        """An empty sequence is fine."""
        assert catalog.adopt([]) == 0

    def test_adopt_keeps_what_exists(self, catalog: Catalog) -> None:
        """Entries and claims stay as they are and do not count as new; of a pair in one call the first counts."""
        entry, claim, new = (make_archive(f"number-{n}.tar.gz") for n in range(3))
        catalog.adopt([entry])
        catalog.claim(claim, LEASE)
        others = [make_archive(a.id.name, content=b"other bytes") for a in (entry, claim, new)]

        entered = catalog.adopt([*others[:2], new, others[2]])

        assert entered == 1
        assert catalog.find(entry.id) == entry
        assert catalog.find(new.id) == new
        assert catalog.open_claims() == [claim]
        assert catalog.totals() == recounted([entry, new])

    def test_replace_forgets_everything_else(self, catalog: Catalog) -> None:
        """Entries, hidden entries and claims are replaced by the new archives."""
        old, claim, *new = several()
        catalog.adopt([old, make_archive("hidden.tar.gz")])
        catalog.mark(make_archive("hidden.tar.gz").id, ArchiveState.TRASHED)
        catalog.claim(claim, LEASE)

        entered = catalog.replace(iter(new))

        assert entered == len(new)
        assert set(all_archives(catalog)) == set(new)
        assert catalog.open_claims() == []
        assert catalog.totals() == recounted(new)
        assert isinstance(catalog.claim(claim, LEASE), Claimed)
        assert isinstance(catalog.claim(make_archive("hidden.tar.gz"), LEASE), Claimed)

    def test_replace_with_nothing_empties(self, catalog: Catalog) -> None:
        """Replacing with no archives leaves an empty, working catalog."""
        catalog.adopt(several())

        assert catalog.replace([]) == 0
        assert catalog.page().archives == ()
        assert catalog.totals() == []
        assert catalog.adopt(several()) == len(several())

    def test_a_replace_that_breaks_off_changes_nothing(self, catalog: Catalog) -> None:
        """An error from the archives leaves entries, totals and claims as they were."""
        entry, claim, *others = several()
        catalog.adopt([entry])
        catalog.claim(claim, LEASE)

        def broken() -> Iterator[BackupArchive]:
            yield from others
            raise EOFError("the store went away")

        with pytest.raises(EOFError):
            catalog.replace(broken())

        assert all_archives(catalog) == [entry]
        assert catalog.open_claims() == [claim]
        assert catalog.totals() == recounted([entry])

    # -- what an entry holds --

    @pytest.mark.parametrize(
        "archive",
        [
            evolve(make_archive(), contents=None),
            evolve(make_archive(), contents=Contents(Kind.OPAQUE, 0, 0, None)),
            evolve(make_archive(), contents=Contents(Kind.INCREMENTAL, 7, 10_240, datetime(1969, 12, 31, tzinfo=UTC))),
            evolve(make_archive(), size_bytes=2**53 + 1),
            evolve(make_archive(), state=ArchiveState.DAMAGED),
            make_archive(received_at=datetime(2038, 1, 19, 3, 14, 8, 999_999, tzinfo=UTC)),
            make_archive(received_at=datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
            make_archive(received_at=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
            evolve(make_archive(), taken_at=datetime(2001, 2, 3, 4, 5, 6, 7, tzinfo=UTC)),
            make_archive("Äpfel и яблоки 果物.tar.gz"),
            make_archive("\U00020000 beyond the basic plane.tar.gz"),
            make_archive("100_ = a+b,(c) @d - e.tar.gz"),
        ],
        ids=[
            "not inspected",
            "opaque",
            "incremental",
            "large",
            "damaged",
            "microseconds",
            "first",
            "last",
            "taken",
            "scripts",
            "plane 2",
            "signs",
        ],
    )
    def test_an_entry_comes_back_equal(self, catalog: Catalog, archive: BackupArchive) -> None:
        """Every field of a claim and of an entry comes back exactly as it went in."""
        catalog.claim(archive, LEASE)
        claimed = catalog.open_claims()
        confirm(catalog, archive)

        assert claimed == [archive]
        assert catalog.find(archive.id) == archive
        assert catalog.page().archives == (archive,)
        assert catalog.totals()[0].newest == archive.received_at
        assert all_entries(catalog) == [
            InventoryEntry(
                archive.id.type,
                archive.id.name,
                archive.size_bytes,
                archive.digests.md5,
                archive.digests.sha256,
                is_damaged=archive.state is ArchiveState.DAMAGED,
            )
        ]

    # -- finding --

    def test_find_needs_the_whole_identity(self, catalog: Catalog) -> None:
        """An identity that differs in one part is not found, and the error names the requested one."""
        archive = make_archive()
        catalog.adopt([archive])
        asked = evolve(archive.id, type=DIFF)

        with pytest.raises(ArchiveNotFound) as caught:
            catalog.find(asked)

        assert caught.value.name == str(asked)

    def test_named_gives_every_profile(self, catalog: Catalog) -> None:
        """All entries of one type and name, by profile, and no others."""
        same = [make_archive(profile=profile) for profile in ("web", "Web", "db")]
        catalog.adopt([*same, make_archive(type=INC), make_archive("other.tar.gz")])

        found = catalog.named(FULL, same[0].id.name)

        assert [archive.id.profile for archive in found] == ["Web", "db", "web"]
        assert set(found) == set(same)

    @pytest.mark.parametrize("name", ["", "\0", "\ud800.tar.gz", "' OR 1=1 --", "x" * 100_000])
    def test_a_name_no_archive_can_have_is_not_found(self, catalog: Catalog, name: str) -> None:
        """Names that break the rules give an empty result, not an error."""
        catalog.adopt(several())

        assert catalog.named(FULL, name) == []
        assert catalog.page(profile=name).archives == ()
        assert catalog.inventory(profile=name).entries == ()
        assert catalog.totals(name) == []

    # -- pages --

    def test_a_page_is_in_the_order_received(self, catalog: Catalog) -> None:
        """Entries come by receive time, the oldest first."""
        catalog.adopt(several())

        page = catalog.page()

        times = [archive.received_at for archive in page.archives]
        assert times == sorted(times)
        assert len(times) == len(several())
        assert page.next_cursor is None

    @pytest.mark.parametrize("profile", ["web", "db", "nobody", "not a profile"])
    @pytest.mark.parametrize("type", [None, INC, FULL])
    @pytest.mark.parametrize("limit", [0, 1, 3, 100])
    def test_arrivals_are_the_last_of_a_page(
        self, catalog: Catalog, profile: str, type: BackupType | None, limit: int
    ) -> None:
        """The newest first; nothing that was removed is among them."""
        catalog.adopt(several())
        catalog.mark(several()[0].id, ArchiveState.TRASHED)

        in_order = catalog.page(profile=profile, type=type).archives
        assert catalog.arrivals(profile, type, limit=limit) == list(map(arrival_of, reversed(in_order)))[:limit]

    @pytest.mark.parametrize("profile", [None, "web", "db", "nobody"])
    @pytest.mark.parametrize("type", [None, INC, FULL])
    @pytest.mark.parametrize("limit", [1, 2, 3, 10, 11])
    def test_pages_join_to_the_whole(
        self, catalog: Catalog, profile: str | None, type: BackupType | None, limit: int
    ) -> None:
        """Pages of any length together give each matching entry once, in the same order."""
        archives = several()
        catalog.adopt(archives)
        in_order = catalog.page().archives

        walked = all_archives(catalog, profile=profile, type=type, limit=limit)

        wanted = [a for a in in_order if profile in (None, a.id.profile) and type in (None, a.id.type)]
        assert walked == wanted

    @pytest.mark.parametrize("limit", [1, 3, 100])
    @pytest.mark.parametrize("type", [None, INC])
    @pytest.mark.parametrize("profiles", [(), ("web",), ("db", "web"), ("db", "nobody"), ("mail", "db", "web", "no")])
    def test_pages_of_some_profiles_join_to_what_those_hold(
        self, catalog: Catalog, profiles: tuple[str, ...], type: BackupType | None, limit: int
    ) -> None:
        """In the common order, whatever other profiles hold; *profile* only counts if *profiles* contains it."""
        catalog.adopt(several())
        everything = all_archives(catalog, type=type)
        wanted = [archive for archive in everything if archive.id.profile in profiles]

        assert all_archives(catalog, profiles=profiles, type=type, limit=limit) == wanted
        for profile in ("web", "nobody"):
            of_one = [archive for archive in wanted if archive.id.profile == profile]
            assert all_archives(catalog, profile=profile, profiles=profiles, type=type, limit=limit) == of_one

    @pytest.mark.parametrize("seed", range(12))
    def test_pages_of_many_profiles_are_those_of_all_without_the_others(self, catalog: Catalog, seed: int) -> None:
        """For profiles with most or few of the entries, with mixed or later times, small and large."""
        rng = random.Random(seed)
        profiles = [f"p{number}" for number in range(rng.choice([3, 12, 60]))]
        weights = [rng.choice([1, 1, 1, 30]) for _ in profiles]
        asked = set(rng.sample(profiles, rng.randrange(1, len(profiles) + 1)))
        gap = rng.choice([0, 0, 500])
        archives = []
        for number in range(600):
            (profile,) = rng.choices(profiles, weights)
            seconds = rng.randrange(rng.choice([5, 400])) + gap * (profile in asked)
            archives.append(make_archive(f"{number:04}.tar.gz", profile=profile, received_at=later(seconds)))
        catalog.adopt(archives)
        wanted = [archive for archive in all_archives(catalog) if archive.id.profile in asked]

        for limit in (1, 7, 100):
            assert all_archives(catalog, profiles=asked, limit=limit) == wanted
            assert all_archives(catalog, profiles=asked, type=FULL, limit=limit) == wanted

    def test_a_walk_through_some_profiles_is_not_disturbed_by_changes(self, catalog: Catalog) -> None:
        """An entry present throughout is seen once; a removal meanwhile ends no walk early."""
        archives = [
            make_archive(f"{number:03}.tar.gz", profile=f"p{number % 20}", received_at=later(number))
            for number in range(200)
        ]
        catalog.adopt(archives)
        asked = {f"p{number}" for number in range(0, 20, 3)}
        seen: list[ArchiveId] = []
        cursor = None
        for step in range(100):
            page = catalog.page(profiles=asked, cursor=cursor, limit=3)
            seen += [archive.id for archive in page.archives]
            cursor = page.next_cursor
            catalog.adopt([make_archive(f"new-{step}.tar.gz", profile="p0", received_at=later(step))])
            catalog.mark(archives[(step * 7) % 200].id, ArchiveState.TRASHED)
            if cursor is None:
                break

        gone = {archives[(step * 7) % 200].id for step in range(100)}
        owed = [archive.id for archive in archives if archive.id.profile in asked and archive.id not in gone]
        assert [id for id in seen if id in owed] == owed

    def test_lists_say_what_pages_do(self, catalog: Catalog) -> None:
        """With the same cursors, which are valid in both."""
        catalog.adopt(several())
        catalog.mark(several()[0].id, ArchiveState.DAMAGED)
        cursor = None
        for _ in range(4):
            page, listed = catalog.page(cursor=cursor, limit=3), catalog.listed(cursor=cursor, limit=3)
            assert listed.next_cursor == page.next_cursor
            assert list(listed.archives) == [
                ListedArchive(
                    archive.id.profile,
                    archive.id.type,
                    archive.id.name,
                    archive.size_bytes,
                    archive.digests.md5,
                    archive.digests.sha256,
                    archive.received_at,
                    archive.state,
                )
                for archive in page.archives
            ]
            cursor = page.next_cursor
        assert cursor is None
        some = catalog.listed(profiles=["db", "mail"], type=DIFF)
        assert [archive.profile for archive in some.archives] == ["mail", "db"]

    def test_a_last_full_page_has_no_cursor(self, catalog: Catalog) -> None:
        """A page that ends exactly with the last entry has no next page."""
        catalog.adopt(several())

        assert catalog.page(limit=10).next_cursor is None
        assert catalog.page(limit=9).next_cursor is not None
        assert catalog.inventory(limit=10).next_cursor is None
        assert catalog.inventory(limit=9).next_cursor is not None

    def test_a_walk_is_not_disturbed_by_additions(self, catalog: Catalog) -> None:
        """An entry present throughout is seen exactly once, whatever is added before, at and after the cursor."""
        there = several()
        catalog.adopt(there)
        seen: list[BackupArchive] = []
        cursor, number = None, 0
        while True:
            page = catalog.page(cursor=cursor, limit=1)
            assert page.next_cursor != cursor, "the walk does not advance"
            seen += page.archives
            if (cursor := page.next_cursor) is None:
                break
            if number < 30:
                for seconds in (0, (page.archives[0].received_at - NOON).total_seconds(), 60):
                    number += 1
                    catalog.adopt([make_archive(f"added-{number}.tar.gz", received_at=later(seconds))])

        assert len(seen) == len(set(seen))
        assert [archive for archive in seen if archive in there] == [
            archive for archive in all_archives(catalog) if archive in there
        ]
        assert set(there) <= set(seen)

    def test_a_cursor_outlives_its_entry(self, catalog: Catalog) -> None:
        """Hiding the entry at a cursor neither loses nor repeats others."""
        catalog.adopt(several())
        first = catalog.page(limit=3)
        rest = catalog.page(cursor=first.next_cursor).archives

        catalog.mark(first.archives[-1].id, ArchiveState.TRASHED)

        assert catalog.page(cursor=first.next_cursor).archives == rest

    def test_cursors_are_short_and_fit_into_a_url(self, catalog: Catalog) -> None:
        """A cursor has unreserved characters only, even for the longest of names."""
        name = "é" * 96 + "a.tar.gz"
        catalog.adopt([make_archive(name, profile="p" * 64), make_archive("z.tar.gz", type=INC, received_at=later(1))])

        for cursor in (catalog.page(limit=1).next_cursor, catalog.inventory(limit=1).next_cursor):
            assert cursor is not None
            assert cursor.replace("-", "").replace("_", "").isalnum()
            assert cursor.isascii()
            assert len(cursor) < 400

    @pytest.mark.parametrize(
        "cursor", ["", "0", "x", "=", "é", "\0", "\ud800", "' OR 1=1", "AAAA", "a" * 22, "a" * 23, "t" * 10_000]
    )
    def test_a_foreign_cursor_is_refused(self, catalog: Catalog, cursor: str) -> None:
        """A text that does not come from a page raises ValueError."""
        catalog.adopt(several())

        with pytest.raises(ValueError, match="cursor"):
            catalog.page(cursor=cursor)
        with pytest.raises(ValueError, match="cursor"):
            catalog.inventory(cursor=cursor)

    def test_a_cursor_is_refused_by_the_other_order(self, catalog: Catalog) -> None:
        """A cursor of a page is invalid for an inventory, and vice versa, whatever their lengths."""
        as_long_as_two_integers = make_archive("b.tar.gz", profile="ab")
        catalog.adopt([as_long_as_two_integers, make_archive("c.tar.gz", profile="ab")])

        with pytest.raises(ValueError, match="cursor"):
            catalog.inventory(cursor=catalog.page(limit=1).next_cursor)
        with pytest.raises(ValueError, match="cursor"):
            catalog.page(cursor=catalog.inventory(limit=1).next_cursor)

    def test_a_cursor_has_one_spelling(self, catalog: Catalog) -> None:
        """Changes that a lenient decoder ignores (padding, blanks, foreign characters, spare bits) are refused."""
        catalog.adopt(several())

        for read in (catalog.page, catalog.inventory):
            cursor = read(limit=1).next_cursor
            assert cursor is not None
            for other in (cursor + "=", cursor + "\n", " " + cursor, cursor[:4] + "!" + cursor[4:], cursor + "===="):
                with pytest.raises(ValueError, match="cursor"):
                    read(cursor=other)
        cursor = catalog.page(limit=1).next_cursor
        assert cursor is not None
        assert cursor[-1] in "AEIMQUYcgkosw048"  # 17 bytes leave two spare bits, which are zero in these
        with pytest.raises(ValueError, match="cursor"):
            catalog.page(cursor=cursor[:-1] + chr(ord(cursor[-1]) + 1))

    def test_an_altered_cursor_is_refused_or_a_place(self, catalog: Catalog) -> None:
        """Any change of one character gives either an error or entries of the catalog."""
        archives = several()
        catalog.adopt(archives)
        cursor = catalog.page(limit=1).next_cursor
        assert cursor is not None

        for position in range(len(cursor)):
            for character in "A_/= é\0":
                altered = cursor[:position] + character + cursor[position + 1 :]
                try:
                    page = catalog.page(cursor=altered)
                except ValueError:
                    continue
                assert set(page.archives) <= set(archives)

    @pytest.mark.parametrize("limit", [0, -1])
    def test_a_page_holds_at_least_one(self, catalog: Catalog, limit: int) -> None:
        """A limit below one is an error of the caller."""
        with pytest.raises(ValueError, match="limit"):
            catalog.page(limit=limit)
        with pytest.raises(ValueError, match="limit"):
            catalog.inventory(limit=limit)

    # -- inventories --

    @pytest.mark.parametrize("profile", [None, "web", "nobody"])
    @pytest.mark.parametrize("limit", [1, 3, 10_000])
    def test_an_inventory_is_ordered_by_type_name_and_profile(
        self, catalog: Catalog, profile: str | None, limit: int
    ) -> None:
        """Entries come by the word of the type, then by code points of the name, for any page length."""
        names = ["b.tar.gz", "B.tar.gz", "é.tar.gz", "z.tar.gz", "a-1.tar.gz", "a1.tar.gz", "\U00020000.tar.gz"]
        archives = [
            make_archive(name.rjust(10, "0"), profile=owner, type=type, content=f"{name}{owner}{type}".encode())
            for owner in ("web", "db")
            for type in BackupType
            for name in names
        ]
        random.Random(1).shuffle(archives)
        catalog.adopt(archives)

        walked = all_entries(catalog, profile=profile, limit=limit)

        wanted = sorted(
            (a for a in archives if profile in (None, a.id.profile)),
            key=lambda a: (a.id.type.value, a.id.name, a.id.profile),
        )
        assert walked == [
            InventoryEntry(a.id.type, a.id.name, a.size_bytes, a.digests.md5, a.digests.sha256) for a in wanted
        ]

    def test_names_come_in_order_behind_a_name(self, catalog: Catalog) -> None:
        """The listed names of one profile and type, up to the limit."""
        wanted = [f"{letter}{number}.tar.gz" for letter in "aéz" for number in range(10, 14)]
        catalog.adopt([make_archive(name, type=INC) for name in reversed(wanted)])
        catalog.adopt([make_archive("b.tar.gz"), make_archive("b.tar.gz", profile="other", type=INC)])
        catalog.mark(ArchiveId("document", INC, "a12.tar.gz"), ArchiveState.TRASHED)
        wanted.remove("a12.tar.gz")
        wanted.sort()

        assert catalog.names("document", INC) == wanted
        assert catalog.names("document", INC, limit=3) == wanted[:3]
        for name in ("", "a11.tar.gz", "a12", "b", "z13.tar.gz", "\U0010ffff"):
            assert catalog.names("document", INC, after=name, limit=100) == [one for one in wanted if one > name]
        for profile in ("", "nobody", "no profile", "docu\0ment"):
            assert catalog.names(profile, INC) == []

    def test_all_names_of_some_profiles(self, catalog: Catalog) -> None:
        """The listed ones, by profile and type; profiles that do not exist have none."""
        for profile in ("document", "other", "third"):
            catalog.adopt([make_archive(f"{profile}{one}.tar.gz", profile=profile, type=INC) for one in "ba"])
        catalog.adopt([make_archive("full.tar.gz", profile="other", type=FULL)])
        catalog.mark(ArchiveId("document", INC, "documenta.tar.gz"), ArchiveState.TRASHED)

        found = catalog.names_of({"document", "other", "nobody", "no profile", "docu\0ment", ""})

        assert {place: sorted(names) for place, names in found.items()} == {
            ("document", INC): ["documentb.tar.gz"],
            ("other", FULL): ["full.tar.gz"],
            ("other", INC): ["othera.tar.gz", "otherb.tar.gz"],
        }
        assert catalog.names_of([]) == {}

    def test_many_names_are_looked_up_at_once(self, catalog: Catalog) -> None:
        """For names listed in that profile and type, the result equals their inventory entries."""
        archives = [make_archive(f"a{number}.tar.gz") for number in range(2000)]
        catalog.adopt([*archives, make_archive("a1.tar.gz", profile="other"), make_archive("a2.tar.gz", type=INC)])
        catalog.mark(archives[7].id, ArchiveState.DAMAGED)
        catalog.mark(archives[8].id, ArchiveState.TRASHED)
        inventory = {entry.name: entry for entry in all_entries(catalog, profile="document") if entry.type is FULL}
        asked = [f"a{number}.tar.gz" for number in range(0, 4000, 3)] + ["a7.tar.gz", "a8.tar.gz", '"', "é\0"]

        found = catalog.look_up("document", FULL, asked)

        assert len(found) == len({entry.name for entry in found})
        assert {entry.name: entry for entry in found} == {name: inventory[name] for name in asked if name in inventory}
        assert catalog.look_up("document", FULL, []) == []
        assert catalog.look_up("no profile", FULL, asked) == []

    def test_an_inventory_marks_damaged_archives(self, catalog: Catalog) -> None:
        """From its marking until it is whole again, for one profile and for all."""
        catalog.adopt([make_archive("a.tar.gz"), make_archive("b.tar.gz")])

        for state, damaged in ((ArchiveState.DAMAGED, ["b.tar.gz"]), (ArchiveState.STORED, [])):
            catalog.mark(make_archive("b.tar.gz").id, state)
            for profile in (None, make_archive().id.profile):
                entries = all_entries(catalog, profile=profile)
                assert [entry.name for entry in entries if entry.is_damaged] == damaged
                assert len(entries) == 2

    # -- totals --

    def test_totals_are_by_profile_and_type(self, catalog: Catalog) -> None:
        """One row per pair with an archive, in order, with the newest time in any order of arrival."""
        catalog.adopt(
            [
                make_archive("first.tar.gz", profile="web", content=b"12345", received_at=later(9)),
                make_archive("second.tar.gz", profile="web", content=b"1", received_at=later(1)),
                make_archive(profile="web", type=DIFF, content=b"123"),
                make_archive(profile="db", type=INC, content=b""),
            ]
        )

        assert catalog.totals() == [
            Totals("db", INC, 1, 0, NOON),
            Totals("web", DIFF, 1, 3, NOON),
            Totals("web", FULL, 2, 6, later(9)),
        ]
        assert catalog.totals("web") == catalog.totals()[1:]
        assert catalog.totals("nobody") == []

    @pytest.mark.parametrize("profiles", [(), ("db",), ("db", "web", "nobody"), ("db", "mail", "web")])
    def test_totals_and_sums_of_some_profiles(self, catalog: Catalog, profiles: tuple[str, ...]) -> None:
        """The rows of these profiles, and their sums; of all profiles if none are given."""
        catalog.adopt(several())
        catalog.mark(several()[1].id, ArchiveState.TRASHED)
        rows = [row for row in catalog.totals() if row.profile in profiles]

        assert catalog.totals(profiles=profiles) == rows
        assert catalog.totals("db", profiles=profiles) == [row for row in rows if row.profile == "db"]
        assert catalog.sums(profiles) == summed(rows)
        assert catalog.sums() == summed(catalog.totals())

    def test_each_profile_has_its_sums(self, catalog: Catalog) -> None:
        """Over its types; not one that lost all it had."""
        assert catalog.held() == {}
        catalog.adopt(several())
        lost = [archive for archive in several() if archive.id.profile == "mail"]
        for archive in lost:
            catalog.mark(archive.id, ArchiveState.TRASHED)

        assert catalog.held() == {
            profile: Sums(
                sum(row.archives for row in catalog.totals(profile)),
                sum(row.size_bytes for row in catalog.totals(profile)),
            )
            for profile in {row.profile for row in catalog.totals()}
        }
        assert (len(lost) > 0, "mail" in catalog.held()) == (True, False)

    def test_sums_follow_whatever_happens(self, catalog: Catalog) -> None:
        """They equal the sums of the totals after every kind of change, and are empty for an empty catalog."""
        assert catalog.sums() == summed([])
        archive = make_archive(content=b"123")
        catalog.claim(archive, LEASE)
        assert catalog.sums() == summed([])
        confirm(catalog, archive)
        assert catalog.sums()[FULL] == Sums(1, 3)
        catalog.adopt(several())
        assert catalog.sums() == summed(catalog.totals())
        catalog.mark(archive.id, ArchiveState.TRASHED)
        assert catalog.sums() == summed(catalog.totals())
        catalog.mark(archive.id, ArchiveState.STORED)
        catalog.replace([archive, *several()[:4]])
        assert catalog.sums() == summed(catalog.totals())

    def test_new_profiles_are_reported_in_the_order_they_came(self, catalog: Catalog) -> None:
        """A claim adds none; a profile that lost its archives stays known; without news the result is empty."""
        assert catalog.profiles_since(0)[0] == []
        catalog.claim(make_archive(profile="late"), LEASE)
        catalog.adopt([make_archive(profile="second"), make_archive(profile="first", type=INC)])
        came, mark = catalog.profiles_since(0)
        assert sorted(came) == ["first", "second"]
        assert catalog.profiles_since(mark) == ([], mark)

        confirm(catalog, make_archive(profile="late"))
        catalog.adopt([make_archive("more.tar.gz", profile="first"), make_archive("more.tar.gz", profile="third")])
        since, _ = catalog.profiles_since(mark)
        assert [profile for profile in since if profile not in came] == ["late", "third"]
        assert len(since) == len(set(since))
        assert sorted(catalog.profiles_since(0)[0]) == ["first", "late", "second", "third"]

        _, mark = catalog.profiles_since(0)
        catalog.mark(make_archive(profile="second").id, ArchiveState.TRASHED)
        catalog.replace([make_archive(profile="first"), make_archive(profile="new")])
        since, _ = catalog.profiles_since(mark)
        assert "new" in since
        assert len(since) == len(set(since))
        assert {"first", "new"} <= set(catalog.profiles_since(0)[0])

    def test_totals_equal_a_recount(self, catalog: Catalog) -> None:
        """After any mixture of changes, totals equal a count over the pages."""
        chance = random.Random(7)
        archives = [
            make_archive(f"number-{n}.tar.gz", profile=profile, type=type, content=b"x" * n, received_at=later(n % 5))
            for n in range(4)
            for profile in ("web", "db")
            for type in BackupType
        ]
        for _ in range(150):
            archive = chance.choice(archives)
            step = chance.randrange(5)
            try:
                if step == 0:
                    catalog.claim(archive, LEASE)
                elif step == 1:
                    confirm(catalog, archive)
                elif step == 2:
                    catalog.adopt(chance.sample(archives, 2))
                else:
                    catalog.mark(archive.id, chance.choice(list(ArchiveState)))
            except (ArchiveNotFound, ClaimLost):
                continue

            assert catalog.totals() == recounted(all_archives(catalog))

    # -- states --

    def test_a_damaged_entry_stays_listed(self, catalog: Catalog) -> None:
        """Marking changes the state and nothing else, and can be taken back."""
        archive = make_archive()
        catalog.adopt([archive, make_archive("other.tar.gz")])
        before = catalog.totals()

        catalog.mark(archive.id, ArchiveState.DAMAGED)

        damaged = evolve(archive, state=ArchiveState.DAMAGED)
        assert catalog.find(archive.id) == damaged
        assert catalog.named(archive.id.type, archive.id.name) == [damaged]
        assert damaged in catalog.page().archives
        assert make_archive("other.tar.gz") in catalog.page().archives
        assert catalog.claim(archive, LEASE) == AlreadyStored(damaged)
        assert catalog.totals() == before
        catalog.mark(archive.id, ArchiveState.STORED)
        assert catalog.find(archive.id) == archive

    def test_a_trashed_entry_is_hidden_and_keeps_its_identity(self, catalog: Catalog) -> None:
        """No read shows it, but no other archive gets the identity."""
        archive, other = make_archive(), make_archive("other.tar.gz")
        catalog.adopt([archive, other])

        catalog.mark(archive.id, ArchiveState.TRASHED)

        assert all_archives(catalog) == [other]
        assert [entry.name for entry in all_entries(catalog)] == [other.id.name]
        assert [entry.name for entry in all_entries(catalog, profile=other.id.profile)] == [other.id.name]
        assert catalog.named(archive.id.type, archive.id.name) == []
        assert catalog.totals() == recounted([other])
        with pytest.raises(ArchiveNotFound):
            catalog.find(archive.id)
        assert catalog.claim(archive, LEASE) == AlreadyStored(evolve(archive, state=ArchiveState.TRASHED))
        assert catalog.adopt([archive]) == 0
        assert catalog.open_claims() == []

    def test_a_trashed_entry_can_be_brought_back(self, catalog: Catalog) -> None:
        """Marked as stored again, it is unchanged and in its old place."""
        catalog.adopt(several())
        before = catalog.page().archives
        for archive in before:
            catalog.mark(archive.id, ArchiveState.TRASHED)
            catalog.mark(archive.id, ArchiveState.TRASHED)
        assert catalog.totals() == []

        for archive in reversed(before):
            catalog.mark(archive.id, ArchiveState.STORED)

        assert catalog.page().archives == before
        assert catalog.totals() == recounted(before)

    @pytest.mark.parametrize("state", ArchiveState)
    def test_an_archive_is_entered_in_its_state(self, catalog: Catalog, state: ArchiveState) -> None:
        """Entries made by `adopt` and `confirm` have the state of the given archive, and count accordingly."""
        adopted = evolve(make_archive("adopted.tar.gz"), state=state)
        confirmed = evolve(make_archive("confirmed.tar.gz"), state=state)
        catalog.adopt([adopted])
        catalog.claim(confirmed, LEASE)
        confirm(catalog, confirmed)

        listed = [] if state is ArchiveState.TRASHED else [adopted, confirmed]
        assert all_archives(catalog) == listed
        assert catalog.totals() == recounted(listed)
        assert catalog.claim(adopted, LEASE) == AlreadyStored(adopted)
        assert catalog.claim(confirmed, LEASE) == AlreadyStored(confirmed)

    def test_mark_needs_an_entry(self, catalog: Catalog) -> None:
        """An unknown archive has no state to set."""
        with pytest.raises(ArchiveNotFound) as caught:
            catalog.mark(make_archive().id, ArchiveState.DAMAGED)

        assert caught.value.name == str(make_archive().id)

    # -- threads and the end --

    # -- snapshots and fits --

    def test_a_kept_snapshot_file_is_entered(self, catalog: Catalog) -> None:
        """The archive then has the file, and its digest as lineage; everything else is unchanged."""
        before = evolve(make_archive("a.tar.gz"), lineage=Lineage((FULL, "full.tar.gz"), "0a" * 32))
        catalog.adopt([before, make_archive("b.tar.gz")])
        catalog.note_snapshot(before.id, "1b" * 32)

        expected = evolve(before, has_snapshot=True, lineage=evolve(before.lineage, snapshot_after="1b" * 32))
        assert catalog.find(before.id) == expected
        assert [archive.has_snapshot for archive in catalog.page().archives] == [True, False]

    def test_a_snapshot_file_that_is_no_good_is_not_kept_any_more(self, catalog: Catalog) -> None:
        """The digest of the right file stays known, and that file may be sent again."""
        archive = evolve(make_archive("a.tar.gz"), lineage=Lineage((FULL, "full.tar.gz"), "0a" * 32))
        catalog.adopt([archive])
        for digest in ("1b" * 32, None, "1b" * 32):
            catalog.note_snapshot(archive.id, digest)

            found = catalog.find(archive.id)
            assert (found.has_snapshot, found.lineage.snapshot_after) == (digest is not None, "1b" * 32)

    def test_entries_without_a_snapshot_file_are_listed(self, catalog: Catalog) -> None:
        """Of one profile and type, without claims and trashed entries."""
        names = [f"{letter}.tar.gz" for letter in "abcd"]
        kept = [make_archive(name) for name in names]
        catalog.adopt([*kept, make_archive("e.tar.gz", profile="other")])
        catalog.claim(make_archive("claimed.tar.gz"), LEASE)
        catalog.note_snapshot(kept[0].id, "1b" * 32)
        catalog.mark(kept[1].id, ArchiveState.TRASHED)

        assert catalog.names_without_snapshot(kept[0].id.profile, kept[0].id.type) == set(names[2:])
        assert catalog.names_without_snapshot("nobody", kept[0].id.type) == set()

    def test_no_entry_no_snapshot_file(self, catalog: Catalog) -> None:
        """A claim or a trashed entry gets none."""
        claimed, trashed = make_archive("claimed.tar.gz"), make_archive("trashed.tar.gz")
        catalog.claim(claimed, LEASE)
        catalog.adopt([trashed])
        catalog.mark(trashed.id, ArchiveState.TRASHED)
        for archive in (claimed, trashed, make_archive("nowhere.tar.gz")):
            with pytest.raises(ArchiveNotFound):
                catalog.note_snapshot(archive.id, "1b" * 32)

    def test_many_threads_lose_nothing(self, catalog: Catalog) -> None:
        """Concurrent reads and writes all succeed, and every write is counted."""
        threads, each = 8, 6

        def work(thread: int) -> None:
            for number in range(each):
                archive = make_archive(f"number-{thread}-{number}.tar.gz", profile=f"p{thread % 2}")
                assert isinstance(catalog.claim(archive, LEASE), Claimed)
                confirm(catalog, archive)
                assert catalog.find(archive.id) == archive
                assert catalog.page(limit=5).archives

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))

        walked = all_archives(catalog, limit=7)
        assert len(set(walked)) == len(walked) == threads * each
        assert catalog.totals() == recounted(walked)

    def test_close_may_be_called_again(self, catalog: Catalog) -> None:
        """Closing twice is no error."""
        catalog.adopt(several())

        catalog.close()
        catalog.close()
