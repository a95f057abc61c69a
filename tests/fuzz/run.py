"""
Fuzzes one target with atheris: ``python -m tests.fuzz.run TARGET [options of libFuzzer] [folders of inputs]``.

Inputs that reach new code go into the first folder. The one that breaks the target is written to
``-artifact_prefix``, and the exit status is not 0.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["tarkeep", "tests.fuzz"], enable_loader_override=False):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
