"""What every `ForeignStore` promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from attrs import evolve, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.ports.foreign import ForeignArchive, ForeignStore
from tests.support.archives import digests_of

INHERITED = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture])
AT = datetime(2025, 11, 28, 18, 30, 33, tzinfo=UTC)


@frozen
class Laid:
    """An archive in another store."""

    type: BackupType
    name: str
    content: bytes
    profile: str = "document"
    received_at: datetime = AT


class ForeignDoor(Protocol):
    """Another store, with back doors to put archives into it."""

    @property
    def store(self) -> ForeignStore: ...

    def clear(self) -> None:
        """Remove everything."""

    def lay(self, archive: Laid) -> None:
        """Put *archive* there, with its description."""

    def spoil(self, archive: Laid) -> None:
        """Make the description of *archive* invalid."""


laid = st.builds(
    Laid,
    st.sampled_from(BackupType),
    st.text("abc-_.09", min_size=1, max_size=6).map(lambda text: f"n{text}.tar.gz"),
    st.binary(max_size=200),
    st.sampled_from(["document", "laptop"]),
    st.integers(0, 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)


def bytes_of(archive: ForeignArchive) -> bytes:
    with archive.open() as blocks:
        return b"".join(map(bytes, blocks))


class ForeignStoreContract:
    """A subclass gives the fixture *door*, to an empty store."""

    @INHERITED
    @given(st.lists(laid, max_size=6, unique_by=lambda one: (one.type, one.name)))
    def test_every_archive_is_listed_with_its_description(self, door: ForeignDoor, archives: list[Laid]) -> None:
        """Once each, with its bytes, and always in the same order."""
        door.clear()
        for one in archives:
            door.lay(one)
        found = list(door.store.archives())

        told = [Laid(BackupType(one.type), one.name, bytes_of(one), one.profile, one.received_at) for one in found]
        assert sorted(told, key=repr) == sorted(archives, key=repr)
        assert [one.md5 for one in found] == [digests_of(one.content).md5 for one in told]
        assert all(one.received_at.utcoffset() == timedelta(0) and one.problem is None for one in found)
        assert [one.label for one in door.store.archives()] == [one.label for one in found]
        assert len({one.label for one in found}) == len(found)

    def test_the_order_is_not_that_in_which_they_came(self, door: ForeignDoor) -> None:
        """A second import goes through them as the first, whatever was added meanwhile."""
        names = ("c.tar.gz", "a.tar.gz", "b.tar.gz")
        orders = []
        for order in (names, names[::-1]):
            door.clear()
            for name in order:
                door.lay(Laid(BackupType.FULL, name, b"x"))
            orders.append([one.name for one in door.store.archives()])
        assert orders[0] == orders[1]

    def test_bytes_come_as_often_as_they_are_wanted(self, door: ForeignDoor) -> None:
        """From the first byte; reading only a part is no error."""
        content = bytes(range(256)) * 9000
        door.lay(Laid(BackupType.FULL, "a.tar.gz", content))
        [found] = door.store.archives()

        with found.open() as blocks:
            assert content.startswith(bytes(next(iter(blocks))))
        assert bytes_of(found) == content == bytes_of(found)

    def test_what_cannot_be_read_has_a_problem(self, door: ForeignDoor) -> None:
        """It is named, in its place: the others are listed as usual."""
        good = Laid(BackupType.FULL, "b.tar.gz", b"good")
        for one in (good, evolve(good, name="a.tar.gz"), evolve(good, name="c.tar.gz")):
            door.lay(one)
        door.spoil(evolve(good, name="a.tar.gz"))

        problems = {one.name: one.problem for one in door.store.archives()}
        assert list(problems) == ["a.tar.gz", "b.tar.gz", "c.tar.gz"]
        assert problems["a.tar.gz"]
        assert (problems["b.tar.gz"], problems["c.tar.gz"]) == (None, None)
