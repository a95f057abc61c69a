"""The composition roots; no other package names an adapter."""
