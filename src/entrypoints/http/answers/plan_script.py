"""
A plan as a shell script that carries it out with curl, sha256sum and tar, and nothing of Tarkeep.

All text from outside (names, the server's address) is put between single quotes by `shlex.quote`, and nowhere else; in
comments, the rules for names exclude anything that could end a line.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from attrs import frozen

from ....domain.text.counted import counted

_HEAD = """\
#!/bin/sh
# {title}
#
#     sh restore.sh DIRECTORY
#
# DIRECTORY is made, or must be empty. Downloads are kept beside it, or in TMPDIR, until they are extracted. The first
# error ends the script. TARKEEP_SERVER names the server if it has another address from here.
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
case $1 in
/*) target=$1 ;;
*) target=./$1 ;;
esac
mkdir -p -- "$target"
# In a folder that all users may write to, another user who made the target could change it meanwhile.
if [ -k "$(dirname -- "$target")" ] && {{ [ -h "${{target%"${{target##*[!/]}}"}}" ] || [ ! -O "$target" ]; }}; then
    fail "$target is not yours alone; name a directory that is not there"
fi
target=$(cd -- "$target" && pwd)
[ -z "$(ls -A -- "$target")" ] || fail "$target is not empty; name another directory"
work=$(mktemp -d "${{TMPDIR:-$(dirname -- "$target")}}/restore.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

# In the target, not with --directory: for directories that changed places, GNU tar makes temporary names where it was
# started. From standard input: a path may look like HOST:FILE. Other tars keep the attributes that they support.
# Directories get their times and modes last, since other programs write their files after other directories.
unpack() {{
    if tar --version 2>/dev/null | grep -q 'GNU tar'; then
        set -- --xattrs '--xattrs-include=*' --acls --delay-directory-restore "$@"
    fi
    (cd -- "$target" && LC_ALL=C tar --extract --preserve-permissions --file=- "$@")
}}

"""
_STEP = """\
# NUMBER NAME PATH SHA256
step() {{
    printf '%s of {total}: %s\\n' "$1" "$2" >&2
    curl --fail --silent --show-error --retry 3 --output "$work/archive" -- "$server$3" ||
        fail "$2 could not be downloaded; empty $target and run this again"
    sum=$(sha256sum <"$work/archive")
    [ "${{sum%% *}}" = "$4" ] || fail "$2 did not arrive as it is stored; empty $target and run this again"
    unpack --gzip{incremental} <"$work/archive" ||
        fail "$2 could not be extracted; $target holds a part of it: empty it before you run this again"
    rm -f -- "$work/archive"
}}

"""
_GNU_TAR = "tar --version | grep -q 'GNU tar' || fail 'needs GNU tar: the archives are incremental'\n"
_INCREMENTAL = " --listed-incremental=/dev/null"
_MERGED = """\
printf '%s\\n' {told} >&2
curl --fail --silent --show-error --output "$work/tree" -- "$server"{path} ||
    fail "the tree could not be downloaded; empty $target and run this again"
unpack <"$work/tree" ||
    fail "the tree could not be extracted; $target holds a part of it: empty it before you run this again"
"""
_NAMED = """\
curl --fail --silent --show-error --output "$work/names" -- "$server"{path} &&
    mv -f -- "$work/names" "$target.tarkeep-gaps" &&
    printf 'all names are in %s\\n' "$target.tarkeep-gaps" >&2
"""
_TAIL = "printf 'restored into %s\\n' \"$target\" >&2\n"


@frozen
class Step:
    """One archive of a plan: its label, its path on the server, and its SHA-256."""

    label: str
    path: str
    sha256: str


def plan_script(
    title: str,
    server: str,
    steps: Sequence[Step],
    *,
    is_exact: bool,
    merged_at: str | None = None,
    distrust: str = "",
    lacks: Sequence[str] = (),
    named_at: str | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """
    The script. *title* is one line that says what it restores, *server* the address clients know; *remarks* are lines
    below the title.

    *is_exact* plans are extracted as incremental archives, which also deletes and renames; others are extracted one
    over the other. If tar cannot be trusted with them, *merged_at* is the path of the merged tree, downloaded instead,
    and *distrust* gives the reason, if there is more to say. *lacks* are sentences about missing names; the script ends
    with them, and with exit code 3. If they do not list every name, *named_at* is the path of a text that does, which
    is put beside the directory.
    """
    check = _GNU_TAR if is_exact and merged_at is None else ""
    lines = [_HEAD.format(title="\n# ".join((title, *remarks)), server=shlex.quote(server), check=check)]
    if merged_at is not None:
        told = f"tar cannot be trusted with {counted(len(steps), 'archive')}: the server merges the tree"
        told += f" ({distrust})" if distrust else ""
        lines.append(_MERGED.format(told=shlex.quote(told), path=shlex.quote(merged_at)))
    else:
        lines.append(_STEP.format(total=len(steps), incremental=_INCREMENTAL if is_exact else ""))
        for number, step in enumerate(steps, 1):
            words = (str(number), shlex.quote(step.label), shlex.quote(step.path), step.sha256)
            lines.append(f"step {' '.join(words)}\n")
    if not is_exact and len(steps) > 1:
        lines.append("printf 'plain archives are among these: what was deleted in between has come back\\n' >&2\n")
    lines.append(_TAIL)
    lines += (f"printf '%s\\n' {shlex.quote(lack)} >&2\n" for lack in lacks)
    if named_at is not None:
        lines.append(_NAMED.format(path=shlex.quote(named_at)))
    if lacks:
        lines.append("exit 3\n")
    return "".join(lines)
