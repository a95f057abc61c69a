"""Shell completion: a script generated from the commands."""

from __future__ import annotations

from typing import Literal

from .terminal.exits import OK

# The generated function is named after cyclopts; zsh would call it only from a file of that name.
_ZSH = """
if [[ ${funcstack[1]} == _tarkeep ]]; then
  _cyclopts_tarkeep "$@"
else
  compdef _cyclopts_tarkeep tarkeep
fi
"""


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """
    Print a script that completes commands and options.

    For bash: tarkeep completion bash > ~/.local/share/bash-completion/completions/tarkeep. For zsh: tarkeep completion
    zsh > _tarkeep in a folder of fpath; or source it after compinit. For fish: tarkeep completion fish >
    ~/.config/fish/completions/tarkeep.fish.

    Parameters
    ----------
    shell
        bash, zsh or fish.
    """
    from .main import app

    print(app.generate_completion(prog_name="tarkeep", shell=shell) + (_ZSH if shell == "zsh" else ""), end="")
    return OK
