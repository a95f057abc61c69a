"""How many archives came on each day."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add it, with the archives that are there or in the trash; of what was forgotten before nothing is known."""
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "arrivals",
        sa.Column("profile", words, primary_key=True),
        sa.Column("day", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("type", words, primary_key=True),
        sa.Column("archives", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
    )
    op.create_index("arrivals_of_all", "arrivals", ["day"])
    op.execute(
        "INSERT INTO arrivals (profile, day, type, archives, size_bytes) "
        "SELECT profile, received_us / 86400000000, type, count(*), sum(size_bytes) FROM archives "
        "WHERE NOT claimed GROUP BY profile, received_us / 86400000000, type"
    )
