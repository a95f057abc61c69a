"""``tarkeep notify test``: whether notices reach people."""

from __future__ import annotations

from .....domain.errors.notices import ChannelNotFound
from ....settings.server import StorageSettings
from ...terminal.exits import FAILED, NOT_FOUND, OK, PARTLY
from ...terminal.output import Output
from ..serve import Unused


def try_(
    channel: str | None = None,
    /,
    *,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Send a trial over the channels of notify.toml, and say of each whether it was taken.

    It is sent from here and at once, whether a server runs or not. Exit codes: 0 all took it; 1 none did, or there is
    no channel; 2 notify.toml is wrong; 3 some did; 10 there is no such channel.

    Parameters
    ----------
    channel
        Only this channel. Default: all.
    json
        Print the result of each as a JSON object.
    """
    from ....wiring.notices import try_channels

    output = Output(json, quiet=False)
    try:
        tried = try_channels(storage or StorageSettings())(channel)
    except ChannelNotFound as error:
        output.error(str(error))
        return NOT_FOUND
    if not tried:
        output.error("there is no channel: name some in notify.toml in the data directory, or give --notify FILE")
        return FAILED
    for name, error_text in tried.items():
        line = f"{name}: {'not delivered: ' + error_text if error_text else 'delivered'}"
        output.result(line, channel=name, delivered=not error_text, error=error_text or None)
    failed = sum(bool(error_text) for error_text in tried.values())
    return OK if not failed else FAILED if failed == len(tried) else PARTLY
