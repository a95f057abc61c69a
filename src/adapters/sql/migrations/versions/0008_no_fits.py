"""What comparing archives showed stands beside their records, and has done so since links are kept."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Drop what was kept by rules of long ago."""
    op.drop_table("fits")
