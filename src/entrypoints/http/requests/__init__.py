"""Reading what a client says."""
