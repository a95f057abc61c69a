"""Indexes of the links that are to be worked out, by which SQLite finds them without going through a profile."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the two anew, with the column of the condition in front."""
    for name, where, columns in (
        ("links_pending", "is_pending", ["is_pending", "profile", "position"]),
        ("links_unsettled", "is_listed AND standing IS NULL", ["standing", "profile", "position"]),
    ):
        op.drop_index(name, "links")
        op.create_index(name, "links", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
