"""The rules that may differ between profiles."""
