"""What pages show of a profile as pictures, as values: where everything stands, and in words."""
