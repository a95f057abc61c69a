"""The names at a point, merged from its archives, and one path through time."""
