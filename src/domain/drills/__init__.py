"""Restore drills: what a restored tree must be like, and whether it is."""
