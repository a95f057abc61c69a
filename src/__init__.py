"""Tarkeep keeps backup archives made with plain tar, and can prove that they restore."""

__version__ = "0.4.0"
