"""Removed archives are listed by an index, and it is noted since when archives do not restore."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_TRASHED = sa.text("NOT claimed AND state = 'trashed'")


def upgrade() -> None:
    """Add both; nothing is removed yet, and nothing is known to be broken."""
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_index(
        "archives_trashed",
        "archives",
        ["profile", "type", "name"],
        sqlite_where=_TRASHED,
        postgresql_where=_TRASHED,
    )
    op.create_table(
        "broken",
        sa.Column("profile", words, primary_key=True),
        sa.Column("type", words, primary_key=True),
        sa.Column("name", words, primary_key=True),
        sa.Column("since_us", sa.BigInteger, nullable=False),
    )
