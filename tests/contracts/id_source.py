"""What every `IdSource` promises."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from tarkeep.domain.ports.system import IdSource


class IdSourceContract:
    """A subclass gives the fixture ``ids``."""

    def test_ids_have_the_promised_form(self, ids: IdSource) -> None:
        """1 to 64 of a-z, 0-9 and dash: safe as a file name and in a URL."""
        assert all(re.fullmatch(r"[a-z0-9-]{1,64}", ids.new()) for _ in range(100))

    def test_no_id_comes_twice(self, ids: IdSource) -> None:
        """Not even from several threads."""
        with ThreadPoolExecutor(4) as pool:
            given = list(pool.map(lambda _: ids.new(), range(1000)))

        assert len(set(given)) == 1000
