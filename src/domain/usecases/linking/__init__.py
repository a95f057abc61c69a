"""Use cases that work out and keep which archive each archive builds on."""
