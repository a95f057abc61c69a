"""Tokens, what they permit, and the audit log."""
