"""The state of an archive beside its digests: an inventory shows it without looking up the row."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Rebuild the index of inventories with the state."""
    listed = sa.text("NOT claimed AND state <> 'trashed'")
    op.drop_index("archives_inventory", "archives")
    op.create_index(
        "archives_inventory",
        "archives",
        ["profile", "type", "name", "size_bytes", "md5", "sha256", "state"],
        sqlite_where=listed,
        postgresql_where=listed,
    )
