"""Use cases that receive an archive."""
