"""An archive dated more than a day after its receipt is placed in the order of its profile by its receipt."""

from struct import Struct

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_DAY_US = 86_400_000_000
_AT_ONCE = 10_000


def upgrade() -> None:
    """Update the positions of such archives; their links are worked out anew, since the rules have a new number."""
    of_moment, zero = Struct(">QQ"), 1 << 63
    connection = op.get_bind()
    ahead = sa.text(
        "SELECT seq, type, name, received_us FROM archives"
        " WHERE NOT claimed AND taken_us - received_us > :day AND seq > :last ORDER BY seq LIMIT :count"
    )
    place = sa.text("UPDATE links SET position = :position WHERE seq = :seq")
    last = -1
    while found := connection.execute(ahead, {"day": _DAY_US, "last": last, "count": _AT_ONCE}).all():
        last = found[-1].seq
        rows = [
            {
                "seq": row.seq,
                "position": of_moment.pack(row.received_us + zero, row.received_us + zero)
                + f"{row.type}/{row.name}".encode(),
            }
            for row in found
        ]
        connection.execute(place, rows)
