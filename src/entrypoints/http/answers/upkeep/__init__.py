"""Answers about what a server does by itself."""
