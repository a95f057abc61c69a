"""The audit log and the evidence of several servers."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the tables; the lines of a data directory come into them at its next start."""
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("line", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("about", sa.BigInteger),
        sa.Column("told", sa.BigInteger),
    )
    op.create_index("audit_by_digest", "audit", ["digest"])
    op.create_index("audit_about", "audit", ["about", "number"])
    op.create_index("audit_told", "audit", ["told"])
    op.create_table(
        "evidence",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("line", sa.LargeBinary, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
    )
    op.create_index("evidence_of_month", "evidence", ["month", "number"])
    op.create_index("evidence_by_digest", "evidence", ["digest"])
