"""When archives were copied here from another server, and whether they came late."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add both; what is there was received here."""
    op.add_column("archives", sa.Column("copied_us", sa.BigInteger))
    op.add_column("archives", sa.Column("came_late", sa.Boolean))
