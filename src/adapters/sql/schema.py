"""
The tables of the SQL catalog, all in one file, and the upgrade of a database to them.

An empty database gets the tables as defined here; the migrations change an older one, and tests check that both give
the same. So Alembic, whose import costs 7 MiB and more time than the rest of opening, is only needed for a change.

Times are microseconds since the epoch in 64-bit integers: exact, ordered, and the same in every database. Text is
ordered by code points (collation C where the database would do otherwise), as Python orders it.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TextClause,
    UniqueConstraint,
    inspect,
    text,
)

from ...domain.errors.settings import FormatUnknown

HEAD = "0030"
"""The newest revision among the migrations."""

OLDEST_READER = "0030"
"""
The oldest `HEAD` of a version that can use the tables as they are now.

A migration that takes something away, or changes what it means, raises it here and in `compat`. One that only adds does
not: the version before goes on beside this one.
"""

MIGRATIONS = Path(__file__).parent / "migrations"

_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), primary_key=True),
)
"""Alembic's own table, as Alembic makes it; its one row holds the revision of the database."""

LISTED = text("NOT claimed AND state <> 'trashed'")
"""The rows that reading methods show. A partial index is only used for queries with this very text."""

OPEN_CLAIM = text("claimed")
"""The rows that are claims."""

METADATA = MetaData()

_sequence = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows itself only for the type INTEGER
_words = Text().with_variant(Text(collation="C"), "postgresql")

archives = Table(
    "archives",
    METADATA,
    Column("seq", _sequence, primary_key=True),
    Column("profile", _words, nullable=False),
    Column("type", _words, nullable=False),
    Column("name", _words, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("md5", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("taken_us", BigInteger, nullable=False),
    Column("kind", Text),
    Column("members", BigInteger),
    Column("unpacked_bytes", BigInteger),
    Column("newest_member_us", BigInteger),
    Column("state", Text, nullable=False),
    Column("claimed", Boolean, nullable=False),
    Column("has_unchanged", Boolean),
    Column("roots", Text),  # a JSON array
    Column("parent_type", Text),
    Column("parent_name", Text),
    Column("snapshot_before", Text),
    Column("snapshot_after", Text),
    Column("has_snapshot", Boolean),
    Column("notes", Text),  # a JSON array
    Column("after_end", Text),  # a JSON array: bytes, and whether they are a tar
    Column("listed", BigInteger),
    Column("unchanged", BigInteger),
    Column("copied_us", BigInteger),
    Column("came_late", Boolean),
    Column("claim_token", Text),  # whose claim it is
    Column("claim_until_us", BigInteger),  # by the clock of the database
    UniqueConstraint("type", "name", "profile", name="archives_identity"),
)
"""Claims and entries. One table for both, so that one unique constraint makes an identity taken by either."""


def _listed_by(name: str, *columns: str) -> Index:
    return Index(name, *(archives.c[column] for column in columns), sqlite_where=LISTED, postgresql_where=LISTED)


# One index for each combination of filters: with the fixed columns in front, the position is found directly.
_listed_by("archives_in_time", "received_us", "seq")
_listed_by("archives_of_profile_in_time", "profile", "received_us", "seq")
_listed_by("archives_of_type_in_time", "type", "received_us", "seq")
_listed_by("archives_of_both_in_time", "profile", "type", "received_us", "seq")
# Covers all columns of an inventory: looking up 100,000 rows one by one takes three times as long as reading it.
# SQLite needs the column of the condition in it, too, or it looks up the row.
_listed_by("archives_inventory", "profile", "type", "name", "size_bytes", "md5", "sha256", "state", "claimed")
Index(
    "archives_claimed",
    archives.c.profile,
    archives.c.type,
    archives.c.name,
    sqlite_where=OPEN_CLAIM,
    postgresql_where=OPEN_CLAIM,
)

TRASHED = text("NOT claimed AND state = 'trashed'")
"""Entries of removed archives."""

Index(
    "archives_trashed",
    archives.c.profile,
    archives.c.type,
    archives.c.name,
    sqlite_where=TRASHED,
    postgresql_where=TRASHED,
)

LEFT_BEHIND = text("snapshot_after IS NOT NULL AND NOT claimed")
"""Entries that left a snapshot file behind, in the trash or not."""

Index(
    "archives_left_behind",
    archives.c.profile,
    archives.c.snapshot_after,
    sqlite_where=LEFT_BEHIND,
    postgresql_where=LEFT_BEHIND,
)

links = Table(
    "links",
    METADATA,
    Column("seq", _sequence, primary_key=True, autoincrement=False),  # that of the archive
    Column("profile", _words, nullable=False),
    Column("type", _words, nullable=False),
    Column("position", LargeBinary, nullable=False),  # in the order of the profile, see `links.changes.position`
    Column("is_listed", Boolean, nullable=False),  # not in the trash
    Column("is_pending", Boolean, nullable=False),  # the link is still to be worked out
    Column("changed", BigInteger, nullable=False),  # the profile's version when the archive was added or changed
    Column("parent", BigInteger),
    Column("link", Text),  # JSON, see `links.texts`
    # The moment from which on archives of a type matter to the link; NULL: no archive of that type does.
    Column("since_full", LargeBinary),
    Column("since_inc", LargeBinary),
    Column("since_diff", LargeBinary),
    Column("standing", Text),  # JSON
    Column("is_restorable", Boolean),  # according to the standing
)
"""What each archive builds on and its standing; NULL if still to be worked out."""

LISTED_LINK = text("is_listed")
PENDING_LINK = text("is_pending")
UNSETTLED_LINK = text("is_listed AND standing IS NULL")


def _links_by(name: str, where: TextClause, *columns: str) -> Index:
    return Index(name, *(links.c[column] for column in columns), sqlite_where=where, postgresql_where=where)


Index("links_in_order", links.c.profile, links.c.position)
_links_by("links_of_type_in_order", LISTED_LINK, "profile", "type", "position")
# With the column of the condition in front: SQLite would take any index that begins with the profile, and scan it.
_links_by("links_pending", PENDING_LINK, "is_pending", "profile", "position")
_links_by("links_unsettled", UNSETTLED_LINK, "standing", "profile", "position")
_links_by("links_of_parent", text("parent IS NOT NULL"), "parent")

asked = Table(
    "asked",
    METADATA,
    Column("profile", _words, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
)
"""The other things links asked about, besides moments: a hash of a name or a snapshot file, and the link's row."""

Index("asked_by", asked.c.seq)

linked_profiles = Table(
    "linked_profiles",
    METADATA,
    Column("profile", _words, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("rules", Text),
)
"""For each profile, how often it changed, and the version of the rules that made its links."""

broken = Table(
    "broken",
    METADATA,
    Column("profile", _words, primary_key=True),
    Column("type", _words, primary_key=True),
    Column("name", _words, primary_key=True),
    Column("since_us", BigInteger, nullable=False),
)
"""Since when archives are known not to restore."""

jobs = Table(
    "jobs",
    METADATA,
    Column("job", _words, primary_key=True),
    Column("stated", Text, nullable=False),
    Column("covered_us", BigInteger, nullable=False),
)
"""How the times of each job are stated, and up to when they are covered by runs."""

runs = Table(
    "runs",
    METADATA,
    Column("job", _words, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("cause", Text, nullable=False),
    Column("who", Text),
    Column("tries", BigInteger, nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("outcome", Text, nullable=False),
    Column("report", Text),  # JSON, see `upkeep.job_rows`
    Column("error", Text, nullable=False),
)
"""The last runs of each job. The store knows nothing of them, so `FORGET_EVERYTHING` leaves them."""

checks = Table(
    "checks",
    METADATA,
    Column("profile", _words, primary_key=True),
    Column("type", _words, primary_key=True),
    Column("name", _words, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("verified_us", BigInteger),
    Column("wanted", Boolean, nullable=False),
    Column("marked", Boolean),
    Column("fault", Text),
)
"""
When archives with these bytes were read again, whether they are to be, whether they had marks, and how damage showed
last. `FORGET_EVERYTHING` leaves it, too.
"""

profile_status = Table(
    "profile_status",
    METADATA,
    Column("profile", _words, primary_key=True),
    Column("version", BigInteger, nullable=False),  # that of `linked_profiles`, from which it was worked out
    Column("stamp", Text, nullable=False),  # of all else from which it was
    Column("worked_out_us", BigInteger, nullable=False),
    Column("look_us", BigInteger, nullable=False),
    Column("light", Text, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("restorable_us", BigInteger),
    Column("archives", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("chain_archives", BigInteger, nullable=False),
    Column("overdue", Boolean, nullable=False),
    Column("braked", Boolean, nullable=False),
    Column("reasons", Text, nullable=False),  # JSON, see `upkeep.status_rows`
)
"""Of each profile what was worked out last, until something changes."""

Index("profile_status_by_light", profile_status.c.light, profile_status.c.profile, profile_status.c.worked_out_us)

absences = Table(
    "absences",
    METADATA,
    Column("since_us", BigInteger, primary_key=True, autoincrement=False),
    Column("until_us", BigInteger, nullable=False),
)
"""When no server ran. `FORGET_EVERYTHING` leaves it, and all that follows here."""

alerts = Table(
    "alerts",
    METADATA,
    Column("id", _words, primary_key=True),
    Column("event", _words, nullable=False),
    Column("profile", _words, nullable=False),  # EVERYBODY: the server
    Column("subject", _words, nullable=False),
    Column("text", Text, nullable=False),
    Column("began_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("momentary", Boolean, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("look_us", BigInteger),
    Column("tellings", Text, nullable=False),  # JSON, see `upkeep.notice_rows`
)

OPEN_ALERT = text("NOT settled")

Index("alerts_open", alerts.c.profile, sqlite_where=OPEN_ALERT, postgresql_where=OPEN_ALERT)

outbox = Table(
    "outbox",
    METADATA,
    Column("id", _words, primary_key=True),
    Column("channel", _words, nullable=False),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("about", Text, nullable=False),  # JSON
    Column("created_us", BigInteger, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("tries", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("ended_us", BigInteger),
    Column("error", Text, nullable=False),
)
"""Notices: those that wait, and those that ended lately."""

Index("outbox_in_time", outbox.c.outcome, outbox.c.next_us)
Index("outbox_by_channel", outbox.c.channel, outbox.c.created_us)

drills = Table(
    "drills",
    METADATA,
    Column("number", _sequence, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("profile", _words, nullable=False),
    Column("kind", Text, nullable=False),
    Column("who", Text),
    Column("outcome", Text, nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("told", Text, nullable=False),  # JSON, see `upkeep.drill_rows`
    sqlite_autoincrement=True,
)
"""Restore drills and rehearsals. `FORGET_EVERYTHING` leaves them, too."""

Index("drills_of_profile", drills.c.profile, drills.c.kind, drills.c.number)

arrivals = Table(
    "arrivals",
    METADATA,
    Column("profile", _words, primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),  # since the epoch, in UTC
    Column("type", _words, primary_key=True),
    Column("archives", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
)
"""What came on each day, whether it is still there or not. `FORGET_EVERYTHING` leaves it, too."""

Index("arrivals_of_all", arrivals.c.day)

sessions = Table(
    "sessions",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("begun_us", BigInteger, nullable=False),
    Column("used_us", BigInteger, nullable=False),
)
"""Sessions of browsers. `FORGET_EVERYTHING` leaves them, too."""

used_days = Table(
    "used_days",
    METADATA,
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("full_bytes", BigInteger, nullable=False),
    Column("inc_bytes", BigInteger, nullable=False),
    Column("diff_bytes", BigInteger, nullable=False),
    Column("trash_bytes", BigInteger, nullable=False),
)
"""How many bytes were used on each day. `FORGET_EVERYTHING` leaves it, too."""

tokens = Table(
    "tokens",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("told", Text, nullable=False),  # JSON, see `token_records`
    Column("sum", Text, nullable=False),
)
"""Tokens, if the database is one that several servers may use. `FORGET_EVERYTHING` leaves them, too."""

token_uses = Table(
    "token_uses",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("used_us", BigInteger, nullable=False),
)
"""When each token was last used, to the minute."""

uploads = Table(
    "uploads",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("told", Text, nullable=False),  # JSON, see `upload_record`
)
"""Resumable uploads, if several servers may go on with them. `FORGET_EVERYTHING` leaves them, too."""

OPEN_UPLOAD = text("is_open")

Index("uploads_open", uploads.c.created_us, sqlite_where=OPEN_UPLOAD, postgresql_where=OPEN_UPLOAD)

leases = Table(
    "leases",
    METADATA,
    Column("name", _words, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),  # by the clock of the database
    Column("is_wanted", Boolean, nullable=False),
)
"""Which process does what alone, of those that share the database."""

versions = Table(
    "versions",
    METADATA,
    Column("what", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
)
"""How often something was changed that servers keep in memory, so that they notice it."""

rules = Table(
    "rules",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("set_us", BigInteger, nullable=False),
)
"""Files with the rules of profiles; the newest counts. `FORGET_EVERYTHING` leaves them, too."""

clock_note = Table(
    "clock_note",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # 1
    Column("told", Text, nullable=False),  # JSON, see `clock_records`
)
"""What was noted of the clocks of all servers. `FORGET_EVERYTHING` leaves it, too."""

audit = Table(
    "audit",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # without a gap
    Column("line", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
    Column("about", BigInteger),
    Column("told", BigInteger),
)
"""
The lines of the audit log, see `shared.audit_rows`. `FORGET_EVERYTHING` leaves them, too.

By hashes of what it is about, and of its result, a line is found. A torn one has none.
"""

Index("audit_by_digest", audit.c.digest)
Index("audit_about", audit.c.about, audit.c.number)
Index("audit_told", audit.c.told)

evidence = Table(
    "evidence",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # without a gap
    Column("line", LargeBinary, nullable=False),
    Column("month", Text, nullable=False),
    Column("digest", Text, nullable=False),
)
"""The lines of the evidence, see `shared.evidence_rows`. `FORGET_EVERYTHING` leaves them, too."""

Index("evidence_of_month", evidence.c.month, evidence.c.number)
Index("evidence_by_digest", evidence.c.digest)

compat = Table(
    "compat",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # 1
    Column("oldest_reader", Text, nullable=False),
)
"""The `OLDEST_READER` of these tables, for versions that do not know their revision."""

totals = Table(
    "totals",
    METADATA,
    Column("number", _sequence, primary_key=True),
    Column("profile", _words, nullable=False),
    Column("type", _words, nullable=False),
    Column("archives", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    UniqueConstraint("profile", "type", name="totals_identity"),
    sqlite_autoincrement=True,  # a number is never reused, so that new profiles are recognised by theirs
)
"""
Sums over the listed entries, changed in the same transactions. A pair of profile and type that lost all keeps zeros.

There are none over all profiles: every writer would have to wait for the one before it.
"""

EVERYBODY = ""
"""For what is of no profile; not a valid name of one."""


def upgrade(connection: Connection) -> None:
    """
    Upgrade the database to `HEAD`. *connection* is in a transaction that excludes other writers.

    Raises:
        FormatUnknown: it has an unknown revision, or tables of another program.
    """
    if (revision := current_revision(connection)) == HEAD:
        return
    if revision is None:
        if inspect(connection).get_table_names():
            raise FormatUnknown("the catalog database holds the tables of something else")
        _VERSION.create(connection)
        METADATA.create_all(connection, checkfirst=False)
        connection.execute(_VERSION.insert(), {"version_num": HEAD})
        connection.execute(compat.insert(), {"number": 1, "oldest_reader": OLDEST_READER})
        return
    migrate(connection, revision)


def migrate(connection: Connection, revision: str | None, to: str = "head") -> None:
    """
    Run the migrations that follow *revision* (None: all) up to the revision *to*.

    Raises:
        FormatUnknown: *revision* is unknown.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise FormatUnknown(f"the catalog has the unknown schema revision {revision[:40]!a}")
    command.upgrade(config, to)


def current_revision(connection: Connection) -> str | None:
    """The revision of the database, None if it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
