"""Which versions can use these tables."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add the table; versions before this one do not know it, and refuse any newer revision."""
    compat = op.create_table(
        "compat",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("oldest_reader", sa.Text, nullable=False),
    )
    op.bulk_insert(compat, [{"number": 1, "oldest_reader": "0027"}])
