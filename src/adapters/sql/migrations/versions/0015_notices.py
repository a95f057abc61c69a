"""What is known of profiles, when no server ran, alerts and notices."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add all of them, empty: it is worked out when a server starts."""
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "profile_status",
        sa.Column("profile", words, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("stamp", sa.Text, nullable=False),
        sa.Column("worked_out_us", sa.BigInteger, nullable=False),
        sa.Column("look_us", sa.BigInteger, nullable=False),
        sa.Column("light", sa.Text, nullable=False),
        sa.Column("received_us", sa.BigInteger, nullable=False),
        sa.Column("restorable_us", sa.BigInteger),
        sa.Column("archives", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("chain_archives", sa.BigInteger, nullable=False),
        sa.Column("overdue", sa.Boolean, nullable=False),
        sa.Column("braked", sa.Boolean, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
    )
    op.create_table(
        "absences",
        sa.Column("since_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "alerts",
        sa.Column("id", words, primary_key=True),
        sa.Column("event", words, nullable=False),
        sa.Column("profile", words, nullable=False),
        sa.Column("subject", words, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("began_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("momentary", sa.Boolean, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("look_us", sa.BigInteger),
        sa.Column("tellings", sa.Text, nullable=False),
    )
    op.create_index(
        "alerts_open",
        "alerts",
        ["profile"],
        sqlite_where=sa.text("NOT settled"),
        postgresql_where=sa.text("NOT settled"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", words, primary_key=True),
        sa.Column("channel", words, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("next_us", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_index("outbox_in_time", "outbox", ["outcome", "next_us"])
    op.create_index("outbox_by_channel", "outbox", ["channel", "created_us"])
