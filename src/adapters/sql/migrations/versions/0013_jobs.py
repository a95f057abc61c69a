"""Jobs, and their runs."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add both; no job has run yet."""
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "jobs",
        sa.Column("job", words, primary_key=True),
        sa.Column("stated", sa.Text, nullable=False),
        sa.Column("covered_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("job", words, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("who", sa.Text),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("report", sa.Text),
        sa.Column("error", sa.Text, nullable=False),
    )
