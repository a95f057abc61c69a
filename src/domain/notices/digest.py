"""The digest: how everything is, in words, also when everything is well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..text.counted import counted
from ..text.times import rfc3339
from ..watching.kept_status import KeptStatus
from ..watching.light import Light
from .alert import Alert

_SHOWN = 30


def digest_of(statuses: Sequence[KeptStatus], alerts: Sequence[Alert]) -> tuple[str, str]:
    """Title and text of the digest of these profiles and the alerts that are not over."""
    counts = Counter(status.light for status in statuses)
    lights = ", ".join(f"{counts[light]} {light.value}" for light in reversed(Light) if counts[light])
    title = f"digest: {counted(len(statuses), 'profile')}{': ' if lights else ''}{lights}"
    lines = [f"{counted(len(statuses), 'profile')}{': ' if lights else ''}{lights}."]
    worst = sorted((one for one in statuses if one.light is not Light.GREEN), key=lambda one: -one.light.rank)
    lines += [f"{one.light.value}: {one.profile}: {one.concerns[0].text}." for one in worst[:_SHOWN]]
    if len(worst) > _SHOWN:
        lines.append(f"and {len(worst) - _SHOWN} more.")
    of_server = [alert for alert in alerts if alert.key.profile is None]
    lines += [
        f"the server: {alert.text} (since {rfc3339(alert.began_at.replace(microsecond=0))})." for alert in of_server
    ]
    lines.append(f"{counted(len(alerts), 'alert')} not over." if alerts else "No alert is open.")
    return title, "\n".join(lines)
