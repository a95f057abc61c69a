"""Profiles by their lights."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the index; what is kept stays as it is."""
    op.create_index("profile_status_by_light", "profile_status", ["light", "profile", "worked_out_us"])
