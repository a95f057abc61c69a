"""Use cases for restore points, plans, and restored trees."""
