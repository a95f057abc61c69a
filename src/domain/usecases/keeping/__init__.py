"""Use cases for the operator and for the start of a server."""
