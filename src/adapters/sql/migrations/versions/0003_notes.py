"""What senders say of their archives; of those that are there nothing was said."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column, empty."""
    op.add_column("archives", sa.Column("notes", sa.Text))
