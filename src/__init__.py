"""Tarkeep keeps backup archives made with plain tar, and can prove that they restore."""
