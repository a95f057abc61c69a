"""The command ``tarkeep``."""

from .main import main

__all__ = ["main"]
