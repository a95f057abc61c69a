"""What the server does by itself, in the database of the catalog."""
