"""The catalog in SQLite or PostgreSQL."""
