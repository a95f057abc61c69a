"""Completion for shells: a script made from the commands as they are."""

from __future__ import annotations

from typing import Literal

from .exits import OK


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """
    Print a script that completes commands and options.

    For bash: tarkeep completion bash > ~/.local/share/bash-completion/completions/tarkeep. For zsh: tarkeep completion
    zsh > _tarkeep in a folder of fpath. For fish: tarkeep completion fish > ~/.config/fish/completions/tarkeep.fish.

    Parameters
    ----------
    shell
        bash, zsh or fish.
    """
    from .main import app

    print(app.generate_completion(prog_name="tarkeep", shell=shell), end="")
    return OK
