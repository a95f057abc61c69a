"""Routes for what a server does by itself."""
