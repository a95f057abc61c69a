"""Use cases that read stored archives again."""
