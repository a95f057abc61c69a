"""Resumable uploads that any server goes on with."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add the table, which is empty at first."""
    op.create_table(
        "uploads",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("told", sa.Text, nullable=False),
    )
    is_open = sa.text("is_open")
    op.create_index("uploads_open", "uploads", ["created_us"], sqlite_where=is_open, postgresql_where=is_open)
