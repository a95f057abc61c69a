"""How pages and their static files are sent: packed, kept by browsers, and not again while nothing has changed."""
