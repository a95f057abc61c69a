"""What an operator is told if a server or a command cannot start."""

from __future__ import annotations

import pytest

from tarkeep.domain.errors.capacity import CatalogDamaged
from tarkeep.domain.errors.client import FolderUnusable
from tarkeep.domain.errors.settings import DataDirectoryUnsafe
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.entrypoints.starting import starting


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            DataDirectoryUnsafe("it is theirs", 12345),
            "it is theirs; run this as that user, such as with: sudo -u '#12345'",
        ),
        (DataDirectoryUnsafe("it is open to all"), "it is open to all; restrict it with: chmod 0700"),
        (CatalogDamaged(), "it is damaged; remove its file, if it has one, and run tarkeep rebuild"),
    ],
    ids=["another user's", "open", "damaged"],
)
def test_the_path_is_named_with_what_to_do(error: TarkeepError, told: str) -> None:
    """The errors themselves name neither, since a client may see them."""
    with pytest.raises(FolderUnusable) as caught, starting("/srv/data"):
        raise error

    assert str(caught.value) == f"/srv/data cannot be used: {told}"
