"""How many bytes were used on each day."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the table; the job that looks at profiles fills it, with what can be known of the days before, too."""
    op.create_table(
        "used_days",
        sa.Column("day", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("full_bytes", sa.BigInteger, nullable=False),
        sa.Column("inc_bytes", sa.BigInteger, nullable=False),
        sa.Column("diff_bytes", sa.BigInteger, nullable=False),
        sa.Column("trash_bytes", sa.BigInteger, nullable=False),
    )
