"""
Layer 3. The real server on a file system that forgets what was not made durable, and 200 power cuts.

The power goes off after a number of calls that the seed decides, while archives arrive by every route at
once; the server is killed; of the data that was not durable the seed keeps all, nothing, or some, torn. Then a server
starts on the rest. For the commands of the host that make and revoke tokens, it goes off at each call in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

import httpx2
import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import Tokens, open_tokens
from tests.faults.changes import POLICY, WORDS, Asked, authorized, ready
from tests.faults.forked import ServerEnded, forked_server
from tests.faults.load import Told, lost
from tests.faults.lossy_mount import LossyMount, lossy_mount
from tests.faults.share import drawn

pytestmark = pytest.mark.faults

CUTS = drawn(200)
AT_A_TIME = 25
MOVING_CUTS = drawn(50)
MOVING_CHANGES = 150  # about those of three changes
MOST_CHANGES = 500  # enough for several archives of each route


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[LossyMount]:
    with lossy_mount(tmp_path / "lossy") as mount:
        yield mount


@pytest.mark.parametrize("first", range(0, CUTS, AT_A_TIME))
def test_what_was_acknowledged_is_there_after_every_power_cut(mount: LossyMount, tmp_path: Path, first: int) -> None:
    """Byte for byte; all others are whole or absent, nothing is left in staging, and all are accepted again."""
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


def test_archives_that_move_are_whole_in_one_place_after_every_power_cut(mount: LossyMount, tmp_path: Path) -> None:
    """What was pruned, brought back, held and purged is so if it was acknowledged; no other archive is ever lost."""
    data, log, rules = mount.path / "data", tmp_path / "server.log", tmp_path / "rules.toml"
    rules.write_text(POLICY)
    asked = Asked()
    with forked_server(data, log, "--profiles", str(rules)), httpx2.Client() as client:
        token = authorized(client, data).headers["Authorization"]
    for seed in range(MOVING_CUTS):
        random = Random(f"moves {seed}")
        if seed % 5 == 4:
            cut_while_starting(mount, data, log, random)
        with (
            forked_server(data, log, "--profiles", str(rules), token=token) as server,
            server.client() as client,
        ):
            asked.check(client, data)
            waiting = [ready(client, word) for word in random.sample(WORDS, 3)]
            mount.cut_after(random.randrange(MOVING_CHANGES))
            asked.change_until_it_fails(client, random, waiting)
        assert mount.is_off
        mount.restore(seed)
    with forked_server(data, log, "--profiles", str(rules), token=token) as server, server.client() as client:
        asked.check(client, data, few=len(asked.made) + 1)
    assert len(asked.made) > MOVING_CUTS
    assert {change.word for change in asked.made} == set(WORDS)


def test_tokens_that_were_made_and_revoked_are_so_after_every_power_cut(mount: LossyMount) -> None:
    """And in the log of writes; the token file is readable after a cut at any call, and the next command works."""
    for changes in count():
        for seed in range(6):
            data = mount.path / f"data-{changes}-{seed}"
            mount.cut_after(changes)
            told = use_tokens(open_tokens(StorageSettings(data=data)))
            was_cut = mount.is_off
            assert was_cut or len(told) == 3
            mount.restore(seed)

            tokens = open_tokens(StorageSettings(data=data))
            assert told.items() <= {token.id: token.revoked_at is not None for token, _ in tokens.all()}.items()
            assert tokens.audit.check().is_whole
            log = (data / "audit.log").read_text() if (data / "audit.log").exists() else ""
            assert [id for id, is_revoked in told.items() if log.count(id) < 1 + is_revoked] == []
            assert len(use_tokens(tokens)) == 3
        if not was_cut:
            assert changes > 20
            return


def use_tokens(tokens: Tokens) -> dict[str, bool]:
    """Make and revoke some until it fails: whether each is revoked, as far as it was reported."""
    told: dict[str, bool] = {}
    try:
        for _ in range(3):
            made = tokens.make(frozenset([Scope.PUSH]), ("*",))
            told[made.token.id] = False
        del told[made.token.id]  # its state is unknown until that ends
        tokens.revoke(made.token.id)
        told[made.token.id] = True
    except TarkeepError:
        pass
    return told


def cut_while_starting(mount: LossyMount, data: Path, log: Path, random: Random) -> None:
    """Recovery is interrupted, too."""
    mount.cut_after(random.randrange(40))
    try:
        with forked_server(data, log):
            pass
    except ServerEnded:
        assert mount.is_off
    mount.restore(random.randrange(1 << 30))
