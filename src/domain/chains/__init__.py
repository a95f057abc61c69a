"""Which archive builds on which, what restores, and how surely that is known."""
