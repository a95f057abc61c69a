"""What things are called: profile, type, name, digest."""
