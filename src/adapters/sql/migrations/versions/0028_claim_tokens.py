"""Whose claim it is, and until when; leases."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add columns and table; the claims that are open belong to nobody who still runs, and nobody has a lease."""
    op.add_column("archives", sa.Column("claim_token", sa.Text))
    op.add_column("archives", sa.Column("claim_until_us", sa.BigInteger))
    op.create_table(
        "leases",
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.Column("is_wanted", sa.Boolean, nullable=False),
    )
    # a version before this one would settle the claims of others, and remove what they published
    op.execute(sa.text("UPDATE compat SET oldest_reader = :revision").bindparams(revision=revision))
