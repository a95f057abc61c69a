"""Writing the answers for clients."""
