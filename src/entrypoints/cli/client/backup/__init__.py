"""Back up."""
