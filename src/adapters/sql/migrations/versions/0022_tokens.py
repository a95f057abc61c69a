"""Tokens of several servers."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the tables; the tokens of a data directory come into them at its next start."""
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("sum", sa.Text, nullable=False),
    )
    op.create_table(
        "token_uses",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("used_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "versions",
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
