"""Notices by Apprise, which reaches a hundred services; it is an optional part of the installation."""

from __future__ import annotations

import importlib
from typing import Any

from attrs import define, field

from ...domain.errors.notices import NotDelivered
from ...domain.errors.settings import InvalidSetting
from ...domain.notices.message import Message


@define(eq=False)
class AppriseChannel:
    """
    `Channel` to all of *urls*, in the words of Apprise.

    Raises:
        InvalidSetting: Apprise is not installed, or does not understand an address.
    """

    urls: tuple[str, ...] = field(repr=False)
    _apprise: Any = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        try:
            apprise = importlib.import_module("apprise")
        except ImportError:
            reason = "apprise_file needs the Python package apprise, which is installed with tarkeep[notify]"
            raise InvalidSetting("notify", reason) from None
        self._apprise = apprise.Apprise()
        for number, url in enumerate(self.urls, 1):
            if not self._apprise.add(url):
                raise InvalidSetting("notify", f"Apprise does not understand address {number} of apprise_file")

    def deliver(self, message: Message) -> None:
        # versions differ in what they return: True, or an object with a status; None and False are failures in all
        said = self._apprise.notify(title=f"{message.server}: {message.title}", body=message.text)
        if said is not True and getattr(getattr(said, "status", None), "name", "") != "SUCCESS":
            raise NotDelivered("Apprise did not deliver it to all addresses")
