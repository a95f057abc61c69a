"""The scopes that a token needs for each client command: one table, for the help pages and the checks."""

from __future__ import annotations

from collections.abc import Collection

from ....domain.errors.client import Unauthorized
from ....domain.text.counted import listed

SCOPES: dict[str, tuple[str, ...]] = {
    "push": ("push", "verify"),
    "pull": ("list", "pull"),
    "verify": ("verify",),
    "status": ("list",),
    "list": ("list",),
    "stats": ("list",),
    "backup": ("push", "list", "pull"),
    "restore": ("list", "pull"),
    "points": ("list",),
    "ls": ("list",),
    "find": ("list",),
    "history": ("list",),
    "cat": ("pull",),
    "drill run": ("drill", "pull"),
    "drill list": ("list",),
}
MORE = {
    "push": "From standard input it needs push alone.",
    "status": "With verify, too, it tells what the retention policy removed there from what is missing.",
    "verify": "With --safe-to-delete it needs list instead.",
}


def needs(command: str) -> str:
    """The sentence for the help of *command*."""
    scopes = SCOPES[command]
    words = f"A token needs the scope{'s' if len(scopes) > 1 else ''} {listed(scopes)}."
    return f"{words} {MORE[command]}" if command in MORE else words


def check_scopes(server: str, command: str, profile: str, scopes: Collection[str]) -> None:
    """
    Check, before any work, that the *scopes* that *server* grants for *profile* are enough for *command*.

    Raises:
        Unauthorized: some scopes are missing.
    """
    needed = SCOPES[command]
    missing = [scope for scope in needed if scope not in scopes]
    if missing:
        has = f"only {listed([scope for scope in needed if scope in scopes])}" if set(needed) & set(scopes) else "none"
        raise Unauthorized(
            server,
            f"tarkeep {command} needs the scopes {listed(needed)} for {profile}, and this token has {has} of them; "
            f"on the server: tarkeep token create {' '.join(f'--scope {scope}' for scope in needed)} "
            f"--profile {profile}",
        )
