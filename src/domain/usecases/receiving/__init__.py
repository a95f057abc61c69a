"""An archive comes in."""
