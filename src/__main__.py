"""``python -m tarkeep``."""

from .entrypoints.cli import main

main()
