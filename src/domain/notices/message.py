"""A message: a notice in words, as it goes over any channel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from attrs import frozen

from ..text.times import rfc3339
from .event import AlertKey, Event
from .notice import Notice, NoticeItem, NoticeKind

Advice: TypeAlias = Callable[[Event, str | None], str]
"""What a person can do about an event, of a profile or of the server; empty if there is nothing to say."""

_SHOWN = 50


@frozen
class Message:
    """
    *title* is one line. *text* is what there is to say, in lines; *items* has the alerts one by one.

    *id* is always the same for the same notice. *server* is the name of the machine.
    """

    id: str
    kind: NoticeKind
    at: datetime
    server: str
    title: str
    text: str
    items: tuple[NoticeItem, ...] = ()


def message_of(notice: Notice, server: str, advice: Advice) -> Message:
    """*notice* in words."""
    lines = [_line(notice.kind, item) for item in notice.items[:_SHOWN]]
    if len(notice.items) > _SHOWN:
        lines.append(f"and {len(notice.items) - _SHOWN} more.")
    if notice.kind is not NoticeKind.RECOVERY:
        lines += _advised([item.key for item in notice.items], advice)
    text = "\n".join([notice.text, *lines] if notice.text else lines)
    return Message(notice.id, notice.kind, notice.created_at, server, notice.title, text, notice.items)


def _line(kind: NoticeKind, item: NoticeItem) -> str:
    of = "the server" if item.key.profile is None else item.key.profile
    since = f"since {rfc3339(item.began_at.replace(microsecond=0))}"
    if kind is NoticeKind.RECOVERY:
        return f"{of}: this is over, which was so {since}: {item.text}."
    return f"{of}: {item.text} ({since})."


def _advised(keys: list[AlertKey], advice: Advice) -> list[str]:
    found = dict.fromkeys(advice(key.event, key.profile) for key in keys)
    return [f"What to do: {one}." for one in list(found)[:5] if one]
