"""Use cases that receive an archive over several requests."""
