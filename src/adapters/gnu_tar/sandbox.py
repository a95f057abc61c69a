"""
Ways to run a program where it can do no harm: by bubblewrap, by namespaces of ``unshare``, or not at all.

Inside, the user is nobody (65534) without any capability, there is no network, ``/usr`` is read-only, and nothing but
the folder ``/scratch`` can be written. The limits of the process are set before it, and hold for what it starts. Where
the caller is root, the program is nobody outside as well.

The rule: a way is used only after it was tried.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from attrs import frozen

NOBODY = 65534
_SCRATCH = "/scratch"
_USR = "/usr"
_TOP = ("bin", "lib", "lib32", "lib64", "sbin")
_TRY_SECONDS = 20.0
_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}

_LIMITS = (
    "ulimit -c 0 && ulimit -n 256 && ulimit -t {seconds} && ulimit -v {memory_kib} && ulimit -f {file_blocks}"
    ' && exec "$@"'
)
_MEMORY_KIB = 4 << 20
_FILE_BLOCKS = 1 << 31  # of 512 bytes: a tebibyte

# As root of a namespace that has nothing but what is bound into it; the last step gives even that up. The options of a
# mount are found in /proc, which is that of the namespace of processes outside, so that one is made last.
_BY_UNSHARE = """
root=$1 folder=$2
shift 2
mount -t tmpfs -o mode=0755 none "$root"
mkdir "$root/usr" "$root/scratch" "$root/dev"
: > "$root/dev/null"
mount --rbind /usr "$root/usr"
mount -o remount,ro,bind "$root/usr"
mount --bind /dev/null "$root/dev/null"
mount --bind "$folder" "$root/scratch"
for one in bin lib lib32 lib64 sbin; do
  if [ -L "/$one" ]; then ln -s "$(readlink "/$one")" "$root/$one"
  elif [ -d "/$one" ]; then
    mkdir "$root/$one"
    mount --rbind "/$one" "$root/$one"
    mount -o remount,ro,bind "$root/$one"
  fi
done
mount -o remount,ro,bind "$root"
exec unshare --user --map-user=65534 --map-group=65534 --pid --fork --kill-child --root="$root" --wd=/scratch -- "$@"
"""


@frozen
class Sandbox:
    """One way to keep a program in *folder*; *root* is an empty folder beside it. *name* is a word for people."""

    name: str
    folder: Path
    root: Path

    def command(self, program: Sequence[str]) -> list[str]:
        """The command that runs *program* inside."""
        match self.name:
            case "bwrap":
                return [*_bwrap(self.folder), "--", *program]
            case "unshare":
                namespaces = ["--user", "--map-root-user", "--mount", "--net", "--ipc", "--uts"]
                script = f"set -e\n{_BY_UNSHARE}"
                places = (str(self.root), str(self.folder))
                return ["unshare", *namespaces, "--", "/bin/sh", "-c", script, "sh", *places, *program]
        return list(program)

    @property
    def is_any(self) -> bool:
        """Whether it keeps anything from a program."""
        return self.name != NONE

    def started(self, program: Sequence[str], seconds: float) -> subprocess.Popen[bytes]:
        """Start *program* inside, with pipes; its processor time is limited to *seconds* as well."""
        limits = _LIMITS.format(seconds=max(1, int(seconds) + 1), memory_kib=_MEMORY_KIB, file_blocks=_FILE_BLOCKS)
        is_root = self.is_any and os.geteuid() == 0
        return subprocess.Popen(
            ["/bin/sh", "-c", limits, "sh", *self.command(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/" if self.is_any else self.folder,
            env=_ENVIRONMENT,
            start_new_session=True,
            user=NOBODY if is_root else None,
            group=NOBODY if is_root else None,
            extra_groups=[] if is_root else None,
        )

    def objection(self) -> str:
        """Why it cannot be used; empty if it can."""
        if self.is_any and shutil.which(self.name) is None:
            return f"{self.name} is not installed"
        try:
            tried = self.started(["tar", "--version"], _TRY_SECONDS)
        except OSError as error:
            return f"{self.name} cannot be started: {error.strerror or error}"
        try:
            said, complaint = tried.communicate(timeout=_TRY_SECONDS)
        except subprocess.TimeoutExpired:
            ended(tried)
            return f"{self.name} does not answer"
        if tried.returncode == 0 and b"GNU tar" in said:
            return ""
        lines = [line for line in complaint.decode(errors="backslashreplace").splitlines() if line.strip()]
        return f"{self.name} does not work: {lines[0] if lines else f'it ended with {tried.returncode}'}"


BWRAP, UNSHARE, NONE = "bwrap", "unshare", "none"


def ended(program: subprocess.Popen[bytes]) -> None:
    """End *program* with all that it started, if it runs, and close its pipes."""
    if program.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()
    for pipe in (program.stdin, program.stdout, program.stderr):
        if pipe is not None:
            with suppress(OSError):  # what was not written yet is lost with the program
                pipe.close()


def _bwrap(folder: Path) -> list[str]:
    command = [
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        *("--uid", str(NOBODY), "--gid", str(NOBODY)),
        *("--cap-drop", "ALL"),
        *("--ro-bind", _USR, _USR),
    ]
    for name in _TOP:
        top = Path("/") / name
        if top.is_symlink():
            command += ["--symlink", str(top.readlink()), str(top)]
        elif top.is_dir():
            command += ["--ro-bind", str(top), str(top)]
    return [
        *command,
        *("--dev-bind", "/dev/null", "/dev/null"),
        *("--bind", str(folder), _SCRATCH),
        *("--remount-ro", "/"),
        *("--chdir", _SCRATCH),
    ]
