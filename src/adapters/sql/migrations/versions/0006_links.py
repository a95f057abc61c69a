"""Links and standings of archives, to be worked out on first request; and their order in a profile."""

from struct import Struct

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_AT_ONCE = 10_000


def upgrade() -> None:
    """Create the tables, with a row for every entry, and the index of snapshot files left behind."""
    sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    links = op.create_table(
        "links",
        sa.Column("seq", sequence, primary_key=True, autoincrement=False),
        sa.Column("profile", words, nullable=False),
        sa.Column("type", words, nullable=False),
        sa.Column("position", sa.LargeBinary, nullable=False),
        sa.Column("is_listed", sa.Boolean, nullable=False),
        sa.Column("is_pending", sa.Boolean, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("parent", sa.BigInteger),
        sa.Column("link", sa.Text),
        sa.Column("since_full", sa.LargeBinary),
        sa.Column("since_inc", sa.LargeBinary),
        sa.Column("since_diff", sa.LargeBinary),
        sa.Column("standing", sa.Text),
        sa.Column("is_restorable", sa.Boolean),
    )
    for table, name, where, columns in (
        ("links", "links_of_type_in_order", "is_listed", ["profile", "type", "position"]),
        ("links", "links_pending", "is_pending", ["profile", "position"]),
        ("links", "links_unsettled", "is_listed AND standing IS NULL", ["profile", "position"]),
        ("links", "links_of_parent", "parent IS NOT NULL", ["parent"]),
        (
            "archives",
            "archives_left_behind",
            "snapshot_after IS NOT NULL AND NOT claimed",
            ["profile", "snapshot_after"],
        ),
    ):
        op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index("links_in_order", "links", ["profile", "position"])
    op.create_table(
        "asked",
        sa.Column("profile", words, primary_key=True),
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    )
    op.create_index("asked_by", "asked", ["seq"])
    linked_profiles = op.create_table(
        "linked_profiles",
        sa.Column("profile", words, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("rules", sa.Text),
    )
    _enter(op.get_bind(), links, linked_profiles)


def _enter(connection: sa.Connection, links: sa.Table, linked_profiles: sa.Table) -> None:
    of_moment, zero = Struct(">QQ"), 1 << 63
    entries = sa.text(
        "SELECT seq, profile, type, name, taken_us, received_us, state FROM archives"
        " WHERE NOT claimed AND seq > :last ORDER BY seq LIMIT :count"
    )
    last = -1
    profiles: set[str] = set()
    while found := connection.execute(entries, {"last": last, "count": _AT_ONCE}).all():
        last = found[-1].seq
        profiles.update(row.profile for row in found)
        rows = [
            {
                "seq": row.seq,
                "profile": row.profile,
                "type": row.type,
                "position": of_moment.pack(row.taken_us + zero, row.received_us + zero)
                + f"{row.type}/{row.name}".encode(),
                "is_listed": row.state != "trashed",
                "is_pending": True,
                "changed": 1,
            }
            for row in found
        ]
        connection.execute(links.insert(), rows)
    if profiles:
        connection.execute(linked_profiles.insert(), [{"profile": name, "version": 1} for name in sorted(profiles)])
