"""Gzip and tar as streams."""
