"""Parsing requests."""
