"""What is found out about an archive's place in a chain; unknown of the archives that are there."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns, empty."""
    op.add_column("archives", sa.Column("has_unchanged", sa.Boolean))
    for name in ("roots", "parent_type", "parent_name", "snapshot_before", "snapshot_after"):
        op.add_column("archives", sa.Column(name, sa.Text))
