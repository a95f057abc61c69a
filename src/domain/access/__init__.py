"""Tokens, who may do what by them, and the audit log."""
