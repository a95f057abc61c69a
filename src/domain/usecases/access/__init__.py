"""Use cases that make, revoke and judge tokens."""
