"""Sending archives."""
