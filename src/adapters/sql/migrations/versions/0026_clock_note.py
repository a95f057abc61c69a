"""What was noted of the clocks of several servers."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add the table; the note in a data directory comes into it at its next start."""
    op.create_table(
        "clock_note",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("told", sa.Text, nullable=False),
    )
