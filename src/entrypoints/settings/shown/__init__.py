"""Settings as they are shown to people."""
