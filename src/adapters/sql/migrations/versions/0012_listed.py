"""How many files the listings of an archive have, and how many of these are unchanged."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add both; of archives that are there they are unknown."""
    op.add_column("archives", sa.Column("listed", sa.BigInteger))
    op.add_column("archives", sa.Column("unchanged", sa.BigInteger))
