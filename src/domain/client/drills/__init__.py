"""Restore drills on this machine."""
