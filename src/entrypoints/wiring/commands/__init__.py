"""Wiring of commands that work beside a server, and that no server imports."""
