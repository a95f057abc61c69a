"""Getting archives back."""
