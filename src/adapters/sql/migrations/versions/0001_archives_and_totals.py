"""Archives and claims in one table, and the totals of what is listed."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables and their indexes."""
    sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "archives",
        sa.Column("seq", sequence, primary_key=True),
        sa.Column("profile", words, nullable=False),
        sa.Column("type", words, nullable=False),
        sa.Column("name", words, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("md5", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("received_us", sa.BigInteger, nullable=False),
        sa.Column("taken_us", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text),
        sa.Column("members", sa.BigInteger),
        sa.Column("unpacked_bytes", sa.BigInteger),
        sa.Column("newest_member_us", sa.BigInteger),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("claimed", sa.Boolean, nullable=False),
        sa.UniqueConstraint("type", "name", "profile", name="archives_identity"),
    )
    listed = sa.text("NOT claimed AND state <> 'trashed'")
    for name, columns in (
        ("archives_in_time", ["received_us", "seq"]),
        ("archives_of_profile_in_time", ["profile", "received_us", "seq"]),
        ("archives_of_type_in_time", ["type", "received_us", "seq"]),
        ("archives_of_both_in_time", ["profile", "type", "received_us", "seq"]),
        ("archives_inventory", ["profile", "type", "name", "size_bytes", "md5", "sha256"]),
    ):
        op.create_index(name, "archives", columns, sqlite_where=listed, postgresql_where=listed)
    claimed = sa.text("claimed")
    op.create_index(
        "archives_claimed",
        "archives",
        ["profile", "type", "name"],
        sqlite_where=claimed,
        postgresql_where=claimed,
    )
    op.create_table(
        "totals",
        sa.Column("profile", words, primary_key=True),
        sa.Column("type", words, primary_key=True),
        sa.Column("archives", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
    )
