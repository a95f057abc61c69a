"""How it shows that an archive is damaged."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add it; of what is damaged now it is not known."""
    op.add_column("checks", sa.Column("fault", sa.Text))
