"""
A plan as a shell script that carries itself out: with curl, sha256sum and tar, and nothing of Tarkeep.

Whatever comes from outside (names, the server's address) stands between single quotes, through `shlex.quote`, and
nowhere else; in comments the rules for names leave nothing that could end a line.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from attrs import frozen

_HEAD = """\
#!/bin/sh
# {title}
#
#     sh restore.sh DIRECTORY
#
# DIRECTORY is made, or must be empty. Each archive is downloaded beside it (or into TMPDIR), its SHA-256 is compared,
# and it is extracted, in this order; the first error ends it all. TARKEEP_SERVER names the server where its address is
# another one from here.
set -eu
unset CDPATH

fail() {{
    printf 'restore: %s\\n' "$1" >&2
    exit 1
}}

[ $# -eq 1 ] || fail 'usage: sh restore.sh DIRECTORY'
for tool in curl sha256sum tar; do
    command -v "$tool" >/dev/null || fail "needs $tool"
done
{check}server=${{TARKEEP_SERVER:-{server}}}
target=$1
mkdir -p -- "$target"
[ -z "$(ls -A -- "$target")" ] || fail "$target is not empty; name another directory"
work=$(mktemp -d "${{TMPDIR:-$(dirname -- "$target")}}/restore.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

# NUMBER NAME PATH SHA256
step() {{
    printf '%s of {total}: %s\\n' "$1" "$2" >&2
    curl --fail --silent --show-error --retry 3 --output "$work/archive" -- "$server$3" ||
        fail "$2 could not be downloaded; empty $target and run this again"
    sum=$(sha256sum <"$work/archive")
    [ "${{sum%% *}}" = "$4" ] || fail "$2 did not arrive as it is stored; empty $target and run this again"
    {tar} <"$work/archive" ||
        fail "$2 could not be extracted"
    rm -f -- "$work/archive"
}}

"""
_GNU_TAR = "tar --version | grep -q 'GNU tar' || fail 'needs GNU tar: the archives are incremental'\n"
_TAR = 'tar --extract --gzip --preserve-permissions --directory="$target" --file=-'  # a path may look like HOST:FILE
_INCREMENTAL = " --listed-incremental=/dev/null"
_TAIL = "printf 'restored into %s\\n' \"$target\" >&2\n"


@frozen
class Step:
    """One archive of a plan: how to call it, where it is on the server, and its SHA-256."""

    label: str
    path: str
    sha256: str


def plan_script(title: str, server: str, steps: Sequence[Step], *, is_exact: bool) -> str:
    """
    The script. *title* is one line that says what it restores, *server* the address clients know.

    *is_exact* plans are extracted as incremental archives, which also deletes and renames; others lay one archive over
    the other.
    """
    lines = [
        _HEAD.format(
            title=title,
            server=shlex.quote(server),
            total=len(steps),
            check=_GNU_TAR if is_exact else "",
            tar=_TAR + (_INCREMENTAL if is_exact else ""),
        )
    ]
    for number, step in enumerate(steps, 1):
        words = (str(number), shlex.quote(step.label), shlex.quote(step.path), step.sha256)
        lines.append(f"step {' '.join(words)}\n")
    if not is_exact:
        lines.append("printf 'plain archives are among these: what was deleted in between has come back\\n' >&2\n")
    lines.append(_TAIL)
    return "".join(lines)
