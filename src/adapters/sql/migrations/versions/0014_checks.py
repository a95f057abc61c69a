"""When archives were read again."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add it; nothing was read yet."""
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "checks",
        sa.Column("profile", words, primary_key=True),
        sa.Column("type", words, primary_key=True),
        sa.Column("name", words, primary_key=True),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("received_us", sa.BigInteger, nullable=False),
        sa.Column("verified_us", sa.BigInteger),
        sa.Column("wanted", sa.Boolean, nullable=False),
        sa.Column("marked", sa.Boolean),
    )
