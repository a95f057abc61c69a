"""Whatever follows the tar in an archive; unknown for existing archives."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column, empty."""
    op.add_column("archives", sa.Column("after_end", sa.Text))
