"""The composition roots; nothing else names an adapter."""
