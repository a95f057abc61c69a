"""
Layer 3. The real server on a file system that forgets what was not made durable, and 200 power cuts.

The power goes off after a number of calls that the seed decides, somewhere while archives come in by every route at
once; the server is killed; of what was not durable the seed keeps all, nothing, or some, torn. Then a server starts on
what is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.faults.forked import ServerEnded, forked_server
from tests.faults.load import Told, lost
from tests.faults.lossy_mount import LossyMount, lossy_mount

pytestmark = pytest.mark.faults

CUTS = 200
AT_A_TIME = 25
MOST_CHANGES = 500  # enough for several archives of each route


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[LossyMount]:
    with lossy_mount(tmp_path / "lossy") as mount:
        yield mount


@pytest.mark.parametrize("first", range(0, CUTS, AT_A_TIME))
def test_what_was_acknowledged_is_there_after_every_power_cut(mount: LossyMount, tmp_path: Path, first: int) -> None:
    """Byte for byte; all others are whole or not there, nothing is left in staging, and all are taken again."""
    data = mount.path / "data"
    log = tmp_path / "server.log"
    told = Told()
    for seed in range(first, first + AT_A_TIME):
        random = Random(seed)
        if seed % 5 == 0:
            cut_while_starting(mount, data, log, random)
        with forked_server(data, log) as server:
            with server.client() as client:
                told.check(client, data, random)
            mount.cut_after(random.randrange(MOST_CHANGES))
            told.send_until_it_fails(server, seed)
        assert mount.is_off
        mount.restore(seed)
    with forked_server(data, log) as server, server.client() as client:
        told.check(client, data, Random(first))
        assert lost(client, told.acknowledged) == []
    assert len(told.acknowledged) > AT_A_TIME


def cut_while_starting(mount: LossyMount, data: Path, log: Path, random: Random) -> None:
    """Recovery is interrupted, too."""
    mount.cut_after(random.randrange(40))
    try:
        with forked_server(data, log):
            pass
    except ServerEnded:
        assert mount.is_off
    mount.restore(random.randrange(1 << 30))
