"""Pushing archives."""
