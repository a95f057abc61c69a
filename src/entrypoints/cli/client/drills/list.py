"""``tarkeep drill list``: the drills and rehearsals that a server knows of."""

from __future__ import annotations

from .....domain.client.ports.drilling import DrillVerdict
from .....domain.text.counted import counted
from .....domain.text.paths import path_text
from .....domain.text.sizes import human_size
from ....settings.client import ClientSettings
from ...shared.opening import opening, optional_profile, retry_notice
from ...terminal.exits import OK
from ...terminal.output import Output


def list_(profile: str | None = None, /, *, limit: int = 20, client: ClientSettings | None = None) -> int:
    """
    List the last drills and rehearsals, the newest first.

    A drill restored the point with the tar of a machine. A rehearsal proves less: the server put the tree together and
    read it, but extracted nothing.

    Parameters
    ----------
    profile
        Only those of this profile. Default: the one in the settings, or else all.
    limit
        How many at most.
    """
    from ....wiring.client_drills import drills

    settings = client or ClientSettings()
    output = Output(settings.json, quiet=False)
    profile = optional_profile(profile, settings)
    with opening(settings) as opened:
        known = drills(opened)
        found = opened.retrying(lambda: known.recent(profile, limit), on_retry=retry_notice(output))
    for one in found:
        output.result(_line(one), **members_of(one))
    output.result(
        f"{counted(sum(one.kind == 'drill' for one in found), 'drill')} and "
        f"{counted(sum(one.kind != 'drill' for one in found), 'rehearsal')}",
        summary=True,
        count=len(found),
    )
    return OK


def _line(one: DrillVerdict) -> str:
    facts = [f"{one.began[:16].replace('T', ' ')}Z", f"{one.kind:9}", f"{one.outcome:9}", str(one.point)]
    if one.outcome in ("equal", "different"):
        facts += [counted(one.names, "name"), human_size(one.restored_bytes), f"{one.seconds:.1f} s", one.way]
    if one.share < 1:
        facts.append(f"{100 * one.share:.1f} % of the tree")
    if one.different:
        facts.append(f"{one.different} different")
    if one.error:
        facts.append(one.error)
    return "  ".join(facts)


def members_of(one: DrillVerdict) -> dict[str, object]:
    """*one* as the members of a JSON object."""
    return {
        "kind": one.kind,
        "profile": one.point.profile,
        "type": one.point.type.value,
        "name": one.point.name,
        "way": one.way,
        "outcome": one.outcome,
        "started_at": one.began,
        "archives": one.archives,
        "share": one.share,
        "expected": one.expected,
        "names": one.names,
        "bytes": one.restored_bytes,
        "seconds": one.seconds,
        "different": one.different,
        "differences": [{"path": path_text(path), "detail": what} for path, what in one.differences],
        "not_compared": list(one.not_compared),
        "error": one.error or None,
    }
