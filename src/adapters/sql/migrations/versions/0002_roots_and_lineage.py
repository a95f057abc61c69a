"""Columns for an archive's place in a chain; unknown for existing archives."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns, empty, and the table of comparison results."""
    op.add_column("archives", sa.Column("has_unchanged", sa.Boolean))
    for name in ("roots", "parent_type", "parent_name", "snapshot_before", "snapshot_after"):
        op.add_column("archives", sa.Column(name, sa.Text))
    op.add_column("archives", sa.Column("has_snapshot", sa.Boolean))
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "fits",
        sa.Column("profile", words, primary_key=True),
        sa.Column("child", sa.Text, primary_key=True),
        sa.Column("parent", sa.Text, primary_key=True),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("unresolved", sa.BigInteger, nullable=False),
        sa.Column("examples", sa.Text, nullable=False),
        sa.Column("is_sound", sa.Boolean, nullable=False),
        sa.Column("is_excusable", sa.Boolean, nullable=False),
    )
