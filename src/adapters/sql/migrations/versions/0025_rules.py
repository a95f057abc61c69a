"""The rules of profiles of several servers."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Add the table; each server keeps its own file as long as nobody sets one for all."""
    op.create_table(
        "rules",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("set_us", sa.BigInteger, nullable=False),
    )
