"""Comparison results are stored beside the records since links are kept; their table goes."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Drop the table, filled by outdated rules."""
    op.drop_table("fits")
