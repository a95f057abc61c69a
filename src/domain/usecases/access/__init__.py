"""Tokens made, revoked and judged."""
