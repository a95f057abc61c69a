"""The ports of what a server does by itself."""
