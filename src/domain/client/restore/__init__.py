"""Restoring a tree into a directory."""
