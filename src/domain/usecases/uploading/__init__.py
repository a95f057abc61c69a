"""An archive comes in over several requests."""
