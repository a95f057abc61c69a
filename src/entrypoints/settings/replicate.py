"""The server that archives are copied from, as settings or a command name it."""

from __future__ import annotations

import os
from pathlib import Path

from ...domain.client.address import ServerAddress
from ...domain.errors.settings import InvalidSetting
from ...domain.ports.upkeep.peers import PeerAddress
from .files import expanded, read_setting_text
from .secrets import check_fingerprint, keep_secret, token_in
from .server import StorageSettings


def stated_peer(settings: StorageSettings) -> PeerAddress | None:
    """
    The server that *settings* name, with its token and certificates as the files have them now; None without one.

    Raises:
        InvalidSetting: the address is none, or a file cannot be read.
    """
    if not settings.replicate_from.strip():
        return None
    return peer_address(
        settings.replicate_from,
        _word("replicate_token_file", settings.replicate_token_file),
        settings.replicate_profiles,
        settings.replicate_cacert,
        settings.replicate_fingerprint,
        "replicate_",
    )


def given_token(file: Path | None) -> str | None:
    """The token in the variable TARKEEP_TOKEN, else in *file*. Raises InvalidSetting."""
    text = os.environ.get("TARKEEP_TOKEN", "")
    return token_in("TARKEEP_TOKEN", text, "") if text.strip() else _word("token_file", file)


def peer_address(
    url: str,
    token: str | None,
    profiles: tuple[str, ...],
    cacert: Path | None,
    fingerprint: str | None,
    prefix: str = "",
) -> PeerAddress:
    """
    The address of these parts; *prefix* begins the names of the settings they come from.

    Raises:
        InvalidSetting: one of them is none.
    """
    try:
        keep_secret(ServerAddress.parse(url).password or "")
        check_fingerprint(None, None, fingerprint)
    except InvalidSetting as error:
        raise InvalidSetting(f"{prefix}{'from' if error.name == 'server' else error.name}", error.reason) from None
    trusted = None if cacert is None else _content(f"{prefix}cacert", cacert)
    return PeerAddress(url.strip(), token, profiles or ("*",), trusted, fingerprint)


def _word(setting: str, file: Path | None) -> str | None:
    return None if file is None else token_in(setting, _content(setting, file), f"{file} holds no token")


def _content(setting: str, file: Path) -> str:
    try:
        return read_setting_text(setting, expanded(setting, file))
    except FileNotFoundError as error:
        raise InvalidSetting(setting, f"{file}: {error.strerror}") from error
