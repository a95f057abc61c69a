"""Making a dump and storing it."""
