"""Options that several commands share: the spelling of each, and its help if that is the same for all."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ...settings.client import TypeWord

LookedInto = Annotated[str, Parameter(help="The profile to look into.")]

At = Annotated[
    str,
    Parameter(
        allow_leading_hyphen=True,  # so that -3d is a value
        help="A time such as 2026-11-24, 14:30, yesterday, 2 days ago or -3d, in this machine's time zone unless "
        "it names one; the name of an archive; or latest.",
    ),
]

OnlyType = Annotated[TypeWord | None, Parameter(help="FULL, INC or DIFF only.")]

Long = Annotated[
    bool,
    Parameter(name=["--long", "-l"], help="Show type, mode, owner, size and time, and where links point."),
]

Null = Annotated[bool, Parameter(name=["--null", "-0"])]

NullPaths = Annotated[
    Null, Parameter(help="Print only the paths, unescaped, each followed by a NUL byte, for xargs -0.")
]

DryRun = Annotated[bool, Parameter(name=["--dry-run", "-n"])]
