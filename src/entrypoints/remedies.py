"""What a person can do about what is not as it should be, in the words of the command line."""

from __future__ import annotations

from ..domain.watching.light import ConcernKind

# commands stand between backticks
_REMEDIES = {
    ConcernKind.DAMAGED: "send the same archive again, from wherever there is a copy",
    ConcernKind.UNRESTORABLE: (
        "`tarkeep points {profile}` shows which points restore; until what is missing is there, send a FULL"
    ),
    ConcernKind.OVERDUE: "look at the machine that sends them: its timer, its log, its disk",
    ConcernKind.BRAKED: "`tarkeep brake show {profile}` shows what changed, and how to let pruning go on",
    ConcernKind.PRUNE_PAUSED: (
        "`tarkeep prune plan {profile}` shows what would go, `tarkeep prune approve {profile}` lets it go"
    ),
    ConcernKind.SCRUB_BEHIND: (
        "`tarkeep scrub {profile}` reads them now, `tarkeep job list` shows when that happens by itself"
    ),
    ConcernKind.QUOTA: "raise max_bytes in profiles.toml, or keep less",
    ConcernKind.UNKNOWN: "restore it, and look: `tarkeep restore {profile}`",
    ConcernKind.CLOCK: "set the clock right if it is wrong, then run `tarkeep clock accept`",
    ConcernKind.JOB_FAILED: "`tarkeep job list` shows the jobs, `tarkeep job run` runs one again",
    ConcernKind.COPY_BEHIND: "`tarkeep replicate` copies now, and shows what differs and what could not be copied",
    ConcernKind.DRILL_DIFFERENT: (
        "`tarkeep drill list {profile}` shows the drills; until it is explained, send a FULL: "
        "`tarkeep points {profile}`"
    ),
    ConcernKind.DRILL_BEHIND: "run `tarkeep drill run {profile}` on a machine with GNU tar, or look at its timer",
    ConcernKind.UNDELIVERED: "`tarkeep notify test` tries the channels; mend notify.toml or the other end",
    ConcernKind.NOTICES_WAIT: (
        "`tarkeep notify test` tries the channels; mend notify.toml or the other end: "
        "they are sent again for three days"
    ),
    ConcernKind.DISK: "free space on the disk, add some, or keep less",
    ConcernKind.FULL_SOON: "add space, or keep less; the page Storage shows which profiles grow",
    ConcernKind.NO_CHANNEL: (
        "name a channel in notify.toml in the data directory; if nobody is to be told, "
        'it has the one line `channels = "none"`'
    ),
}


def remedy(kind: ConcernKind, profile: str) -> str:
    """What to do about it, a sentence without its full stop; *profile* is empty for what concerns the server."""
    return "".join(text for _, text in remedy_parts(kind, profile))


def remedy_parts(kind: ConcernKind, profile: str) -> list[tuple[bool, str]]:
    """The same in parts, each with whether it is a command."""
    parts = _REMEDIES[kind].split("`")
    commands = [(number % 2 == 1, part.format(profile=profile)) for number, part in enumerate(parts)]
    return [(is_command, text.strip() if is_command else text) for is_command, text in commands if text]
