"""Notes that senders attach to their archives; existing archives have none."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column, empty."""
    op.add_column("archives", sa.Column("notes", sa.Text))
