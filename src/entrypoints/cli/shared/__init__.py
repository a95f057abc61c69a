"""Code that several commands share, most of them the client's."""
