"""A Tarkeep server over HTTP, as the client meets it."""
