"""Commands on the server's host."""
