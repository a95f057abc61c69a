"""Commands that copy archives from other servers."""
