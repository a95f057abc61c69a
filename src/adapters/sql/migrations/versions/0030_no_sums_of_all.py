"""No sums over all profiles, which every writer of a database would have to change."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Remove the sums of all; the others are added up when somebody asks."""
    op.execute(sa.text("DELETE FROM totals WHERE profile = ''"))
    # a version before this one would count with them
    op.execute(sa.text("UPDATE compat SET oldest_reader = :revision").bindparams(revision=revision))
