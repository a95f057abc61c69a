"""Pulling archives."""
