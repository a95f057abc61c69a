"""The entry points: HTTP and the command line."""
