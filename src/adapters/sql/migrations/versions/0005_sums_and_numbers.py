"""Sums over all profiles, a number for each row of sums, and inventories that are read from their index alone."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Rebuild the table of sums and the index of inventories."""
    sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.rename_table("totals", "totals_before")
    op.create_table(
        "totals",
        sa.Column("number", sequence, primary_key=True),
        sa.Column("profile", words, nullable=False),
        sa.Column("type", words, nullable=False),
        sa.Column("archives", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("profile", "type", name="totals_identity"),
        sqlite_autoincrement=True,
    )
    columns = "(profile, type, archives, size_bytes)"
    op.execute(
        f"INSERT INTO totals {columns} SELECT profile, type, archives, size_bytes FROM totals_before"
        " ORDER BY profile, type"
    )
    op.execute(
        f"INSERT INTO totals {columns} SELECT '', type, SUM(archives), SUM(size_bytes) FROM totals_before"
        " GROUP BY type ORDER BY type"
    )
    op.drop_table("totals_before")
    listed = sa.text("NOT claimed AND state <> 'trashed'")
    op.drop_index("archives_inventory", "archives")
    op.create_index(
        "archives_inventory",
        "archives",
        ["profile", "type", "name", "size_bytes", "md5", "sha256", "state", "claimed"],
        sqlite_where=listed,
        postgresql_where=listed,
    )
