"""One archive and what is known of it."""
