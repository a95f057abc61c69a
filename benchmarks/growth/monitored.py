"""The cost of the figures for a monitor, by the number of profiles: fifteen archives each, and a retention policy."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.chains.kept_links import NewLink
from tarkeep.domain.chains.link import Evidence, Link
from tarkeep.domain.chains.neighbours import Asked
from tarkeep.domain.chains.standing import Fidelity, Standing
from tarkeep.domain.comparing.fit import Completeness
from tarkeep.entrypoints.http.answers.upkeep.metrics import metrics_text
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep

from ..population import archive_rows, enter
from .measure import Measure, apart, cpu_seconds, made

_ARCHIVES = 15
_POLICY = '["*".retention]\nkeep_last = 3\n'


def _cost(folder: Path, profiles: int) -> float:
    return apart(_measured, made(folder / f"monitored-{profiles}", partial(_fill, profiles)), profiles)


def _fill(profiles: int, data: Path) -> None:
    """Each profile is one chain, and its links are known."""
    chains: dict[str, list[BackupArchive]] = {}
    for row in archive_rows({f"machine-{number:05}": _ARCHIVES for number in range(profiles)}):
        chains.setdefault(row.id.profile, []).append(row)
    enter(data, (row for chain in chains.values() for row in chain))
    (data / "profiles.toml").write_text(_POLICY)
    with closing(SqlCatalog.open(f"sqlite:///{data / 'catalog.sqlite'}")) as catalog:
        for profile, chain in chains.items():
            catalog.keep_links(profile, catalog.link_state(profile).version, "for this measure", _links(chain))


def _links(chain: list[BackupArchive]) -> list[NewLink]:
    parents = [None, *(archive.id for archive in chain)]
    return [
        NewLink(
            archive.id,
            Link(archive.id, parent, Evidence.PROVEN, "it is the next"),
            Asked(),
            Standing(number, 9, Fidelity.EXACT, Evidence.PROVEN, "", Completeness.WHOLE, 0, (), ()),
        )
        for number, (archive, parent) in enumerate(zip(chain, parents, strict=False), start=1)
    ]


def _measured(data: Path, profiles: int) -> float:
    """The second answer of a server: the first one imports the library, and looks at the marks of every profile."""
    with open_tarkeep(StorageSettings(data=data, reserve_bytes=0)) as tarkeep:

        def answer() -> bytes:
            return metrics_text(tarkeep.read_metrics(lambda _profile: True, with_server=True), profiles)

        text = answer()
        if text.count(b"\ntarkeep_profile_restorable_timestamp_seconds{") != profiles:
            raise RuntimeError("not every profile has its figures")
        return cpu_seconds(answer)


MEASURES = (Measure("/metrics", "profiles", (500, 1_000, 2_000), _cost, limit=0.2),)
