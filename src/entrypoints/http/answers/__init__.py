"""Writing what a client gets."""
