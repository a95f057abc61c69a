"""Points, plans, and trees given back."""
