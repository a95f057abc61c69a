"""The pages: each reads what it shows, and gives it to the template of its name."""
