"""Use cases that copy the archives of another server, and heal damaged ones from there."""
