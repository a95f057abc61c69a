"""
What changes an archive that is there, over a bucket and a database that several servers share.

One server stops before each of its requests to the bucket, its calls of the catalog and those about a lease. Others
run meanwhile, and it goes on, or is dead. Random kills find none of this: the moments that matter last milliseconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from attrs import frozen

from tarkeep.adapters.s3.keys import SIDECAR, Place, key_of
from tarkeep.adapters.s3.places import named_by
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.engine import sqlite3
from tarkeep.adapters.sql.shared.tables import SharedTables
from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.errors.archives import ArchiveNotFound
from tarkeep.domain.errors.retention import NotInTrash
from tarkeep.domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from tarkeep.domain.profiles.rules import CurrentRules, ProfileRules, RuleBook
from tarkeep.domain.profiles.span import Span
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.archives import make_targz
from tests.support.assembled import offer
from tests.support.bucket_schedules import BucketServer, BucketSite
from tests.support.claims import OVER
from tests.support.schedules import Stops

pytestmark = pytest.mark.faults

OLD, NEW = offer("old.tar.gz"), offer("new.tar.gz")
CONTENT, OTHER = (make_targz({"file": word}) for word in (b"content\n", b"other\n"))
NEWER = make_targz({"file": b"newer\n"}, mtime=1_700_100_000)
FOREVER = datetime(2100, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = RetentionPolicy(
    (KeepRule(Every.POINT, 1),),
    minimum_points=0,
    minimum_fulls=1,
    minimum_age=Span.parse("0d"),
    largest_share=1.0,
    trash_for=Span.parse("2d"),
)
RULES = CurrentRules(RuleBook((("document", ProfileRules(retention=POLICY)),)))

Does = Callable[[Tarkeep], object]


def receives(tarkeep: Tarkeep) -> object:
    return tarkeep.receive(OLD, [CONTENT])


def receives_other_bytes(tarkeep: Tarkeep) -> object:
    return tarkeep.receive(OLD, [OTHER])


def prunes(tarkeep: Tarkeep) -> object:
    return tarkeep.apply_prune("document", None)


def undeletes(tarkeep: Tarkeep) -> object:
    return tarkeep.undelete(OLD.id)


def purges(tarkeep: Tarkeep) -> object:
    return OLD.id in tarkeep.purge_trash().purged


def holds(tarkeep: Tarkeep) -> object:
    return tarkeep.make_hold(OLD.id, "legal", "a person asks for it")


def locks(tarkeep: Tarkeep) -> object:
    return tarkeep.lock_archive(OLD.id, FOREVER)


def finishes(tarkeep: Tarkeep) -> object:
    """As a client goes on with an upload: it asks for the offset, and sends the rest."""
    offset = tarkeep.uploads.show(upload_of(tarkeep)).offset_bytes
    return tarkeep.uploads.append(upload_of(tarkeep), offset, [CONTENT[offset:]]).archive is not None


def ends(tarkeep: Tarkeep) -> object:
    tarkeep.uploads.end(upload_of(tarkeep))
    return True


def upload_of(tarkeep: Tarkeep) -> str:
    """The id of the only upload."""
    return next((upload.id for upload in tarkeep.uploads.under_way.sessions.all()), "none")


def reaps(tarkeep: Tarkeep) -> object:
    return tarkeep.reap()


def starts(tarkeep: Tarkeep) -> object:
    tarkeep.recover()
    return tarkeep.settle_trash()


@frozen
class Way:
    """A way to change an archive: what the site is like before, and what the first server does."""

    before: Callable[[BucketSite], None]
    does: Does
    meanwhile: Mapping[str, tuple[Does, ...]]


def stored(site: BucketSite) -> None:
    """Two archives, a day apart: the policy keeps the newer one."""
    site.server().tries(receives)
    site.now += DAY
    site.server().tries(lambda tarkeep: tarkeep.receive(NEW, [NEWER]))
    site.told.clear()


def newer(site: BucketSite) -> None:
    """The newer one alone."""
    site.now += DAY
    site.server().tries(lambda tarkeep: tarkeep.receive(NEW, [NEWER]))
    site.told.clear()


def begun(site: BucketSite) -> None:
    """The newer one, and an upload of the older one that lacks its end."""
    newer(site)
    uploads = site.server().tarkeep.uploads
    uploads.append(uploads.begin(OLD, len(CONTENT)).id, 0, [CONTENT[:40]])


def damaged(site: BucketSite) -> None:
    """Likewise, with a byte less of the older one in the bucket."""
    stored(site)
    objects = site.client.objects
    key = named_by(dict(objects[key_of(Place.ARCHIVES, OLD.id, SIDECAR)].metadata))
    assert key is not None
    site.client.put_object(key, CONTENT[:-1])


def pruned(site: BucketSite) -> None:
    """Likewise, with the older one in the trash."""
    stored(site)
    assert site.server().tries(prunes)
    site.told.clear()


def long_pruned(site: BucketSite) -> None:
    """Likewise, for so long that it may go for good."""
    pruned(site)
    site.now += 3 * DAY


def purged(site: BucketSite) -> None:
    """Likewise, and it is gone for good."""
    long_pruned(site)
    assert site.server().tries(purges)
    site.told.clear()


WAYS = {
    "receives": Way(
        newer,
        receives,
        {
            "reaper": (reaps,),
            "same bytes": (receives,),
            "other bytes": (receives_other_bytes,),
            "reaper, other bytes": (reaps, receives_other_bytes),
            "other bytes, reaper": (receives_other_bytes, reaps),
        },
    ),
    "finishes": Way(
        begun,
        finishes,
        {
            "finishes": (finishes,),
            "reaper, finishes": (reaps, finishes),
            "finishes, reaper": (finishes, reaps),
            "starts": (starts,),
            "receives": (receives,),
            "other bytes": (receives_other_bytes,),
            "ends": (ends,),
        },
    ),
    "replaces": Way(
        damaged,
        receives,
        {
            "reaper": (reaps,),
            "replaces": (receives,),
            "replaces, reaper": (receives, reaps),
            "other bytes": (receives_other_bytes,),
            "prunes": (prunes,),
            "prunes, undeletes": (prunes, undeletes),
            "starts": (starts,),
        },
    ),
    "trashes": Way(
        stored,
        prunes,
        {
            "starts": (starts,),
            "undeletes": (undeletes,),
            "receives": (receives,),
            "prunes": (prunes,),
            "holds": (holds,),
            "undeletes, prunes, undeletes": (undeletes, prunes, undeletes),
            "starts, undeletes": (starts, undeletes),
        },
    ),
    "undeletes": Way(
        pruned,
        undeletes,
        {
            "starts": (starts,),
            "undeletes": (undeletes,),
            "receives": (receives,),
            "undeletes, prunes": (undeletes, prunes),
            "other bytes": (receives_other_bytes,),
        },
    ),
    "purges": Way(
        long_pruned,
        purges,
        {
            "starts": (starts,),
            "undeletes": (undeletes,),
            "receives": (receives,),
            "undeletes, prunes": (undeletes, prunes),
            "purges, receives": (purges, receives),
            "holds": (holds,),
        },
    ),
    "receives again": Way(
        purged,
        receives,
        {
            "starts": (starts,),
            "receives": (receives,),
            "other bytes": (receives_other_bytes,),
            "purges": (purges,),
        },
    ),
    "holds": Way(stored, holds, {"prunes": (prunes,), "locks": (locks,), "prunes, undeletes": (prunes, undeletes)}),
}


CASES = [(name, others) for name, way in WAYS.items() for others in way.meanwhile]


Sites = Callable[[Callable[[BucketSite], None]], BucketSite]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """Makes sites that are as a function leaves them, which runs once; only the newest one may be used."""
    made: dict[object, tuple[BucketSite, Path]] = {}
    folder = tmp_path_factory.mktemp("sites")
    file, nothing = folder / "catalog.sqlite", folder / "nothing.sqlite"
    numbers = itertools.count()

    def empty() -> BucketSite:
        here = folder / str(next(numbers))
        here.mkdir()
        return BucketSite(here, catalog, tables, RULES)

    def site(before: Callable[[BucketSite], None]) -> BucketSite:
        if before not in made:
            restore(nothing, file)
            first = empty()
            before(first)
            first.close()
            made[before] = first, folder / before.__name__
            save(file, made[before][1])
        first, saved = made[before]
        restore(saved, file)
        again = empty()
        again.client.objects.update(first.client.objects)
        again.now = first.now
        return again

    with (
        closing(SqlCatalog.open(f"sqlite:///{file}")) as catalog,
        closing(SharedTables.open(f"sqlite:///{file}")) as tables,
    ):
        save(file, nothing)
        yield site


def save(file: Path, saved: Path) -> None:
    """Have *saved* hold what *file* does."""
    with closing(sqlite3.connect(file, isolation_level=None)) as live:
        live.execute("VACUUM INTO ?", [str(saved)])


def restore(saved: Path, file: Path) -> None:
    """Have all tables of *file* hold what those of *saved* do, as any other writer would."""
    with closing(sqlite3.connect(file, isolation_level=None)) as live:
        live.execute("ATTACH ? AS saved", [str(saved)])
        live.execute("BEGIN IMMEDIATE")
        for (table,) in live.execute("SELECT name FROM saved.sqlite_master WHERE type = 'table'").fetchall():
            live.execute(f"DELETE FROM main.{table}")
            live.execute(f"INSERT INTO main.{table} SELECT * FROM saved.{table}")
        live.execute("COMMIT")


@pytest.mark.parametrize("dies", [False, True], ids=["goes on", "dies"])
@pytest.mark.parametrize(("name", "others"), CASES)
def test_a_server_that_stops_anywhere(sites: Sites, name: str, others: str, dies: bool) -> None:
    """Whatever others do meanwhile, nothing is lost, one of them wins, and what is listed can be read."""
    way = WAYS[name]
    for at in points_of(sites(way.before), way):
        site = sites(way.before)
        stops = Stops(at, dies=dies)
        first = site.server(stops)

        def meanwhile(site: BucketSite = site, first: BucketServer = first) -> None:
            first.sleep()
            for one in way.meanwhile[others]:
                site.server().tries(one)

        stops.meanwhile = meanwhile
        first.tries(way.does)

        check(site, way, f"at {at}, {stops.names[at - 1 : at]}; told {site.told}")


def points_of(site: BucketSite, way: Way) -> list[int]:
    """Before each call, and after the last one: after one is before the next."""
    counting = Stops()
    assert site.server(counting).tries(way.does)
    site.end()
    befores = [number for number, name in enumerate(counting.names, 1) if name.startswith("before")]
    return [*befores, counting.calls]


def check(site: BucketSite, way: Way, where: str) -> None:
    """What everybody was told holds, and what is listed can be read; nothing is left in the bucket."""
    told = set(site.told)
    server = site.server()
    for archive in site.catalog.page().archives:  # at no moment is something listed that is not there
        assert server.content(archive.id) or archive.state is ArchiveState.DAMAGED, where
    site.catalog.take_over(1000, OVER, whatever_lease=True)  # all leases are over in the end
    starts(server.tarkeep)
    reaps(server.tarkeep)
    assert site.catalog.open_claims() == [], where
    if way.before is damaged and "receives" not in told:
        server.tarkeep.receive(OLD, [CONTENT])
    for archive in site.catalog.page().archives:
        assert sha256(server.content(archive.id)).hexdigest() == archive.digests.sha256, where
    assert server.content(NEW.id) == NEWER, where
    assert not ("receives_other_bytes" in told and told & {"receives", "finishes"}), where
    may_be_gone = way.before in (newer, begun, long_pruned, purged)
    if not may_be_gone or told & {"receives", "receives_other_bytes", "finishes", "undeletes", "holds", "locks"}:
        with suppress(ArchiveNotFound, NotInTrash):
            server.tarkeep.undelete(OLD.id)
        expected = OTHER if "receives_other_bytes" in told else CONTENT
        assert server.content(OLD.id) == expected, where
        assert site.catalog.find(OLD.id).size_bytes == len(expected), where
        marks = server.tarkeep.read_marks(OLD.id)
        assert "holds" not in told or marks.hold("legal") is not None, where
        assert "locks" not in told or marks.locked_until == FOREVER, where
    site.end()
    assert site.nobodys() == set(), where
