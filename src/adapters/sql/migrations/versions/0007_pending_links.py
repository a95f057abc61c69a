"""Indexes of the links still to be worked out, by which SQLite finds them without scanning a profile."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Rebuild the two, with the column of the condition in front."""
    for name, where, columns in (
        ("links_pending", "is_pending", ["is_pending", "profile", "position"]),
        ("links_unsettled", "is_listed AND standing IS NULL", ["standing", "profile", "position"]),
    ):
        op.drop_index(name, "links")
        op.create_index(name, "links", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
