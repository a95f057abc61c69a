"""The names at a point, merged from its archives, and the history of one path."""
